const server = require('@hapi/hapi').server({ port: +process.env.PORT });
server.route({ method: 'GET', path: '/', handler: () => 'hello' });
server.start().then(() => console.log('hapi listens'));
process.on('SIGTERM', () => server.stop({ timeout: 5000 }).then(() => console.log('hapi has stopped')));
