// An ordinary express service: nothing in it knows of nodeinit.
const express = require('express');

const app = express();

app.get('/', (request, response) => {
  response.json({ pid: process.pid, slot: process.env.NODE_APP_INSTANCE, node: process.version });
});

// A request that takes its time, to see that a stop waits for it: /slow?ms=2000
app.get('/slow', (request, response) => {
  setTimeout(() => response.send('done\n'), Math.min(Number(request.query.ms || 2000), 60000));
});

app.listen(Number(process.env.PORT || 3000));
