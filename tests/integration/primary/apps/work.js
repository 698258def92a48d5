// What every application of the matrix answers: who it is, and at /api/slow only when the test opens the gate.
'use strict';
const fs = require('fs');
const { GATE } = process.env;

exports.who = () => ({ pid: process.pid, node: process.versions.node });

exports.slow = () => new Promise((done) => {
  fs.writeFileSync(`${GATE}.reached`, '');
  const timer = setInterval(() => {
    if (!fs.existsSync(GATE)) return;
    clearInterval(timer);
    done(exports.who());
  }, 20);
});

// For the programs that have no framework.
exports.handler = async (request, response) => {
  const answer = request.url === '/api/slow' ? await exports.slow() : exports.who();
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify(answer));
};
