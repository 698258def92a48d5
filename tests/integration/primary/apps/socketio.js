'use strict';
const server = require('http').createServer();
const work = require('./work');
new (require('socket.io').Server)(server).on('connection', (socket) => {
  socket.on('who', (answer) => answer(work.who()));
  socket.on('slow', async (answer) => answer(await work.slow()));
});
server.listen(process.env.PORT);
