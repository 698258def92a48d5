// steady_load.js PORT RATE SECONDS [close [PATH]]: sends RATE requests a second on a schedule, however long the answers take, and
// prints {"p50_ms", "p90_ms", "p95_ms", "p99_ms", "failed"}: times from the moment a request was due to the end of its
// answer. With `close` each request has a connection of its own.
'use strict';
const http = require('http');
const [port, rate, seconds] = process.argv.slice(2).map(Number);
const keepAlive = process.argv[5] !== 'close';
const path = process.argv[6] || '/';
const agent = new http.Agent({ keepAlive, maxSockets: keepAlive ? 64 : Infinity });
const times = [];
const total = Math.round(rate * seconds);
const begin = performance.now() + 50;
let sent = 0;
let open = 0;
let failed = 0;

function ended(due, ok) {
  if (ok) times.push(performance.now() - due);
  else failed++;
  if (--open === 0 && sent === total) report();
}

function send(due) {
  open++;
  http.get({ port, agent, path }, (answer) => {
    answer.resume();
    answer.on('end', () => ended(due, answer.statusCode === 200));
  }).on('error', () => ended(due, false));
}

function tick() {
  for (; sent < total && performance.now() >= begin + sent * 1000 / rate; sent++) send(begin + sent * 1000 / rate);
  if (sent < total) setTimeout(tick, 1);
}

function report() {
  times.sort((a, b) => a - b);
  const at = (part) => times[Math.min(times.length - 1, Math.floor(times.length * part))];
  console.log(JSON.stringify({ p50_ms: at(0.5), p90_ms: at(0.9), p95_ms: at(0.95), p99_ms: at(0.99), failed }));
  agent.destroy();
}

tick();
