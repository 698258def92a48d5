const { answer, cleanup, place } = require('./common.cjs');
const app = require('fastify')();
app.get('/:ms', (request, reply) => { setTimeout(() => reply.send('ok'), +request.params.ms || 0); });
app.addHook('onClose', cleanup);
app.listen(place);
process.on('SIGTERM', () => app.close().then(() => process.exit(0)));
