'use strict';
require('http').createServer(require('./work').handler).listen('app.sock');
