import { feathers } from '@feathersjs/feathers';
import { koa, rest } from '@feathersjs/koa';
const app = koa(feathers());
app.configure(rest());
app.use('messages', { find: async () => [{ text: 'hello' }] });
await app.listen(+process.env.PORT);
console.log('feathers listens');
