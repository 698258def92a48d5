const { answer, cleanup, place } = require('./common.cjs');
const server = require('http').createServer(answer);
const io = new (require('socket.io').Server)(server, { transports: ['websocket'] });
server.listen(place);
process.on('SIGTERM', () => io.close(() => cleanup().then(() => process.exit(0))));
