const { answer, cleanup, place } = require('./common.cjs');
const server = require('stoppable')(require('http').createServer(answer), 5000).listen(place);
process.on('SIGTERM', () => server.stop(() => cleanup().then(() => process.exit(0))));
