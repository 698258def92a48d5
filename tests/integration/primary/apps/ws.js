'use strict';
const http = require('http');
const { WebSocketServer } = require('ws');
const work = require('./work');
const server = http.createServer(work.handler);
new WebSocketServer({ server }).on('connection', (socket) => {
  socket.on('message', async (what) => {
    socket.send(JSON.stringify(String(what) === 'slow' ? await work.slow() : work.who()));
  });
});
server.listen(process.env.PORT);
