const { answer, place } = require('./common.cjs');
const pino = require('pino');
const log = pino(pino.destination({ dest: 1, sync: false, minLength: 4096 }));
const server = require('http').createServer(answer).listen(place);
process.on('SIGTERM', () => {
  log.info('cleanup begins');
  server.close(() => { log.info('cleanup done'); log.flush(() => process.exit(0)); });
  server.closeIdleConnections?.();
});
