// Probes where Node is the point: its functions are forked from a template.
'use strict';

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');

/** Runs probes in Python: Node has no system calls of its own. */
function python(probe, event) {
  const code = 'import json, sys, probe; print(json.dumps(probe.handler(json.load(sys.stdin), None)))';
  const done = spawnSync('/usr/bin/python3', ['-c', code], {
    cwd: __dirname,
    input: JSON.stringify({ ...event, probe }),
    encoding: 'utf8',
    // The fifth is the template's, while there is one.
    stdio: ['pipe', 'pipe', 'pipe', 'ignore', 'ignore', fs.existsSync('/proc/self/fd/5') ? 5 : 'ignore'],
  });
  if (done.status !== 0) return { escaped: false, detail: `${done.signal} ${done.stderr}` };
  return JSON.parse(done.stdout);
}

const probes = {
  /** A probe in Python, from within a slot. */
  python: (event) => python(event.inner, event),

  /** What was tried while the template was made, when nobody was asked for a slot. */
  whileLoading: () => loaded ?? { escaped: false, detail: 'nothing was tried' },

  descriptors: () => {
    const links = fs.readdirSync('/proc/self/fd').map((fd) => {
      try { return `${fd} ${fs.readlinkSync(`/proc/self/fd/${fd}`)}`; } catch { return ''; }
    });
    // Ours are the pipes; a socket would lead to the launcher.
    const escaped = links.some((link) => link.includes('socket:'));
    return { escaped, detail: links.join(', ') };
  },

  orders: () => {
    try {
      return { escaped: fs.writeSync(5, 'x'.repeat(64)) > 0, detail: 'written' };
    } catch (error) {
      return { escaped: false, detail: error.code };
    }
  },

  addon: () => {
    const place = `${process.env.CUMULET_FORK ?? '/var/fork'}/fork.so`;
    try {
      const module = { exports: {} };
      process.dlopen(module, place);
      const pair = fs.openSync('/dev/null', 'r');
      const served = module.exports.serve(pair, '/bin/true');
      return { escaped: true, detail: String(served) };
    } catch (error) {
      return { escaped: false, detail: String(error) };
    }
  },

  inspector: (event) => {
    // Whoever can signal a process can have it open a debugger.
    const { process: pid, server, launcher } = event.world;
    const tried = [pid, server, launcher].map((pid) => {
      try { return process.kill(pid, 0); } catch (error) { return error.code; }
    });
    return { escaped: tried.includes(true), detail: tried.join(', ') };
  },

  memory: () => {
    const held = [];
    for (let i = 0; i < 6; i++) held.push(Buffer.alloc(100 << 20, 1));
    return { escaped: true, detail: `${held.length * 100} MB` };
  },

  /** Something global, for the next event of the same slot only. */
  poisoned: (event) => {
    const before = globalThis.poison;
    globalThis.poison = event.token;
    return { escaped: false, detail: before ?? 'clean' };
  },

  /** A variable of the module: copies of a template must not see each other's. */
  random: () => ({ escaped: false, detail: Math.random(), uuid: require('node:crypto').randomUUID() }),

  hold: async (event) => {
    const until = Date.now() + event.seconds * 1000;
    await new Promise((done) => setTimeout(done, until - Date.now()));
    return { escaped: false, detail: 'held' };
  },

  environment: () => ({ escaped: false, detail: process.env }),
};

let loaded;
if (process.env.WHILE_LOADING) {
  // Synchronously: a template with a child process is refused.
  loaded = python(process.env.WHILE_LOADING, {
    control: process.env.CONTROL === '1', token: process.env.TOKEN, world: {},
  });
}
if (process.env.ORDERS_WHILE_LOADING) {
  try {
    fs.writeSync(5, Buffer.alloc(4096, 0x7f));
    loaded = { escaped: false, detail: 'written, and nobody hears' };
  } catch (error) {
    loaded = { escaped: false, detail: error.code };
  }
}

exports.handler = async (event) => {
  const result = await probes[event.probe](event);
  const detail = JSON.stringify(result.detail).slice(0, 2000);
  return { ...result, detail, pid: process.pid };
};
