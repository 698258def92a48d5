// The same service as server.js without a dependency, for where there is no npm.
const http = require('node:http');

const server = http.createServer((request, response) => {
  const url = new URL(request.url, 'http://localhost');
  if (url.pathname === '/slow') {
    setTimeout(() => response.end('done\n'), Math.min(Number(url.searchParams.get('ms') || 2000), 60000));
  } else {
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify({ pid: process.pid, slot: process.env.NODE_APP_INSTANCE, node: process.version }));
  }
});

server.listen(Number(process.env.PORT || 3000));
