// Decorators applied by hand: what a compiler makes of `@Controller('api') class Api { @Get('who') who() … }`.
import 'reflect-metadata';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import work from './work.js';

class Api {
  who() { return work.who(); }

  slow() { return work.slow(); }
}
const decorate = (path, name) => Get(path)(Api.prototype, name, Object.getOwnPropertyDescriptor(Api.prototype, name));
decorate('who', 'who');
decorate('slow', 'slow');
Controller('api')(Api);

class App {}
Module({ controllers: [Api] })(App);

const app = await NestFactory.create(App, { logger: ['error', 'warn'] });
await app.listen(process.env.PORT);
