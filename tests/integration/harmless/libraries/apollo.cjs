const { answer, cleanup, place } = require('./common.cjs');
(async () => {
  const { ApolloServer } = await import('@apollo/server');
  const { ApolloServerPluginDrainHttpServer } = await import('@apollo/server/plugin/drainHttpServer');
  const server = require('http').createServer(answer);
  const apollo = new ApolloServer({
    typeDefs: 'type Query { a: Int }',
    stopOnTerminationSignals: true,
    plugins: [ApolloServerPluginDrainHttpServer({ httpServer: server }), { serverWillStart: async () => ({ serverWillStop: cleanup }) }],
  });
  await apollo.start();
  server.listen(place);
})();
