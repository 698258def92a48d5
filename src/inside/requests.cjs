// Part of the module inside, which has it in its place (CMakeLists.txt): the golden signals of a server, counted by
// Node's own diagnostics channels. Methods, status codes and times; nothing that a client or the program wrote.
//
// A connection keeps its requests that are under way, in a property that console.log() does not show: one listener and one object a
// connection, nothing a request but its time. Whatever is still there when it closes was given up.
//
// Not one of these functions throws: what a subscriber throws would be the program's uncaught exception.
function countRequests(subscribe, servers, tell) {
  const BOUNDS = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000]; // ms
  const MOST_SERIES = 100;
  const EVERY = 1000; // ms; so much is lost at most with a worker that is killed
  const OTHER = '_OTHER';
  const METHODS = [OTHER, 'GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT'];
  const numberOf = new Map(METHODS.map((method, index) => [method, index]));
  const underWay = Symbol('nodeinit.requests');
  const hrtime = process.hrtime;
  const series = new Map(); // 1000 × method + status
  let counting = false;
  let leaving = false;
  let told = 0; // when, in ms
  let active = 0;
  let aborted = 0;
  let latest = null; // mostly the same series as before
  let utilization; // eventLoopUtilization(); null: this Node has none

  const now = () => {
    const time = hrtime();
    return time[0] * 1e3 + time[1] / 1e6;
  };

  const seriesOf = (method, status) => {
    const number = status >= 100 && status <= 999 ? Math.trunc(status) : 0;
    let key = (numberOf.get(method) || 0) * 1000 + number;
    if (latest !== null && latest.key === key) return latest;
    let one = series.get(key);
    if (one === undefined) {
      if (series.size >= MOST_SERIES) {
        key = Math.trunc(number / 100); // of any method, by the class alone
        one = series.get(key);
      }
      if (one === undefined) {
        one = { key, sum: 0, counts: new Array(BOUNDS.length + 1).fill(0) };
        series.set(key, one);
      }
    }
    latest = one;
    return one;
  };

  const count = (method, status, time) => {
    const one = seriesOf(method, status);
    one.sum += time;
    let bucket = 0;
    while (bucket < BOUNDS.length && time > BOUNDS[bucket]) bucket++;
    one.counts[bucket]++;
  };

  // Unasked: now and then, and while the worker leaves with the last of those under way.
  const ended = (time) => {
    active--;
    if (time - told > EVERY || (leaving && active === 0)) {
      told = time;
      tell();
    }
  };

  function onClose() {
    const of = this[underWay];
    if (of === undefined || of.response === null) return;
    const given = 1 + (of.more === null ? 0 : of.more.length);
    of.response = of.more = null;
    aborted += given;
    active -= given - 1;
    ended(now());
  }

  const connection = (socket) => {
    const of = { response: null, since: 0, more: null };
    Object.defineProperty(socket, underWay, { value: of });
    socket.on('close', onClose);
    return of;
  };

  const onStart = (message) => {
    try {
      const socket = message.socket;
      const of = socket[underWay] || connection(socket);
      const since = now();
      if (of.response === null) {
        of.response = message.response;
        of.since = since;
      } else {
        // Pipelined.
        if (of.more === null) of.more = [];
        of.more.push({ response: message.response, since });
      }
      active++;
    } catch (_) {
      // no socket as we know it
    }
  };

  const onFinish = (message) => {
    try {
      const of = message.socket[underWay];
      if (of === undefined || of.response !== message.response) return; // it was given up, or began before us
      const since = of.since;
      of.response = null;
      if (of.more !== null) {
        const next = of.more.shift();
        of.response = next.response;
        of.since = next.since;
        if (of.more.length === 0) of.more = null;
      }
      const time = now();
      count(message.request.method, message.response.statusCode, time - since);
      ended(time);
    } catch (_) {
      // no socket as we know it
    }
  };

  const onStream = (message) => {
    try {
      const stream = message.stream;
      if (stream.id % 2 === 0) return; // a push
      const since = now();
      active++;
      stream.once('close', () => {
        const time = now();
        const headers = stream.sentHeaders;
        const status = headers && headers[':status'];
        if (stream.aborted || !status) aborted++;
        else count(message.headers[':method'], status, time - since);
        ended(time);
      });
    } catch (_) {
      // no stream as we know it
    }
  };

  // Connections that are no longer HTTP: those that a server of HTTP/1 has without a parser (Node 18 and newer).
  const upgrades = () => {
    let open = 0;
    for (const server of servers) {
      const symbol = Object.getOwnPropertySymbols(server).find((own) => own.description === 'http.server.connections');
      const list = symbol && server[symbol];
      if (!list || typeof list.all !== 'function') continue;
      open += Math.max((server._connections || 0) - list.all().length, 0);
    }
    return open;
  };

  const loop = () => {
    try {
      if (utilization === undefined) utilization = require('perf_hooks').performance.eventLoopUtilization || null;
      const times = utilization && utilization();
      return times ? { idle: times.idle, active: times.active } : undefined;
    } catch (_) {
      return undefined;
    }
  };

  const requests = () => {
    const all = [];
    for (const one of series.values()) {
      all.push([METHODS[Math.trunc(one.key / 1000)], one.key % 1000, Math.round(one.sum * 1e3) / 1e3].concat(one.counts));
    }
    return { active, aborted, upgrades: upgrades(), series: all };
  };

  return {
    begin() {
      if (counting || !subscribe) return;
      counting = true;
      subscribe('http.server.request.start', onStart);
      subscribe('http.server.response.finish', onFinish);
      subscribe('http2.server.stream.start', onStream);
    },
    leave() {
      leaving = counting;
    },
    figures() {
      if (!counting) return undefined;
      try {
        told = now();
        return { loop: loop(), requests: requests() };
      } catch (_) {
        return undefined; // servers that are not as we know them
      }
    },
  };
}
