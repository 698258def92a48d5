const { answer, cleanup, place } = require('./common.cjs');
const server = require('http').createServer(answer).listen(place);
const terminator = require('http-terminator').createHttpTerminator({ server });
process.on('SIGTERM', async () => {
  await terminator.terminate();
  await cleanup();
  process.exit(0);
});
