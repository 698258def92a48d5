// ws_client.js PORT WHAT: one WebSocket, one question; prints the answer.
'use strict';
const [port, what] = process.argv.slice(2);
const socket = new (require('ws').WebSocket)(`ws://127.0.0.1:${port}/`);
socket.on('open', () => socket.send(what));
socket.on('message', (answer) => {
  console.log(String(answer));
  socket.close();
});
