'use strict';
const server = require('http').createServer(require('./work').handler);
server.listen(0, () => console.log(`port ${server.address().port}`));
