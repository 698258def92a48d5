import { createServer } from 'node:http';
import work from './work.js';
const { PORT } = await Promise.resolve(process.env);
createServer(work.handler).listen(PORT);
