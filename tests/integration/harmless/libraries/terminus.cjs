const { answer, cleanup, place } = require('./common.cjs');
const server = require('http').createServer(answer);
require('@godaddy/terminus').createTerminus(server, { signal: 'SIGTERM', timeout: 5000, onSignal: cleanup });
server.listen(place);
