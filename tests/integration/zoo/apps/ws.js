const { WebSocketServer } = require('ws');
const server = new WebSocketServer({ port: +process.env.PORT });
server.on('connection', (socket) => socket.on('message', (data) => socket.send(String(data))));
