const { createSchema, createYoga } = require('graphql-yoga');
const yoga = createYoga({
  schema: createSchema({ typeDefs: 'type Query { hello: String }', resolvers: { Query: { hello: () => 'world' } } }),
});
require('http').createServer(yoga).listen(+process.env.PORT, () => console.log('yoga listens'));
