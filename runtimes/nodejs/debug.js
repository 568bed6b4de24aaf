// What a worker does that is debugged.
'use strict';

const inspector = require('node:inspector');
const { Kind, ask, turnLoose, write } = require('./pipe.js');

/** Lets a debugger in, and says where. */
function open() {
  inspector.open(0, '127.0.0.1');
  const url = new URL(inspector.url());
  write(Kind.DEBUG, [Number(url.port)], url.pathname);
  turnLoose();
}

/** What is left of the running event's time, of which none passes at a breakpoint: the host knows. */
function timeLeft() {
  return ask(Kind.ASK_TIME, Kind.TIME).readUInt32LE(0);
}

module.exports = { open, timeLeft };
