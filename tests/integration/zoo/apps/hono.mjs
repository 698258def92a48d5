import { serve } from '@hono/node-server';
import { Hono } from 'hono';
const server = serve({ fetch: new Hono().get('/', (c) => c.text('hello')).fetch, port: +process.env.PORT });
process.on('SIGTERM', () => server.close(() => process.exit(0)));
