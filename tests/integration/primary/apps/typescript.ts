import { createServer, type Server } from 'node:http';
import work from './work.js';

interface Settings { port: number }
const settings: Settings = { port: Number(process.env.PORT) };
const server: Server = createServer(work.handler);
server.listen(settings.port);
