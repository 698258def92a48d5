const { RestApplication } = require('@loopback/rest');
const app = new RestApplication({ rest: { port: +process.env.PORT, gracePeriodForClose: 5000 } });
app.handler(({ response }, sequence) => sequence.send(response, 'hello'));
app.start().then(() => console.log('loopback listens'));
