const { ServiceBroker } = require('moleculer');
const broker = new ServiceBroker({ logger: false });
broker.createService({ name: 'greeter', actions: { hello: () => 'hello' } });
broker.createService({ mixins: [require('moleculer-web')], settings: { port: +process.env.PORT } });
broker.start().then(() => console.log('broker runs'));
