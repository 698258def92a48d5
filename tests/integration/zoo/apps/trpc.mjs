import { initTRPC } from '@trpc/server';
import { createHTTPServer } from '@trpc/server/adapters/standalone';
const t = initTRPC.create();
createHTTPServer({ router: t.router({ hello: t.procedure.query(() => 'world') }) }).listen(+process.env.PORT);
