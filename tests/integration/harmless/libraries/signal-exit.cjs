const { answer, place } = require('./common.cjs');
const { onExit } = require('signal-exit');
onExit(() => { console.log('cleanup begins'); console.log('cleanup done'); });
require('http').createServer(answer).listen(place);
