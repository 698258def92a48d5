const { answer, cleanup, place } = require('./common.cjs');
import('exit-hook').then(({ asyncExitHook }) => {
  asyncExitHook(cleanup, { wait: 3000 });
  require('http').createServer(answer).listen(place);
});
