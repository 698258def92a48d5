// Listens in every way, and says what came of each on one line: "<name> <port, mode or error>".
const http = require('http'), dgram = require('dgram'), fs = require('fs');
const say = (name, what) => console.log(`${name} ${what}`);
const listen = (name, ...how) => {
  const server = http.createServer((request, response) => response.end(String(process.pid)));
  server.on('error', (error) => say(name, error.message));
  server.listen(...how, () => {
    const address = server.address();
    // The x bits mean nothing on a socket; libuv sets them up to Node 20 and clears them from 22 on.
    say(name, address.port || (fs.statSync(address).mode & 0o666).toString(8));
  });
};
listen('any', 0);
listen('any-again', 0);
listen('v4', 0, '127.0.0.1');
listen('v6', 0, '::1');
listen('v6only', { port: 0, host: '::', ipv6Only: true });
listen('backlog', { port: 0, host: '127.0.0.1', backlog: 5 });
listen('path', { path: process.env.SOCKET_PATH, readableAll: true, writableAll: true });
const udp = dgram.createSocket('udp4');
udp.on('message', (message, from) => udp.send(String(process.pid), from.port, from.address));
udp.bind(0, '127.0.0.1', () => say('udp', udp.address().port));
listen('not-ours', 1, '192.0.2.1');
listen('no-folder', '/nonexistent/x.sock');
listen('no-descriptor', { fd: 99 });
listen('in-use', Number(process.env.BUSY));
