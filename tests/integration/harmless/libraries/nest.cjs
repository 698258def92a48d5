const { answer, cleanup, place } = require('./common.cjs');
require('reflect-metadata');
(async () => {
  const { NestFactory } = await import('@nestjs/core');
  const { Module } = await import('@nestjs/common');
  class App { onApplicationShutdown() { return cleanup(); } }
  Module({})(App);
  const app = await NestFactory.create(App, { logger: false });
  app.use((request, response) => answer(request, response));
  app.enableShutdownHooks();
  await app.listen(place.port, place.host);
})();
