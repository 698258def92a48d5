// What every program here has: an answer after /N milliseconds, and a cleanup that takes a while and is seen.
exports.answer = (request, response) => setTimeout(() => response.end('ok'), +request.url.slice(1) || 0);
exports.cleanup = () => {
  console.log('cleanup begins');
  return new Promise((done) => setTimeout(() => { console.log('cleanup done'); done(); }, 150));
};
exports.place = { port: +process.env.PORT, host: '127.0.0.1' };
