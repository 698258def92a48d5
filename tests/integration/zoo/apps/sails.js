const sails = new (require('sails').Sails)();
sails.lift({
  port: +process.env.PORT, environment: 'staging', log: { level: 'warn' }, hooks: { grunt: false, session: false },
  routes: { 'GET /hello': (_, answer) => answer.send('hello') },
}, (error) => { if (error) throw error; console.log('sails is lifted'); });
