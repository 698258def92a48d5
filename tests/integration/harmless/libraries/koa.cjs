const { cleanup, place } = require('./common.cjs');
const app = new (require('koa'))();
app.use(async (ctx) => { await new Promise((done) => setTimeout(done, +ctx.path.slice(1) || 0)); ctx.body = 'ok'; });
const server = app.listen(place);
process.once('SIGTERM', async () => {
  await new Promise((done) => { server.close(done); server.closeIdleConnections?.(); });
  await cleanup();  // and the loop is empty
});
