'use strict';
const fs = require('fs');
const pair = { key: fs.readFileSync('key.pem'), cert: fs.readFileSync('cert.pem') };
require('https').createServer(pair, require('./work').handler).listen(process.env.PORT);
