// What a careful hand writes with Node's own cluster module: N workers, those that die are replaced, SIGHUP replaces
// them one by one, each only when its successor listens, within a deadline. The service beside it is named by argv[2].
const cluster = require('cluster');

cluster.setupPrimary({ exec: process.argv[2] });
const count = Number(process.env.WORKERS);
let reloading = false;

cluster.on('exit', (worker) => {
  if (!worker.replaced) cluster.fork();
});

process.on('SIGHUP', async () => {
  if (reloading) return;
  reloading = true;
  for (const old of Object.values(cluster.workers)) {
    const next = cluster.fork();
    await new Promise((done) => {
      next.once('listening', done);
      next.once('exit', done);
    });
    if (next.isDead()) break;
    old.replaced = true;
    const gone = new Promise((done) => old.once('exit', done));
    old.disconnect();
    // Under load its kept-alive connections never rest, and it never ends by itself.
    const tooLong = setTimeout(() => old.process.kill('SIGTERM'), 3000);
    await gone;
    clearTimeout(tooLong);
  }
  reloading = false;
  console.log('reload ended');
});

for (let i = 0; i < count; i++) cluster.fork();
