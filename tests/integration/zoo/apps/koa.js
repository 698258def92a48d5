const Koa = require('koa').default || require('koa');
const app = new Koa();
app.use((context) => (context.body = 'hello'));
app.listen(+process.env.PORT, () => console.log('koa listens'));
