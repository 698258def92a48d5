// What the subscribers of src/inside/requests.cjs cost a request by themselves: the best of many short turns, which
// others on the machine disturb least. Nothing is sent: kept-alive connections, an object for each message as Node makes.
'use strict';
const channels = require('diagnostics_channel');
const events = require('events');
const fs = require('fs');
const path = require('path');

const text = fs.readFileSync(path.join(__dirname, '../../src/inside/requests.cjs'), 'utf8');
const countRequests = new Function('require', `${text}; return countRequests;`)(require);
const START = 'http.server.request.start';
const FINISH = 'http.server.response.finish';
let seen = 0;
const counting = [];
countRequests((name, subscriber) => counting.push([name, subscriber]), new Set(), () => {}).begin();
const ways = { nobody: [], empty: [[START, () => seen++], [FINISH, () => seen++]], counting }; // prettier-ignore

const start = channels.channel(START);
const finish = channels.channel(FINISH);
const sockets = Array.from({ length: 32 }, () => new events.EventEmitter());
const server = {};
const one = (number) => {
  const message = [{ method: 'GET' }, { statusCode: 200 }, sockets[number & 31]];
  const [request, response, socket] = message;
  if (start.hasSubscribers) start.publish({ request, response, socket, server });
  if (finish.hasSubscribers) finish.publish({ request, response, socket, server });
  return request;
};
const best = {};
for (let round = 0; round < 400; round++) {
  for (const [way, subscribers] of Object.entries(ways)) {
    for (const [name, subscriber] of subscribers) channels.subscribe(name, subscriber);
    for (let i = 0; i < 200; i++) one(i);
    const began = process.hrtime.bigint();
    for (let i = 0; i < 2000; i++) seen += one(i).method.length;
    const took = Number(process.hrtime.bigint() - began) / 2000;
    if (round > 20) best[way] = Math.min(best[way] || Infinity, took);
    for (const [name, subscriber] of subscribers) channels.unsubscribe(name, subscriber);
  }
}
const over = (way) => (best[way] - best.nobody).toFixed(0);
console.log(`${process.version}: empty subscribers ${over('empty')} ns a request, counting ${over('counting')} ns`);
