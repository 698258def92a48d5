import Koa from 'koa';
import work from './work.js';
const app = new Koa();
app.use(async (context) => {
  context.body = context.path === '/api/slow' ? await work.slow() : work.who();
});
app.listen(process.env.PORT);
