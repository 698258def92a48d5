// An ordinary fastify service.
const cluster = require('cluster');
const fastify = require('fastify')();

fastify.get('/', async () => ({ app: 'fastify', pid: process.pid,
  worker: cluster.worker ? cluster.worker.id : 0, slot: process.env.NODE_APP_INSTANCE }));
fastify.get('/slow', async (request) => {
  await new Promise((done) => setTimeout(done, Number(request.query.ms || 2000)));
  return 'done';
});
fastify.get('/exit', async (request) => process.exit(Number(request.query.code || 1)));

fastify.listen({ port: Number(process.env.PORT || 3000), host: process.env.HOST || '0.0.0.0' })
  .then(() => console.log('listening'));
