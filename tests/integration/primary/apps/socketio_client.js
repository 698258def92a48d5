// socketio_client.js PORT WHAT ADDRESS…: a client from each address, by HTTP polling alone: each poll is a connection of
// its own and has to reach the worker that knows the session. Asks each three times; prints the answers.
'use strict';
const http = require('http');
const { io } = require('socket.io-client');
const [port, what, ...addresses] = process.argv.slice(2);

async function ask(localAddress) {
  const agent = new http.Agent({ keepAlive: false, localAddress });
  const socket = io(`http://127.0.0.1:${port}`, { transports: ['polling'], agent, reconnection: false });
  await new Promise((done, failed) => socket.on('connect', done).on('connect_error', failed));
  for (let i = 0; i < (what === 'slow' ? 1 : 3); i++) console.log(JSON.stringify(await socket.emitWithAck(what)));
  socket.disconnect();
}

Promise.all(addresses.map(ask)).catch((error) => {
  console.error(error, error.context && error.context.responseText);
  process.exit(1);
});
