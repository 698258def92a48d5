const { cleanup, place } = require('./common.cjs');
const server = require('@hapi/hapi').server(place);
server.route({ method: 'GET', path: '/{ms?}', handler: (request) => new Promise((done) => setTimeout(() => done('ok'), +request.params.ms || 0)) });
server.ext('onPostStop', cleanup);
server.start();
process.on('SIGTERM', () => server.stop({ timeout: 5000 }).then(() => process.exit(0)));
