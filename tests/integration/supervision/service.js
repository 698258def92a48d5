// A service that does on request what goes wrong in real ones. It has no signal code of its own.
const cluster = require('cluster');
const http = require('http');
const { execSync, spawn } = require('child_process');

const kept = [];
const acts = {
  '/': () => {},
  '/loop': () => { for (;;); },
  '/atomics': () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0),
  '/exec': () => execSync('sleep 1000'),
  '/stop': () => process.kill(process.pid, 'SIGSTOP'),
  '/block': (url) => { const end = Date.now() + Number(url.searchParams.get('ms')); while (Date.now() < end); },
  '/leak': (url) => { kept.push(Buffer.alloc(Number(url.searchParams.get('mb')) << 20, 1)); },
  '/close': () => server.close(),
  '/disconnect': () => cluster.worker.disconnect(),
  '/kill': () => cluster.worker.kill(),
  '/say': (url) => process.send(JSON.parse(url.searchParams.get('message'))),
  // From now on each turn of the loop takes so long.
  '/slow-loop': (url) => {
    const ms = Number(url.searchParams.get('ms'));
    setInterval(() => { const end = Date.now() + ms; while (Date.now() < end); }, ms / 20);
  },
  '/exit': (url) => process.exit(Number(url.searchParams.get('code'))),
  // One that leaves the worker's group and session, and does not care for SIGTERM.
  '/daemon': () => spawn('sh', ['-c', 'trap "" TERM; while :; do sleep 0.05; done'],
    { detached: true, stdio: 'ignore' }).unref(),
};

const server = http.createServer((request, response) => {
  const url = new URL(request.url, 'http://localhost');
  if (url.pathname === '/slow') {
    setTimeout(() => response.end('done'), Number(url.searchParams.get('ms')));
    return;
  }
  acts[url.pathname](url);
  response.end(JSON.stringify({
    pid: process.pid, slot: process.env.NODE_APP_INSTANCE, cwd: process.cwd(), umask: process.umask(),
    uid: process.getuid(), gid: process.getgid(), groups: process.getgroups(), env: process.env,
  }));
});
server.listen(Number(process.env.PORT));
