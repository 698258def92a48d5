import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import work from './work.js';
const app = new Hono();
app.get('/api/who', (context) => context.json(work.who()));
app.get('/api/slow', async (context) => context.json(await work.slow()));
serve({ fetch: app.fetch, port: Number(process.env.PORT) });
