const { answer, cleanup, place } = require('./common.cjs');
const app = require('express')();
app.use(answer);
const server = app.listen(place.port, place.host);
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => {
    server.close(() => cleanup().then(() => process.exit(0)));
    setTimeout(() => process.exit(1), 6000).unref();
  });
}
