import { Server } from '@hocuspocus/server';
await new Server({ port: +process.env.PORT, quiet: true }).listen();
