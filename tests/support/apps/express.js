// An ordinary express service.
const express = require('express');
const cluster = require('cluster');

const app = express();
app.get('/', (request, response) => {
  response.json({ app: 'express', pid: process.pid, worker: cluster.worker ? cluster.worker.id : 0,
    slot: process.env.NODE_APP_INSTANCE });
});
app.get('/slow', (request, response) => {
  setTimeout(() => response.send('done'), Number(request.query.ms || 2000));
});
app.get('/exit', (request) => process.exit(Number(request.query.code || 1)));

app.listen(Number(process.env.PORT || 3000), process.env.HOST, () => console.log('listening'));
