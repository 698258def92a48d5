'use strict';
const http = require('http');
const { handler } = require('./work');
http.createServer(handler).listen(process.env.PORT);
http.createServer(handler).listen(process.env.SECOND_PORT, '127.0.0.1');
