const { answer, cleanup, place } = require('./common.cjs');
require('async-exit-hook')((done) => cleanup().then(done));
require('http').createServer(answer).listen(place);
