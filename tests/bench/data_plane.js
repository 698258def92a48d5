// The service of data_plane.py: answers with its pid; at /block it holds its event loop for 2 ms, one time in fifty for
// 100 ms. It sleeps meanwhile, so that a busy machine does not make it longer.
'use strict';
const cell = new Int32Array(new SharedArrayBuffer(4));
require('http').createServer((request, answer) => {
  if (request.url === '/block') Atomics.wait(cell, 0, 0, Math.random() < 0.02 ? 100 : 2);
  answer.end(String(process.pid));
}).listen({ port: Number(process.env.PORT), reusePort: Boolean(process.env.REUSE_PORT) });
