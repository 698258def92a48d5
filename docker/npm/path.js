// Where the program for this platform is, to be copied into an image; undefined where there is none:
//
//   cp "$(node -p "require('nodeinit')")" /sbin/nodeinit
'use strict';

function find() {
  if (process.platform !== 'linux') return undefined;
  try {
    return require.resolve(`@nodeinit/linux-${process.arch}/nodeinit`);
  } catch {
    return undefined;
  }
}

module.exports = find();
