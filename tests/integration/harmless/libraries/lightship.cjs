const { answer, cleanup, place } = require('./common.cjs');
(async () => {
  const { createLightship } = await import('lightship');
  const lightship = await createLightship({ detectKubernetes: false, port: 0, gracefulShutdownTimeout: 5000 });
  const server = require('http').createServer(answer).listen(place, () => lightship.signalReady());
  lightship.registerShutdownHandler(async () => {
    await new Promise((done) => { server.close(done); server.closeIdleConnections?.(); });
    await cleanup();
  });
})();
