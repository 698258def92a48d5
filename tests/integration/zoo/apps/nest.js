require('reflect-metadata');
(async () => {
  const { NestFactory } = await import('@nestjs/core');
  const { Controller, Get, Module } = await import('@nestjs/common');
  class Home {
    hello() { return 'hello'; }
    onApplicationShutdown(signal) { console.log(`shut down by ${signal}`); }
  }
  Controller()(Home);
  Get()(Home.prototype, 'hello', Object.getOwnPropertyDescriptor(Home.prototype, 'hello'));
  class App {}
  Module({ controllers: [Home] })(App);
  const app = await NestFactory.create(App);
  app.enableShutdownHooks();
  await app.listen(+process.env.PORT);
})();
