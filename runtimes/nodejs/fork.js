// What a worker does to become a template: a process that has loaded its function and is forked
// into slots. The forking is native (crates/fork); here is what only JavaScript can know: whether
// copies of this process would share what they must not, and what each copy has to have anew.
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const { syncBuiltinESMExports } = require('node:module');
const path = require('node:path');
const v8 = require('node:v8');
const vm = require('node:vm');

const CONTROL = 5;
const LIBUV_THREADS = 4;
/** How long what is read of files while loading may take, in rounds. */
const QUIET_ROUNDS = 100;
const QUIET_ROUND_MS = 10;
/** A character takes at most three bytes, and the native part takes 511. */
const TRACE_LENGTH_MAX = 170;

/** Where the native part is, if there is one. */
const folder = process.env.CUMULET_FORK;
/** Whether this worker is to be forked. */
const isTemplate = process.env.CUMULET_TEMPLATE !== undefined;
/** Undefined where it cannot be loaded. */
let native;
/** What was there before the function was loaded. */
let before;
/** How often the function drew random bytes while it was loaded. */
let draws = 0;

/** Takes a few milliseconds: to be called while nobody waits, and before the function is loaded. */
function install() {
  if (!folder) return;
  const module = { exports: {} };
  try {
    process.dlopen(module, path.join(folder, 'fork.so'));
    native = module.exports;
  } catch (error) {
    // Made for another C library. Whoever is not to be forked can do without.
    if (isTemplate) throw error;
  }
  if (!isTemplate) return;
  Math.random = seedable();
  watchDraws();
  before = look();
}

/** Waits for orders; returns in every slot, with what it was told. */
function serve() {
  const text = native.serve(CONTROL, path.join(folder, 'init'));
  const pid = Number(fs.readlinkSync('/proc/self'));
  Object.defineProperty(process, 'pid', { value: pid, enumerable: true, configurable: true });
  const told = JSON.parse(text);
  Math.random.seed(told.seed);
  return told;
}

/** Sets _X_AMZN_TRACE_ID. Where it can, without what C libraries keep of every value. */
function setTrace(text) {
  if (native && text.length <= TRACE_LENGTH_MAX) native.setTrace(text);
  else process.env._X_AMZN_TRACE_ID = text;
}

/** Collects garbage, so that slots share what is left and do not copy it to sweep it. */
function compact() {
  v8.setFlagsFromString('--expose-gc');
  vm.runInNewContext('gc')();
  v8.setFlagsFromString('--no-expose-gc');
}

/**
 * Calls back when what loading has begun is done, as reading its configuration is with many an SDK:
 * not before it had a turn, and not later than files take.
 */
function whenQuiet(done, rounds = QUIET_ROUNDS) {
  setImmediate(() => {
    const reads = process.getActiveResourcesInfo().some((name) => /^(FSReq|CloseReq)/.test(name));
    if (!reads || rounds === 0) return done();
    setTimeout(whenQuiet, QUIET_ROUND_MS, done, rounds - 1);
  });
}

/** Why this process cannot be a template; undefined if it can. */
function unfit() {
  const now = look();
  const fresh = (kind) => now[kind].filter((one) => !before[kind].includes(one));
  const [resource] = fresh('resources');
  if (resource) return `loading it left something active: ${resource}`;
  if (fresh('sockets').length) return 'loading it left a socket open';
  const [unknown] = fresh('unknown');
  if (unknown) return `loading it left something open that cannot be copied: ${unknown}`;
  if (fresh('others').length) return 'loading it left a child process';
  if (now.threads > before.threads + LIBUV_THREADS) return 'loading it left threads';
  if (fresh('files').length) return 'loading it left files in /tmp';
  if (draws > 0) return 'loading it drew random bytes, which all copies would share';
  return undefined;
}

function look() {
  const links = fs.readdirSync('/proc/self/fd').map((fd) => {
    try {
      return fs.readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return ''; // the folder itself, closed by now
    }
  });
  const known = ['anon_inode:[eventfd]', 'anon_inode:[eventpoll]'];
  const tasks = fs.readdirSync('/proc/self/task');
  const ours = { 1: true, [fs.readlinkSync('/proc/self')]: true };
  return {
    resources: process.getActiveResourcesInfo(),
    sockets: links.filter((link) => link.startsWith('socket:')),
    unknown: links.filter((link) => link.startsWith('anon_inode:') && !known.includes(link)),
    // But for us and the first process of the sandbox, whoever is there was started by us.
    others: fs.readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name) && !(name in ours)),
    threads: tasks.length,
    files: fs.readdirSync('/tmp'),
  };
}

/**
 * A `Math.random` that can be seeded again, which the engine's cannot: copies of a process would
 * all go on with the same numbers. xoshiro128**, with 53 bits of two draws.
 */
function seedable() {
  const state = new Uint32Array(4);
  const draw = () => {
    const five = Math.imul(state[1], 5);
    const result = Math.imul((five << 7) | (five >>> 25), 9);
    const shifted = state[1] << 9;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = (state[3] << 11) | (state[3] >>> 21);
    return result >>> 0;
  };
  const random = { random: () => ((draw() >>> 5) * 0x4000000 + (draw() >>> 6)) / 0x20000000000000 };
  const seed = (words) => {
    state.set(words);
    if (state.every((word) => word === 0)) state[0] = 1;
  };
  Object.defineProperty(random.random, 'seed', { value: seed });
  seed(crypto.randomFillSync(new Uint32Array(4)));
  return random.random;
}

/** Counts draws of random bytes, whichever way a library takes. */
function watchDraws() {
  const wrap = (object, names) => {
    for (const name of names) {
      const original = object[name];
      const found = Object.getOwnPropertyDescriptor(object, name);
      // What cannot be replaced leads to something that can.
      if (typeof original !== 'function' || !found?.configurable) continue;
      const wrapped = function (...args) {
        draws++;
        return Reflect.apply(original, this, args);
      };
      Object.defineProperties(wrapped, Object.getOwnPropertyDescriptors(original));
      Object.defineProperty(object, name, { value: wrapped, writable: true, configurable: true });
    }
  };
  const names = ['randomBytes', 'randomFill', 'randomFillSync', 'randomInt', 'randomUUID'];
  wrap(crypto, [...names, 'getRandomValues', 'pseudoRandomBytes', 'generateKeyPairSync']);
  wrap(Object.getPrototypeOf(crypto.webcrypto), ['getRandomValues', 'randomUUID']);
  syncBuiltinESMExports();
}

module.exports = { compact, install, serve, setTrace, unfit, whenQuiet };
