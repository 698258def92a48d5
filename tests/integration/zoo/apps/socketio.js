const server = require('http').createServer();
const io = new (require('socket.io').Server)(server);
io.on('connection', (socket) => socket.emit('hello', 'world'));
server.listen(+process.env.PORT);
process.on('SIGTERM', () => io.close(() => console.log('closed')));
