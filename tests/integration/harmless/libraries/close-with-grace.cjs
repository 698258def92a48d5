const { answer, cleanup, place } = require('./common.cjs');
const server = require('http').createServer(answer).listen(place);
const library = require('close-with-grace');
(library.default ?? library)({ delay: 5000 }, async () => {
  await new Promise((done) => { server.close(done); server.closeIdleConnections?.(); });
  await cleanup();
});
