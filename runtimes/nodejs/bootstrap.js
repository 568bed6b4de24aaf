// The worker of a Node function. It boots before anyone needs it, is told once what to run
// (Assign), loads it, and then runs one event after the other.
//
// An event ends with one reply. After it the event loop is turned once, so that what the handler
// left behind (ticks, rejections, due timers) gets its chance as between two events on Lambda; then
// the process blocks in `read` until the next event.
'use strict';

const Module = require('node:module');
const path = require('node:path');
const aws = require('./aws.js');
const debug = require('./debug.js');
const errors = require('./errors.js');
const fork = require('./fork.js');
const log = require('./log.js');
const pack = require('./pack.js');
const stream = require('./stream.js');
const { load } = require('./handler.js');
const {
  Kind, hasFrame, isReading, mute, offer, read, readLater, whenRead, write, writeAll,
} = require('./pipe.js');

// Loaded while nobody waits: what SDKs and frameworks ask for first.
for (const name of [
  'async_hooks', 'child_process', 'crypto', 'dns', 'events', 'fs/promises', 'http', 'http2',
  'https', 'net', 'os', 'path', 'perf_hooks', 'querystring', 'stream', 'stream/promises',
  'string_decoder', 'timers/promises', 'tls', 'url', 'util', 'zlib',
]) {
  require(`node:${name}`);
}

const EXIT_REJECTION = 128;
const EXIT_EXCEPTION = 129;
const MEMORY_SAMPLE_MS = 1000;
/** After so many the engine has optimized what loading runs through, and does not begin with it in
 * the middle of a cold start. */
const REHEARSALS = 16;

/** What this worker was assigned; set once. */
let assigned;
let handler;
/** Whether the handler writes its response piece by piece. */
let streams = false;
/** The event that runs, or undefined. */
let current;
/** What comes after an event. */
let after = next;
/** Whether the last event set _X_AMZN_TRACE_ID; asking the environment is dear. */
let traced = true;
let memoryKb = 0;
let memorySampled = -Infinity;

/**
 * Does once what every function will need: what the engine compiles, loads and caches on first use
 * is then there when somebody waits.
 */
async function rehearse() {
  aws.install();
  install();
  stream.install();
  const hello = path.join(__dirname, 'hello');
  mute(true);
  for (let time = 0; time < REHEARSALS; time++) {
    prepare({ code: hello, env: { ...process.env, AWS_ENDPOINT_URL: 'http://127.0.0.1' } });
    handler = await load(hello, 'index.handler');
    delete require.cache[path.join(hello, 'index.js')];
    await rehearseEvent();
  }
  mute(false);
  log.setRequest(log.NO_REQUEST);
  after = next;
  new Date().toISOString();
  memory();
  memorySampled = -Infinity;
  fork.install();
  setImmediate(main);
}

/** Runs an event of nobody, to which nobody gets the answer. */
function rehearseEvent() {
  const texts = ['rehearsal', 'Root=0', '', ''].map((text) => Buffer.from(text));
  const lengths = texts.map(({ length }) => Buffer.from(Uint32Array.of(length).buffer));
  const parts = texts.flatMap((text, at) => [lengths[at], text]);
  assigned = { function: {} };
  offer(Kind.INVOKE, Buffer.concat([Buffer.alloc(4), ...parts, Buffer.from('{}')]));
  return new Promise((done) => {
    after = done;
    next();
  });
}

async function main() {
  const frame = read();
  const started = performance.now();
  assigned = JSON.parse(frame.body.toString());
  try {
    if (assigned.debug) debug.open();
    prepare(assigned);
    handler = await loadPacked(assigned);
    streams = stream.isStreaming(handler);
  } catch (error) {
    log.failure('Uncaught Exception', error);
    write(Kind.INIT_ERROR, [micros(started)], JSON.stringify(errors.report(error)));
    process.exit(1);
  }
  if (assigned.template) return fork.whenQuiet(() => becomeTemplate(started));
  write(Kind.READY, [micros(started)], '');
  setImmediate(next);
}

/** Loads the function of its code pack, if there is one of use; or makes one, if that was asked. */
async function loadPacked(assigned) {
  const { code, handler } = assigned;
  if (!assigned.pack) return load(code, handler);
  const making = assigned.pack.path === null;
  const recorded = making ? pack.record(assigned) : undefined;
  if (!making) write(Kind.PACKED, [pack.use(assigned) ? 1 : 0], '');
  let loaded;
  try {
    loaded = await load(code, handler);
  } finally {
    pack.close();
  }
  if (recorded) pack.finish(recorded, assigned, (bytes) => writeAll(Kind.PACK, bytes));
  return loaded;
}

/** Never runs an event itself; goes on in every slot that is made of it. */
function becomeTemplate(loading) {
  const why = fork.unfit();
  if (why) {
    write(Kind.UNFIT, [], why);
    process.exit(0);
  }
  fork.compact();
  write(Kind.READY, [micros(loading)], '');
  const { logStreamName, initializationType } = fork.serve();
  const started = performance.now();
  assigned.function.logStreamName = logStreamName;
  process.env.AWS_LAMBDA_LOG_STREAM_NAME = logStreamName;
  const type = 'AWS_LAMBDA_INITIALIZATION_TYPE';
  if (process.env[type] !== initializationType) process.env[type] = initializationType;
  memorySampled = -Infinity;
  write(Kind.READY, [micros(started)], '');
  setImmediate(next);
}

function prepare({ code, layers = [], env }) {
  for (const name of Object.keys(process.env)) if (!(name in env)) delete process.env[name];
  const major = process.version.slice(1).split('.')[0];
  const modules = [`nodejs/node${major}/node_modules`, 'nodejs/node_modules'];
  const layered = layers.flatMap((layer) => modules.map((folder) => `${layer}/${folder}`));
  env.NODE_PATH ??= [...layered, `${code}/node_modules`, code].join(':');
  // Setting TZ is dear even if it says the same.
  for (const name in env) if (process.env[name] !== env[name]) process.env[name] = env[name];
  Module._initPaths(); // reads NODE_PATH
  process.chdir(code);
  const ignored = process.env.AWS_IGNORE_CONFIGURED_ENDPOINT_URLS === 'true';
  aws.setHome(ignored ? undefined : process.env.AWS_ENDPOINT_URL);
}

/** Puts our hands where the function will speak, succeed by falling silent, or break. */
function install() {
  log.install();
  process.on('uncaughtException', (error) => die('Uncaught Exception', error, EXIT_EXCEPTION));
  process.on('unhandledRejection', (reason, promise) => {
    const error = errors.unhandledRejection(reason, promise);
    die('Unhandled Promise Rejection', error, EXIT_REJECTION);
  });
  // The event loop is empty: a callback's result may leave, and one that will never come is null.
  process.on('beforeExit', () => current?.idle());
}

/** Blocks until the next event and starts it. A debugger must be answered, so that the event loop
 * goes on until there is an event. */
function next() {
  if (isReading()) return whenRead(next);
  if (assigned.debug && !hasFrame()) {
    whenRead(next);
    return readLater();
  }
  const event = decode(read().body);
  const { context, callback } = begin(event);
  if (streams) run(event, context);
  else call(event, context, callback);
}

function call(event, context, callback) {
  try {
    const result = handler(JSON.parse(event.payload), context, callback);
    if (typeof result?.then === 'function') result.then(event.succeed, event.fail);
  } catch (error) {
    event.fail(error);
  }
}

/** Runs an event whose response is written piece by piece. What a handler answers beside it, or how
 * it fails after its response has ended, is nobody's to see. */
async function run(event, context) {
  const response = new stream.ResponseStream(handler, () => current === event);
  const failed = (error) => {
    if (!response.writableFinished) return fail(event, 'Invoke Error', error, 0);
    log.failure('Invoke Error', error);
    done();
  };
  const done = () => {
    if (current !== event) return;
    current = undefined;
    write(Kind.RESULT, [micros(event.started), memory()], '');
    setImmediate(next);
  };
  // The event loop is empty: what has not ended by now never will.
  event.idle = () => {
    if (response.writableFinished) done();
    else failed(response.errored ?? 'Response stream is not finished.');
  };
  const { succeed, fail: _fail, done: _done, ...given } = context;
  try {
    const result = handler(JSON.parse(event.payload), response, given);
    if (typeof result?.then !== 'function') {
      return failed('Streaming does not support non-async handlers.');
    }
    if ((await result) !== undefined) console.warn('Streaming handlers ignore return values.');
    const waits = given.callbackWaitsForEmptyEventLoop;
    if (response.writableFinished && !waits) return done();
    if (response.destroyed && !response.writableFinished) event.idle();
    if (!waits) response.once('close', event.idle);
  } catch (error) {
    failed(error);
  }
}

/** The body of an Invoke frame; see protocol.rs. */
function decode(body) {
  const timeout = body.readUInt32LE(0);
  let at = 4;
  const text = () => {
    const length = body.readUInt32LE(at);
    at += 4 + length;
    return body.toString('utf8', at - length, at);
  };
  const [requestId, trace, client, arn] = [text(), text(), text(), text()];
  const payload = body.toString('utf8', at) || '{}';
  return { started: performance.now(), timeout, requestId, trace, client, arn, payload };
}

function begin(event) {
  current = event;
  log.setRequest(event.requestId);
  if (event.trace) fork.setTrace(event.trace);
  else if (traced) delete process.env._X_AMZN_TRACE_ID;
  traced = event.trace !== '';

  event.succeed = (value) => finish(event, value);
  event.fail = (error) => fail(event, 'Invoke Error', error, 0);
  event.idle = () => event.succeed(event.result);
  const done = (error, value) => (error == null ? event.succeed(value) : event.fail(error));
  const callback = (error, value) => {
    if (error != null || !context.callbackWaitsForEmptyEventLoop) return done(error, value);
    event.result = value;
  };
  const { functionName, functionVersion, invokedFunctionArn } = assigned.function;
  const { memoryLimitInMB, logGroupName, logStreamName } = assigned.function;
  const context = {
    callbackWaitsForEmptyEventLoop: true,
    succeed: (value) => done(null, value),
    fail: (error) => done(error ?? 'handled'),
    done,
    functionVersion,
    functionName,
    memoryLimitInMB,
    logGroupName,
    logStreamName,
    clientContext: event.client ? JSON.parse(event.client) : undefined,
    identity: undefined,
    invokedFunctionArn: event.arn || invokedFunctionArn,
    awsRequestId: event.requestId,
    // Our own clock and the host's may disagree about the hour, not about how long it has been.
    getRemainingTimeInMillis: () => {
      if (assigned.debug) return current === event ? debug.timeLeft() : 0;
      return Math.max(0, Math.floor(event.timeout - (performance.now() - event.started)));
    },
  };
  return { context, callback };
}

function finish(event, value) {
  if (current !== event) return;
  let text;
  try {
    text = JSON.stringify(value) ?? 'null';
  } catch {
    return event.fail(new Error('Unable to stringify response body'));
  }
  const tooLarge = text.length * 3 > errors.BYTES_MAX && Buffer.byteLength(text) > errors.BYTES_MAX;
  if (tooLarge) return event.fail(errors.responseTooLarge());
  current = undefined;
  write(Kind.RESULT, [micros(event.started), memory()], text);
  setImmediate(after);
}

function fail(event, title, error, exits) {
  if (current !== event) return;
  current = undefined;
  log.failure(title, error);
  const text = JSON.stringify(errors.report(error));
  write(Kind.ERROR, [micros(event.started), memory(), exits], text);
  if (!exits) setImmediate(next);
}

/** An error nobody caught: it is the reply of the running event, and this worker's last word. */
function die(title, error, code) {
  if (current) fail(current, title, error, 1);
  else log.failure(title, error);
  process.exit(code);
}

function micros(since) {
  return Math.round((performance.now() - since) * 1000);
}

/** The most memory used so far, in KB; asked of the system once a second. */
function memory() {
  const now = performance.now();
  if (now - memorySampled > MEMORY_SAMPLE_MS) {
    memorySampled = now;
    memoryKb = process.resourceUsage().maxRSS;
  }
  return memoryKb;
}

rehearse();
