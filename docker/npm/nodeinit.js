#!/usr/bin/env node
// The command `nodeinit` where the program itself could not take that name: on macOS and Windows, which have no
// containers of their own, it runs the command bare; on Linux (pnpm, yarn, `npm install --global`) it gives its place
// to the program of the platform's package.
'use strict';

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const program = require('./path.js');

const kUsage = 64;
const words = process.argv.slice(2);

function leave(code, text) {
  process.stderr.write(`nodeinit: ${text}\n`);
  process.exit(code);
}

// The file that a shell would start, or undefined. On Windows a name has one of PATHEXT's endings.
function found(name) {
  const windows = process.platform === 'win32';
  const endings = windows ? ['', ...(process.env.PATHEXT || '.EXE;.CMD;.BAT').split(';')] : [''];
  const folders = /[\\/]/.test(name) ? [''] : (process.env.PATH || '').split(path.delimiter);
  for (const folder of folders) {
    for (const ending of endings) {
      const file = path.resolve(folder, name + ending);
      try {
        fs.accessSync(file, windows ? fs.constants.F_OK : fs.constants.X_OK);
        if (fs.statSync(file).isFile()) return file;
      } catch {}
    }
  }
  return undefined;
}

// Where process.execve is there (Node 22.15, 23.11, 24) this process becomes the command, with its pid, signals and
// terminal. Elsewhere it stays, passes signals on, and ends as the command did.
function become(file, argv, warning) {
  // Not by worker threads, nor on Windows: execve throws there, and the child is started.
  if (process.platform !== 'win32' && typeof process.execve === 'function') {
    try {
      process.execve(file, argv, process.env);
    } catch (error) {
      if (error.code && error.code !== 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM') throw error;
    }
  }
  if (warning) process.stderr.write(`nodeinit: ${warning}\n`);
  const script = process.platform === 'win32' && /\.(cmd|bat)$/i.test(file);
  const quoted = (word) => (/[\s&|<>^"()]/.test(word) ? `"${word.replace(/"/g, '""')}"` : word);
  const child = script
    ? spawn([file, ...argv.slice(1)].map(quoted).join(' '), { stdio: 'inherit', shell: true })
    : spawn(file, argv.slice(1), { argv0: argv[0], stdio: 'inherit' });
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'];
  for (const signal of signals) {
    try {
      // The terminal's Ctrl-C has reached the child by itself; a second one would be a quick stop.
      process.on(signal, () => (signal === 'SIGINT' && process.stdin.isTTY) || child.kill(signal));
    } catch {}
  }
  child.on('error', (error) => leave(error.code === 'ENOENT' ? 127 : 126, `error: cannot execute ${file}: ${error.message}`));
  child.on('exit', (code, signal) => {
    if (!signal) process.exit(code);
    for (const each of signals) process.removeAllListeners(each);
    process.kill(process.pid, signal);
  });
}

// The command among the words: what follows nodeinit's own options, each with its value. undefined: none.
function commandOf(words) {
  const alone = ['--explain', '--json', '--print-config', '--check', '--version', '--help'];
  let at = 0;
  while (at < words.length && words[at].startsWith('-')) {
    if (words[at] === '--') return words.slice(at + 1);
    at += alone.includes(words[at]) || words[at].includes('=') ? 1 : 2;
  }
  return words.slice(at);
}

if (program) {
  become(program, [program, ...words],
    'this Node cannot give its place away and stays in front; as an ENTRYPOINT copy the program: ' +
    'cp "$(node -p "require(\'nodeinit\')")" /sbin/nodeinit');
} else if (process.platform === 'linux') {
  leave(kUsage, `no package of nodeinit for ${process.platform}-${process.arch} is installed; ` +
    'was npm told --omit=optional, or does the lock file come from another platform? (npm install nodeinit)');
} else {
  const command = commandOf(words);
  if (words[0] === '--version') {
    process.stdout.write(`nodeinit ${require('./package.json').version} (${process.platform}: commands run bare)\n`);
  } else if (command.length === 0 || words[0] === 'ctl' || words.some((word) => word === '--explain')) {
    leave(kUsage, `${process.platform} has no nodeinit, only commands run here, bare: nodeinit node server.js`);
  } else {
    const file = command[0] === 'node' ? process.execPath : found(command[0]);
    if (!file) leave(127, `error: cannot execute ${command[0]}: not found in PATH`);
    process.stderr.write(`nodeinit: ${process.platform} is not Linux: the command runs bare, as one process\n`);
    become(file, command);
  }
}
