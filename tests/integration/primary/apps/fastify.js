'use strict';
const fastify = require('fastify')();
const { who, slow } = require('./work');
fastify.get('/api/who', async () => who());
fastify.get('/api/slow', () => slow());
fastify.listen({ port: Number(process.env.PORT), host: '0.0.0.0' });
