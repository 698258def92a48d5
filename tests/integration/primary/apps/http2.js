'use strict';
const http2 = require('http2');
http2.createServer(require('./work').handler).listen(process.env.PORT);
