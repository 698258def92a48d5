const { answer, cleanup, place } = require('./common.cjs');
const server = require('http').createServer(answer).listen(place);
require('death')(() => {
  server.close(() => cleanup().then(() => process.exit(0)));
  server.closeIdleConnections?.();
});
