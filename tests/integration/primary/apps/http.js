'use strict';
require('http').createServer(require('./work').handler).listen(process.env.PORT);
