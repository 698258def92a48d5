module.exports = async (fastify, _options) => {
  fastify.addHook('onClose', async () => console.log('closed'));
  fastify.get('/', async () => ({ hello: 'world' }));
};
