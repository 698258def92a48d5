const server = require('http').createServer();
require('sockjs').createServer({ prefix: '/echo', log: () => {} }).installHandlers(server, { prefix: '/echo' });
server.listen(+process.env.PORT, '0.0.0.0');
