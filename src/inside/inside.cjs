// The module inside: what nodeinit has node load before the program (`--require`), in each worker.
//
// It takes its own traces away before the program's first line, lets an idle program end by its empty loop in every
// slot, counts accepted connections and, when somebody wants to know, requests (requests.cjs), and, when nodeinit asks
// the worker to retire, tells when nothing is in flight any more, so that the program's own shutdown can run undisturbed.
// Until then it does nothing but count.
//
// Rules: builtin modules that a cluster worker has loaded anyway, and nothing else (a permission model would refuse
// more, agents want to be the first to load http); never throw; syntax that the oldest Node understands.
'use strict';
(() => {
  // ---- Leave no trace. nodeinit's options stand first in argv, and this file is the last of them.
  const own = process.execArgv.indexOf(__filename);
  if (own >= 0) process.execArgv.splice(0, own + 1);
  delete require.cache[__filename];
  try {
    // Another array: node walks over the old one, and loads what the user's -r names.
    const value = process._preload_modules.filter((name) => name !== __filename);
    Object.defineProperty(process, '_preload_modules', { value });
  } catch (_) {
    // a Node without it
  }

  // Threads load it, too, and so may children that inherit options: only a worker has this channel, and below a command
  // that is run as it is (where no worker has the name) a child of somebody else.
  const adoptBy = process.env.NODEINIT_ADOPT_BY;
  if (process.channel && process.send && !adoptBy) return work();
  if (adoptBy && require('worker_threads').isMainThread) waitToListen();

  // ---- Below a command that is run as it is (NODEINIT_ADOPT): this process may be the program, or one of its wrappers.
  // It sleeps until somebody listens on a TCP port; then nodeinit is asked, by a messenger that it has started for that,
  // and given one end of a channel, as a parent gives it to a child. From there on this is a worker of a cluster.
  function waitToListen() {
    let argv;
    let directory;
    try {
      // As it was started: process.title changes what stands there.
      argv = require('fs').readFileSync('/proc/self/cmdline', 'latin1').split('\0').slice(0, -1);
      directory = process.cwd();
    } catch (_) {
      return;
    }
    const net = require('net');
    const listen = net.Server.prototype.listen;
    const asked = {
      listen(...words) {
        if (isTcp(words[0])) {
          if (net.Server.prototype.listen === asked) net.Server.prototype.listen = listen;
          if (!asked.done) {
            asked.done = true;
            become(argv, directory);
          }
        }
        return Reflect.apply(listen, this, words);
      },
    }.listen;
    net.Server.prototype.listen = asked;
  }

  // As lib/net.js reads the words of listen(); a server of its own (`exclusive`, `reusePort`) shares nothing.
  function isTcp(first) {
    if (typeof first === 'string') return first !== '' && !isNaN(first);
    if (first === null || typeof first !== 'object') return true;
    return first.port !== undefined && !first.path && first.fd === undefined && !first.exclusive && !first.reusePort;
  }

  function become(argv, directory) {
    const processes = require('child_process');
    const colon = adoptBy.indexOf(':');
    const messenger = adoptBy.slice(colon + 1);
    const words = ['ctl', 'adopt', adoptBy.slice(0, colon)];
    // Children of the program are none of nodeinit's business.
    delete process.env.NODEINIT_ADOPT_BY;
    const ours = `--require=${__filename}`;
    const options = (process.env.NODE_OPTIONS || '').replace(` ${ours}`, '').replace(ours, '').trim();
    if (options) process.env.NODE_OPTIONS = options;
    else delete process.env.NODE_OPTIONS;
    const env = Object.assign({}, process.env);
    delete env.NODE_CHANNEL_FD;
    try {
      const ask = (...more) =>
        processes.spawnSync(messenger, words.concat(more), { env, stdio: ['ignore', 'pipe', 'ignore'], timeout: 3000 });
      if (process._eval !== undefined || process.argv[1] === undefined || process.argv[1] === '-') {
        ask('cannot', 'it runs no file that siblings could run, too; put the program into a file');
        return;
      }
      if (process.channel) {
        const of = require('cluster').isWorker ? "the program's own cluster" : 'what has started it (nodemon, pm2, fork)';
        ask('cannot', `it is a child of ${of}, with a channel to it; let the command start node itself`);
        return;
      }
      const answer = /^yes (\d+)/.exec(String(ask('ask').stdout));
      if (!answer) return;
      process.env.NODE_UNIQUE_ID = answer[1]; // what lib/cluster.js decides by
      const cluster = require('cluster');
      if (!cluster.isWorker) {
        delete process.env.NODE_UNIQUE_ID;
        ask('cannot', 'it has loaded `cluster` before it listens, as a primary of its own; leave that out, or make the command `node FILE`');
        return;
      }
      const child = processes.spawn(messenger, words.concat(['take', directory], argv), {
        env,
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      });
      child.on('error', lost);
      child.on('exit', (code) => code !== 0 && lost());
      child.unref();
      // The process's end of the channel, in the place where a forked process has it (lib/internal/child_process.js).
      process.channel = child.channel;
      process.connected = true;
      process.send = function send(...message) {
        return child.send(...message);
      };
      process._send = (...message) => child._send(...message);
      process.disconnect = function disconnect() {
        child.disconnect();
      };
      child.on('internalMessage', (...message) => process.emit('internalMessage', ...message));
      child.on('message', (...message) => process.emit('message', ...message));
      child.on('disconnect', () => {
        process.connected = false;
        process.channel = null;
        process.emit('disconnect');
      });
      cluster._setupWorker(); // takes NODE_UNIQUE_ID
      delete process.env.NODE_UNIQUE_ID;
      work();
    } catch (error) {
      delete process.env.NODE_UNIQUE_ID;
    }
  }

  // It was promised a channel, and its first listen waits for an answer that will not come.
  function lost() {
    process.nextTick(() => {
      throw new Error('nodeinit has not taken the channel that it promised to take');
    });
  }

  function work() {
    const channel = process.channel;
    const cluster = require('cluster');
    const getServer = cluster._getServer;
    if (!cluster.isWorker || !getServer) return;
    let subscribe = null; // diagnostics_channel's own, whatever the program makes of it
    try {
      subscribe = require('diagnostics_channel').subscribe || null;
    } catch (_) {
      // Node before 14.17: no counts, no retirement; nodeinit hears 'cannot'.
    }

    const CONNECTIONS = 'NODE_NODEINIT_CONNECTIONS';
    const RETIRE = 'NODE_NODEINIT_RETIRE';
    const PRIMARY = 'NODE_NODEINIT_PRIMARY';
    const send = process.send;
    const tell = (message) => {
      if (process.connected) send.call(process, message, undefined, undefined, () => {});
    };

    // ---- The channel. Node's cluster holds it open for ever (child.js: process.once('disconnect')), so that a program
    // whose loop is empty would not end. Held while a listen is under way, and nothing else.
    channel.unref();
    const servers = new Set();
    cluster._getServer = function (server, options, callback) {
      channel.ref();
      if (server && typeof server.getConnections === 'function') servers.add(server);
      return getServer.call(this, server, options, function () {
        channel.unref();
        if (process.listenerCount('SIGUSR1') > 0) tellCount(false); // its own: `ctl stack` sends none
        return callback.apply(this, arguments);
      });
    };

    // ---- A program with a cluster of its own: its primary's code cannot run here, which is worth a line. Packages that
    // ask (prom-client) are answered in silence.
    const foreign = /[\\/]node_modules[\\/]|^node:|^internal|\(node:|\(internal/;
    for (const name of ['isPrimary', 'isMaster']) {
      const before = Object.getOwnPropertyDescriptor(cluster, name);
      if (!before || !before.configurable || before.value !== false) continue;
      Object.defineProperty(cluster, name, {
        configurable: true,
        enumerable: before.enumerable,
        set(value) {
          Object.defineProperty(cluster, name, Object.assign(before, { value }));
        },
        get() {
          const line = String(new Error().stack).split('\n')[2] || '';
          if (!foreign.test(line) && /[\\/]/.test(line)) {
            Object.defineProperty(cluster, name, before);
            tell({ cmd: PRIMARY, where: line.trim().replace(/^at /, '').slice(0, 300) });
          }
          return false;
        },
      });
    }

    // ---- Counting accepted connections, and requests once nodeinit has asked for them.
    let accepted = 0;
    let toldCount = false;
    if (subscribe) {
      subscribe('net.server.socket', () => {
        accepted++;
      });
    }
    const counted = countRequests(subscribe, servers, () => tellCount(false));
    // Node's own listener passes messages on to cluster.worker. Without another one nobody would answer to prom-client's
    // question.
    const ownListeners = process.listenerCount('message');
    const tellCount = (asked) => {
      const hears =
        process.listenerCount('message') > ownListeners ||
        (cluster.worker !== undefined && cluster.worker.listenerCount('message') > 0);
      const usr1 = process.listenerCount('SIGUSR1') > 0;
      tell(Object.assign({ cmd: CONNECTIONS, count: accepted, asked, hears, usr1 }, counted.figures()));
    };

    setTimeout(() => process.listenerCount('SIGUSR1') > 0 && tellCount(false), 1000).unref(); // who never listens
    // ---- Retirement.
    const symbolOf = (object, description) =>
      Object.getOwnPropertySymbols(object).find((symbol) => symbol.description === description);
    // The connections of a server of HTTP/1, by what it keeps of them for its own time-outs (lib/_http_server.js,
    // kConnections; Node 18 and newer). Null: it is no such server.
    const httpConnections = (server) => {
      const symbol = symbolOf(server, 'http.server.connections');
      const list = symbol && server[symbol];
      return list && typeof list.all === 'function' ? list : null;
    };
    const isStream = (response) =>
      typeof response._header === 'string' && /^content-type: *text\/event-stream/im.test(response._header);

    let wanted = null; // the latest request to retire
    let retired = null; // since when, in ms
    let started = 0; // requests since then
    let lastStart = 0; // when the latest of them began, in ms
    let hold = null; // keeps the loop alive in place of the handles that were closed below their servers
    const closed = new Set(); // servers whose listening handle was closed below them
    let finished = false; // the signal was given, or nodeinit was told to go on
    let looking = false;
    let answered = false; // only idle connections are left, and nodeinit knows
    const PAUSE = 250; // a kept-alive connection without a request for so long may be closed in a stop
    const FRESH = 1000; // a connection that has said nothing for so long asks nothing

    // How many requests are in flight, streams open, and kept-alive connections idle.
    const look = () => {
      const seen = { requests: 0, streams: 0, idle: 0 };
      const young = Date.now() - retired < FRESH;
      for (const server of servers) {
        const connections = httpConnections(server);
        if (!connections) {
          seen[wanted.late ? 'streams' : 'requests'] += server._connections || 0;
          continue;
        }
        const all = connections.all();
        const reading = new Set(connections.active());
        for (const parser of all) {
          const socket = parser.socket;
          const response = socket && socket._httpMessage;
          if (response && !response.finished && isStream(response)) seen.streams++;
          else if (response && !response.writableFinished) seen.requests++;
          else if (!socket || socket.bytesRead === 0) seen.requests += young ? 1 : 0; // it may be about to ask
          else if (reading.has(parser)) seen.requests++;
          else seen.idle++;
        }
        seen.streams += Math.max((server._connections || 0) - all.length, 0); // upgraded ones
      }
      return seen;
    };

    // The last answer of a connection says `Connection: close`. An answer that another one waits behind must not.
    const mark = (response, socket) => {
      const before = socket && socket._httpMessage;
      if (before && before !== response && !before.headersSent) before.shouldKeepAlive = true;
      response.shouldKeepAlive = false;
    };
    const onStart = (message) => {
      started++;
      lastStart = Date.now();
      mark(message.response, message.socket);
    };
    // A program may insist on keep-alive in its headers (proxies): such a connection ends with the answer.
    const onFinish = (message) => {
      const parser = message.socket && message.socket.parser;
      const more = parser && parser.incoming && !parser.incoming.complete;
      if (!more && message.response.shouldKeepAlive) message.response._last = true;
    };

    const handled = () => {
      if (process.listenerCount(wanted.signal) > 0) return wanted.signal;
      if (wanted.fixed) return null;
      const other = ['SIGTERM', 'SIGINT'].find((signal) => process.listenerCount(signal) > 0);
      return other || null;
    };
    const isOpen = (server) => server.listening || (server._handle != null && server._connections === undefined);
    // It has closed its servers unasked: it has had a signal from somebody else, and is on its way.
    const leavesByItself = () => servers.size > 0 && ![...servers].some(isOpen);

    const release = () => {
      if (hold && ![...servers].some((server) => server.listening && !server._unref)) {
        clearInterval(hold);
        hold = null;
      }
    };

    // The kernel is to give this worker nothing more, while in the program's eyes its servers stay open: the listening
    // handle goes, the server keeps it, with the address it had.
    const stopListening = () => {
      let any = false;
      for (const server of servers) {
        const handle = server._handle;
        if (!handle || typeof handle.close !== 'function' || closed.has(server) || !server.listening) continue;
        closed.add(server);
        any = true;
        const address = {};
        if (handle.getsockname && handle.getsockname(address) === 0) {
          handle.getsockname = (out) => (Object.assign(out, address), 0);
        }
        if (!hold) hold = setInterval(() => {}, 0x7fffffff);
        server.once('close', release);
        handle.close();
      }
      return any;
    };

    // HTTP/2: GOAWAY, and no new streams. A session without a stream so far is about to have its first.
    const closeSessions = () => {
      const young = Date.now() - retired < FRESH;
      for (const server of servers) {
        const symbol = typeof server.updateSettings === 'function' && symbolOf(server, 'sessions');
        for (const session of (symbol && server[symbol]) || []) {
          try {
            if (!young || session.state.lastProcStreamID > 0) session.close();
          } catch (_) {
            // it is closing
          }
        }
      }
    };

    // Where somebody else serves on, idle connections have the time that their server gives them, within reason.
    const LONGEST_IDLE = 75000;
    const idleUntil = () => {
      const times = [...servers].map((server) => server.keepAliveTimeout || 0);
      return Math.max(lastStart, retired) + Math.min(Math.max(0, ...times), LONGEST_IDLE) + 1000;
    };

    const report = (act, more) => tell(Object.assign({ cmd: RETIRE, act }, more));

    // Two turns of the loop without a new request, the last of them short: nothing lies unread, for a busy loop has long
    // turns. Only then is a count of nothing the truth.
    const whenCalm = (then) => {
      const before = started;
      setImmediate(() => {
        const began = process.hrtime();
        setImmediate(() => {
          const took = process.hrtime(began);
          const short = took[0] === 0 && took[1] < 5e6;
          then(started === before && short);
        });
      });
    };

    const closeIdle = () => {
      for (const server of servers) {
        const connections = httpConnections(server);
        for (const parser of connections ? connections.idle() : []) {
          const socket = parser.socket;
          if (socket && (!socket._httpMessage || socket._httpMessage.writableFinished)) socket.destroySoon();
        }
      }
    };

    const finish = (signal, seen) => {
      finished = true;
      if (!signal) return report('quiet', { open: seen.requests + seen.streams });
      report('signalled', { signal, open: seen.requests });
      process.kill(process.pid, signal);
      // A handler is no proof that the program ends: one that neither ends nor closes its servers is told to nodeinit.
      const after = () => {
        if (!process.connected || leavesByItself()) return;
        if (look().requests === 0) return report('serves on');
        setTimeout(after, 1000).unref();
      };
      setTimeout(after, 1000).unref();
    };

    const advance = () => {
      looking = false;
      if (finished) return;
      if (leavesByItself()) {
        finished = true;
        return report('leaves', { open: look().requests });
      }
      closeSessions(); // of those that came since, too
      const seen = look();
      const signal = handled();
      if (wanted.late && signal) return stopListening() && seen.requests === 0 ? again() : finish(signal, seen);
      const streams = signal || wanted.late ? 0 : seen.streams;
      if (seen.requests + streams > 0) return again();
      if (!wanted.stop && seen.idle > 0 && !wanted.late && Date.now() < idleUntil()) {
        if (!answered) report('answered');
        answered = true;
        return again(); // they end by their next answer, or by the server's keepAliveTimeout
      }
      looking = true;
      whenCalm((calm) => {
        looking = false;
        if (finished) return;
        const now = look();
        if (!calm || now.requests > 0) return advance();
        // Whoever waited to be accepted has been: a calm loop accepts all. Once more, for who came since.
        if (stopListening()) return again();
        // Clients that ask again and again hear with their next answer that the connection ends; to close it between two
        // requests would reset the one that is on its way.
        if (now.idle > 0 && !wanted.late && Date.now() - Math.max(lastStart, retired) < PAUSE) return again();
        if (wanted.stays) {
          if (!answered) report('answered');
          answered = true;
          return; // until nodeinit asks again
        }
        if (wanted.stop) closeIdle();
        finish(handled(), now);
      });
    };
    const again = () => {
      if (looking) return;
      looking = true;
      setTimeout(() => {
        looking = false;
        whenCalm(() => advance());
      }, 20);
    };

    const retire = (message) => {
      const first = wanted === null;
      wanted = {
        signal: String(message.signal),
        fixed: !!message.fixed,
        stop: !!message.stop,
        late: !!message.late,
        stays: !!message.stays,
      };
      if (!subscribe) return report('cannot');
      const list = [...servers];
      if (list.some((server) => typeof server.closeIdleConnections === 'function' && !httpConnections(server))) {
        return report('cannot'); // a Node whose servers we cannot look into
      }
      if (first) {
        retired = Date.now();
        process.channel.ref();
        subscribe('http.server.request.start', onStart);
        subscribe('http.server.response.finish', onFinish);
        for (const server of list) {
          const connections = httpConnections(server);
          for (const parser of connections ? connections.all() : []) {
            const response = parser.socket && parser.socket._httpMessage;
            if (response && !response.headersSent) response.shouldKeepAlive = false;
          }
        }
        closeSessions();
      }
      if (finished) return;
      report('retires', { signal: handled(), open: look().requests });
      // In a stop the accept queue is this worker's to empty: it listens until it has.
      if (first && !wanted.stop && !leavesByItself()) stopListening();
      if (first) process.channel.unref();
      if (!looking) whenCalm(() => advance());
    };

    process.prependListener('internalMessage', (message) => {
      if (!message) return;
      if (message.cmd === CONNECTIONS) {
        toldCount = true;
        if (message.requests) counted.begin();
        tellCount(true);
      } else if (message.cmd === RETIRE) {
        counted.leave();
        if (toldCount) tellCount(false);
        retire(message);
      } else if (message.cmd === 'NODE_CLUSTER' && message.act === 'disconnect') {
        counted.leave();
        if (toldCount) tellCount(false);
        disconnecting();
      }
    });

    // Node's own drain (`disconnect`, NODEINIT_STOP=drain). A server that closes ends its idle connections at once
    // (lib/_http_server.js closeIdleConnections, since 19), and a client whose next request is on its way sees a reset:
    // every answer says `Connection: close` in place of that, and what stays idle is ended 2 s later. This stands before
    // Node's own listener.
    const disconnecting = () => {
      for (const server of servers) {
        if (closed.has(server)) server.close(); // its handle is gone for Node's cluster, too
        const end = server.closeIdleConnections;
        if (typeof end !== 'function') continue;
        server.prependListener('request', (_, response) => {
          response.shouldKeepAlive = false;
        });
        server.closeIdleConnections = () => {};
        setTimeout(() => {
          end.call(server);
          setInterval(() => end.call(server), 100).unref();
        }, 2000).unref();
      }
    };
  }

  // insert requests.cjs
})();
