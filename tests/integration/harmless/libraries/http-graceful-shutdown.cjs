const { answer, cleanup, place } = require('./common.cjs');
const library = require('http-graceful-shutdown');
const server = require('http').createServer(answer).listen(place);
(library.default ?? library)(server, { signals: 'SIGINT SIGTERM', timeout: 5000, onShutdown: cleanup });
