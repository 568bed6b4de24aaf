// Code packs: all that loading a function reads of its package, in one file. A pack is written once
// by a worker that loads the function in the background, and read by those that load it later: they
// look for no file, compile nothing that was compiled before, and fall back to Node's own loader for
// whatever a pack does not have. Only what `require` finds is packed; ES modules are loaded by Node.
//
//   magic (16 bytes), bodies, index (JSON), bytes of the index, CRC-32 of all before it
//
// Each body begins at a multiple of 8, where the engine reads it without a copy. The index comes
// last, so that whoever writes a pack need not hold it: a function may have little memory.
'use strict';

const fs = require('node:fs');
const Module = require('node:module');
const os = require('node:os');
const path = require('node:path');
const vm = require('node:vm');
const zlib = require('node:zlib');

const MAGIC = 'cumulet pack 01\n';
const CHECKSUM = 4;
const FOOTER = 4 + CHECKSUM;
const ALIGNMENT = 8;
/** Less code than this is loaded as quickly without. */
const SOURCE_BYTES_MIN = 32 * 1024;

/** Node gives modules these names by compiling a function; the compiled form of a script can be
 * kept with all that ran of it, that of a function cannot. */
const HEAD = '(function (exports, require, module, __filename, __dirname) { ';
const TAIL = '\n})';

const original = {
  resolve: Module._resolveFilename,
  js: Module._extensions['.js'],
  json: Module._extensions['.json'],
  compile: Module.prototype._compile,
  wrap: Module.wrap,
  registerHooks: Module.registerHooks,
};
/** What stands in the place of those; undefined outside of loading. */
let hooks;
/** Whatever imports something is compiled by Node itself, which notes what it is relative to; the
 * engine's compiled form does not keep that. Comments and texts count, too: a text may be run. */
const IMPORTS = /\bimport\s*(\(|\.|\/[/*])/;

/** Whether this version of Node has what packs need. */
function isSupported() {
  return Boolean(zlib.crc32);
}

/** Hooks of modules may give other code than what the files hold. */
function hasHooks() {
  const options = [process.env.NODE_OPTIONS ?? '', ...process.execArgv].join(' ');
  return /--(import|loader|experimental-loader)\b/.test(options);
}

/** For what a pack is good: for the same code in the same version of Node. */
function keyOf({ code, layers, pack }) {
  const { v8, modules } = process.versions;
  return JSON.stringify([pack.name, process.version, v8, modules, process.arch, code, layers]);
}

/** Has the function be loaded of its pack; false if that is not there, damaged, or of others. */
function use(assigned) {
  const read = isSupported() && !hasHooks() && open(assigned);
  if (!read) return false;
  const { bytes, modules, resolved } = read;
  const packed = new Map(modules.map((module) => [module.file, module]));
  install({
    resolve(request, parent) {
      const found = resolved[parent.path]?.[request];
      return typeof found === 'string' ? found : undefined;
    },
    js(module, file) {
      const found = packed.get(file);
      if (found?.kind !== 'js') return undefined;
      const source = text(bytes, found);
      const cachedData = bytes.subarray(found.cache, found.cache + found.cacheBytes);
      const byNode = !found.cacheBytes || (found.mapped && process.sourceMapsEnabled);
      const script = byNode ? undefined : compile(source, file, cachedData);
      if (script) return { run: execute, given: [script, module, file] };
      const content = source.slice(HEAD.length, -TAIL.length);
      return { run: module._compile, given: [content, file, found.format] };
    },
    json(module, file) {
      const found = packed.get(file);
      if (found?.kind !== 'json') return false;
      module.exports = JSON.parse(text(bytes, found));
      return true;
    },
  });
  return true;
}

/** Notes what is loaded from now on, for `finish`. */
function record(assigned) {
  if (!isSupported() || hasHooks()) return undefined;
  if (!assigned.template) yieldToOthers();
  const inside = insideOf(assigned);
  const recorded = { modules: new Map(), resolved: Object.create(null) };
  const { modules, resolved } = recorded;
  install({
    resolve(request, parent) {
      const found = Reflect.apply(original.resolve, Module, [request, parent]);
      if (inside(found) && inside(`${parent.path}/`)) {
        const folder = (resolved[parent.path] ??= Object.create(null));
        // What means one thing here and another there is looked for each time.
        folder[request] = folder[request] === undefined || folder[request] === found ? found : null;
      }
      return found;
    },
    js(module, file) {
      if (!inside(file)) return undefined;
      module._compile = function (content, name, format) {
        delete module._compile;
        const isOurs = name === file && (format === undefined || format === 'commonjs');
        const source = HEAD + content + TAIL;
        const script = isOurs && !IMPORTS.test(content) ? compile(source, file) : undefined;
        // Only Node itself can take note of where a source map is.
        const mapped = Boolean(script?.sourceMapURL);
        const byNode = !script || (mapped && process.sourceMapsEnabled);
        if (byNode) module._compile(content, name, format);
        if (isOurs) modules.set(file, { kind: 'js', format, source, script, mapped });
        if (!byNode) execute(script, module, file);
      };
      return undefined;
    },
    json(module, file) {
      original.json(module, file);
      const source = fs.readFileSync(file, 'utf8').replace(/^\ufeff/, '');
      if (inside(file)) modules.set(file, { kind: 'json', source });
      return true;
    },
  });
  return recorded;
}

/** Nobody waits for this process. */
function yieldToOthers() {
  try {
    os.setPriority(os.constants.priority.PRIORITY_LOW);
  } catch {
    // It is not allowed here.
  }
}

/** Writes the pack of what was noted, unless it would be of no use. */
function finish(recorded, assigned, write) {
  const found = [...recorded.modules];
  const bytes = found.reduce((sum, [, { source }]) => sum + source.length, 0);
  if (bytes < SOURCE_BYTES_MIN) return;
  let [at, sum] = [0, 0];
  const put = (body) => {
    const from = at;
    at += body.length;
    sum = zlib.crc32(body, sum);
    write(body);
    return from;
  };
  const align = () => put(Buffer.alloc((ALIGNMENT - (at % ALIGNMENT)) % ALIGNMENT));
  put(Buffer.from(MAGIC));
  const modules = found.map(([file, { source, script, ...about }]) => {
    const encoding = isLatin1(source) ? 'latin1' : 'utf16le';
    const body = Buffer.from(source, encoding);
    const module = { file, ...about, encoding, at: put(body), bytes: body.length };
    align();
    if (!script) return module;
    const cached = script.createCachedData();
    Object.assign(module, { cache: put(cached), cacheBytes: cached.length });
    align();
    return module;
  });
  const index = { key: keyOf(assigned), modules, resolved: recorded.resolved };
  const json = Buffer.from(JSON.stringify(index));
  put(json);
  put(number(json.length));
  write(number(sum));
}

function number(value) {
  return Buffer.from(Uint32Array.of(value).buffer);
}

/** What a pack holds, if it is whole and for us. */
function open(assigned) {
  try {
    const bytes = fs.readFileSync(assigned.pack.path);
    if (bytes.toString('latin1', 0, MAGIC.length) !== MAGIC) return undefined;
    const end = bytes.length - FOOTER;
    const sum = zlib.crc32(bytes.subarray(0, -CHECKSUM));
    if (sum !== bytes.readUInt32LE(end + CHECKSUM)) return undefined;
    const json = bytes.toString('utf8', end - bytes.readUInt32LE(end), end);
    const { key, modules, resolved } = JSON.parse(json);
    return key === keyOf(assigned) ? { bytes, modules, resolved } : undefined;
  } catch {
    return undefined; // it is not there, or no pack
  }
}

function text(bytes, { at, bytes: length, encoding }) {
  return bytes.toString(encoding, at, at + length);
}

function isLatin1(text) {
  return !/[^\x00-\xff]/.test(text);
}

/** Whether a file is of the function's package or layers, which do not change. */
function insideOf({ code, layers }) {
  const real = (folder) => {
    try {
      return fs.realpathSync(folder);
    } catch {
      return folder;
    }
  };
  const folders = [code, ...layers].flatMap((folder) => [folder, real(folder)]);
  return (file) => folders.some((folder) => file.startsWith(`${folder}/`));
}

/** A module as a script; undefined if it is none, which Node then says in its own words. */
function compile(source, filename, cachedData) {
  try {
    return new vm.Script(source, { filename, columnOffset: -HEAD.length, cachedData });
  } catch {
    return undefined;
  }
}

function execute(script, module, file) {
  const run = script.runInThisContext({ displayErrors: false });
  const { exports } = module;
  return Reflect.apply(run, exports, [exports, requireOf(module), module, file, path.dirname(file)]);
}

/** Of this module: says in Node's words what is wrong with a request. */
const own = require;

/** A module's `require`, as Node makes it. */
function requireOf(module) {
  const require = function require(id) {
    return module.require(id);
  };
  require.resolve = function resolve(request, options) {
    if (typeof request !== 'string') return own.resolve(request);
    return Module._resolveFilename(request, module, false, options);
  };
  require.resolve.paths = function paths(request) {
    if (typeof request !== 'string') return own.resolve.paths(request);
    return Module._resolveLookupPaths(request, module);
  };
  require.main = process.mainModule;
  require.extensions = Module._extensions;
  require.cache = Module._cache;
  return require;
}

/** Puts hooks in the place of Node's functions, each with these as the way out. */
function install(found) {
  /** Whether nobody else has a hand in how modules are compiled. */
  const isPlain = (module) =>
    module._compile === original.compile && Module.wrap === original.wrap;
  hooks = {
    resolve(request, parent, isMain, options) {
      const plain = options === undefined && parent?.path !== undefined && hooks;
      return (
        (plain && found.resolve(request, parent)) ||
        Reflect.apply(original.resolve, this, [request, parent, isMain, options])
      );
    },
    js(module, file) {
      const how = hooks && isPlain(module) && found.js(module, file);
      // Not a call further: as deep as Node's own, so that traces show as much.
      Reflect.apply(how?.run ?? original.js, module, how?.given ?? [module, file]);
    },
    json(module, file) {
      const done = hooks && found.json(module, file);
      if (!done) original.json(module, file);
    },
  };
  if (original.registerHooks) Module.registerHooks = registerHooks;
  Module._resolveFilename = hooks.resolve;
  Module._extensions['.js'] = hooks.js;
  Module._extensions['.json'] = hooks.json;
}

/** Whoever has hooks may give other code than what the files hold. */
function registerHooks(...args) {
  close();
  return original.registerHooks(...args);
}

/** Loading is over: Node's own functions are back, or others that were put over ours lead to them. */
function close() {
  if (!hooks) return;
  const { resolve, js, json } = hooks;
  hooks = undefined;
  if (original.registerHooks) Module.registerHooks = original.registerHooks;
  if (Module._resolveFilename === resolve) Module._resolveFilename = original.resolve;
  if (Module._extensions['.js'] === js) Module._extensions['.js'] = original.js;
  if (Module._extensions['.json'] === json) Module._extensions['.json'] = original.json;
}

module.exports = { close, finish, record, use };
