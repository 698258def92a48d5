// A service of Node's own http module: runs on every version of Node.
const cluster = require('cluster');
const http = require('http');

const server = http.createServer((request, response) => {
  const url = new URL(request.url, 'http://localhost');
  if (url.pathname === '/slow') {
    setTimeout(() => response.end('done'), Number(url.searchParams.get('ms') || 2000));
  } else if (url.pathname === '/exit') {
    process.exit(Number(url.searchParams.get('code') || 1));
  } else {
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify({ app: 'http', pid: process.pid,
      worker: cluster.worker ? cluster.worker.id : 0, slot: process.env.NODE_APP_INSTANCE }));
  }
});
server.listen(Number(process.env.PORT || 3000), process.env.HOST, () => console.log('listening'));
