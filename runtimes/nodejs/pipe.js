// Frames over two inherited pipes: [length u32][kind u8][body], little-endian; the length counts
// kind and body. The same is written in crates/host/src/protocol.rs, with what each body holds.
//
// Reads block on purpose: between two events the process sleeps in `read`, which is the freeze
// Lambda promises, at no cost.
'use strict';

const fs = require('node:fs');
const net = require('node:net');

const FROM_HOST = 3;
const TO_HOST = 4;
const HEADER = 5;
const BUFFER_BYTES = 64 * 1024;
/** The most of a response in one frame. */
const CHUNK_BYTES = 32 * 1024;
/** How much of responses the host takes before it says that somebody reads them. */
const WINDOW_BYTES = 256 * 1024;

const Kind = {
  ASSIGN: 1,
  INVOKE: 2,
  MORE: 3,
  TIME: 4,
  READY: 16,
  INIT_ERROR: 17,
  RESULT: 18,
  ERROR: 19,
  LOG: 20,
  UNFIT: 21,
  BEGIN: 22,
  CHUNK: 23,
  END: 24,
  DEBUG: 25,
  ASK_TIME: 26,
  PACKED: 27,
  PACK: 28,
};

/** Where replies go: nowhere while events are rehearsed. */
let to = TO_HOST;
let inbox = Buffer.allocUnsafeSlow(BUFFER_BYTES);
let start = 0;
let end = 0;
/** What the event loop reads by, where it does. */
let socket;
const outbox = Buffer.allocUnsafeSlow(BUFFER_BYTES);
/** How much of responses may be sent. */
let window = WINDOW_BYTES;
/** Frames that were found before those that were looked for. */
const early = [];
/** Whether a read is under way that does not block. */
let reading = false;
/** What waits for its end. */
const afterRead = [];

/** Blocks until the next frame is here. Its body is valid until the next call. */
function read() {
  if (early.length > 0) return early.shift();
  for (;;) {
    need(HEADER);
    need(4 + inbox.readUInt32LE(start));
    const frame = take();
    if (frame.kind !== Kind.MORE) return frame;
    window += frame.body.readUInt32LE(0);
  }
}

/** The frame that lies at `start`, whole. */
function take() {
  const length = inbox.readUInt32LE(start);
  const kind = inbox[start + 4];
  const body = inbox.subarray(start + HEADER, start + 4 + length);
  start += 4 + length;
  return { kind, body };
}

/** Whether a read is under way that does not block. Until its end none may block. */
function isReading() {
  return reading;
}

/** Calls back at the end of the read that is under way. */
function whenRead(callback) {
  afterRead.push(callback);
}

/** How many bytes of a response may be sent. */
function room() {
  return window;
}

/** Calls back when more of a response may be sent than nothing. The event loop goes on until then. */
function whenRoom(callback) {
  sort();
  if (window > 0) return callback();
  whenRead(() => whenRoom(callback));
  readLater();
}

/** Whether the next frame is here. */
function hasFrame() {
  sort();
  return early.length > 0;
}

/** Reads without blocking, if that is not under way. */
function readLater() {
  if (reading) return;
  reading = true;
  if (socket) return void socket.resume();
  makeRoom(missing());
  fs.read(FROM_HOST, inbox, end, inbox.length - end, null, (error, got) => {
    if (error && error.code !== 'EINTR') throw error;
    if (got === 0) process.exit(0); // as in `need`
    end += got ?? 0;
    endRead();
  });
}

function endRead() {
  if (!reading) return;
  socket?.pause();
  reading = false;
  sort();
  for (const waiting of afterRead.splice(0)) waiting();
}

/** Takes the frames that lie in the buffer, and keeps those that are not of the window. */
function sort() {
  while (missing() === 0) {
    const { kind, body } = take();
    if (kind === Kind.MORE) window += body.readUInt32LE(0);
    else early.push({ kind, body: Buffer.from(body) });
  }
}

/** How many bytes are missing until a whole frame, or at least its header, lies in the buffer. */
function missing() {
  const held = end - start;
  if (held < HEADER) return HEADER - held;
  return Math.max(0, 4 + inbox.readUInt32LE(start) - held);
}

/** Makes sure that `bytes` bytes lie in the buffer from `start` on. */
function need(bytes) {
  if (end - start >= bytes) return;
  makeRoom(bytes - (end - start));
  while (end - start < bytes) {
    const got = receive();
    if (got === 0) process.exit(0); // the host is gone, or wants us gone
    end += got;
  }
}

/** Makes room in the buffer for so many bytes more than lie in it. */
function makeRoom(more) {
  const bytes = end - start + more;
  if (start + bytes > inbox.length || start === end) {
    // A large event gets a buffer of its own size, which the next small one gives up again.
    const size = Math.max(bytes, BUFFER_BYTES);
    const fresh = inbox.length === size ? inbox : Buffer.allocUnsafeSlow(size);
    inbox.copy(fresh, 0, start, end);
    [inbox, end, start] = [fresh, end - start, 0];
  }
}

function receive() {
  for (;;) {
    try {
      return fs.readSync(FROM_HOST, inbox, end, inbox.length - end, null);
    } catch (error) {
      // Only where the event loop reads does it not block.
      if (error.code === 'EAGAIN') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
      else if (error.code !== 'EINTR') throw error;
    }
  }
}

/**
 * From now on the event loop reads, where no thread may: what is asked of the host meanwhile is read
 * at once, and a thread that waits for something else would take the answer.
 */
function turnLoose() {
  const callback = (count, buffer) => {
    makeRoom(count);
    end += buffer.copy(inbox, end, 0, count);
    setImmediate(endRead);
    return false; // one piece at a time: what comes next may be an answer
  };
  const onread = { buffer: Buffer.alloc(BUFFER_BYTES), callback };
  socket = new net.Socket({ fd: FROM_HOST, readable: true, writable: false, onread });
  for (const event of ['end', 'error']) socket.on(event, () => process.exit(0));
  socket.pause();
}

/** Asks the host something, and blocks until the answer, a frame of some kind, is here. */
function ask(question, kind) {
  write(question, [], '');
  for (;;) {
    need(HEADER);
    need(4 + inbox.readUInt32LE(start));
    const frame = take();
    if (frame.kind === kind) {
      const body = Buffer.from(frame.body);
      // What was waited for may have come before the answer.
      if (reading && window > 0) setImmediate(endRead);
      return body;
    }
    if (frame.kind === Kind.MORE) window += frame.body.readUInt32LE(0);
    else early.push({ kind: frame.kind, body: Buffer.from(frame.body) });
  }
}

/** Writes a frame: its body is the numbers given, 4 bytes each, then the text. */
function write(kind, numbers, text) {
  const head = HEADER + 4 * numbers.length;
  // A character takes at most three bytes in UTF-8.
  const fits = head + 3 * text.length <= outbox.length;
  const frame = fits ? outbox : Buffer.allocUnsafe(head + Buffer.byteLength(text));
  const length = head + frame.write(text, head, 'utf8');
  frame.writeUInt32LE(length - 4, 0);
  frame[4] = kind;
  for (let i = 0; i < numbers.length; i++) frame.writeUInt32LE(numbers[i] >>> 0, HEADER + 4 * i);
  for (let sent = 0; sent < length; ) {
    sent += fs.writeSync(to, frame, sent, length - sent);
  }
}

/** Writes a frame whose body is a part of some bytes, at most CHUNK_BYTES, and counts it as sent. */
function writeBytes(kind, bytes, from, length) {
  window -= length;
  writePart(kind, bytes, from, length);
}

/** Writes some bytes in as many frames as they take. They are of no response. */
function writeAll(kind, bytes) {
  for (let from = 0; from < bytes.length; from += CHUNK_BYTES) {
    writePart(kind, bytes, from, Math.min(CHUNK_BYTES, bytes.length - from));
  }
}

function writePart(kind, bytes, from, length) {
  outbox.writeUInt32LE(1 + length, 0);
  outbox[4] = kind;
  outbox.set(bytes.subarray(from, from + length), HEADER);
  for (let sent = 0; sent < HEADER + length; ) {
    sent += fs.writeSync(to, outbox, sent, HEADER + length - sent);
  }
}

/** Has what is written go nowhere from now on, or to the host again. */
function mute(muted) {
  if (muted) {
    to = fs.openSync('/dev/null', 'w');
  } else {
    fs.closeSync(to);
    to = TO_HOST;
  }
}

/** Has the next read find a frame that is not the host's. To be called before any is read. */
function offer(kind, body) {
  makeRoom(HEADER + body.length);
  inbox.writeUInt32LE(1 + body.length, end);
  inbox[end + 4] = kind;
  body.copy(inbox, end + HEADER);
  end += HEADER + body.length;
}

module.exports = {
  CHUNK_BYTES,
  Kind,
  ask,
  hasFrame,
  isReading,
  mute,
  offer,
  read,
  readLater,
  room,
  turnLoose,
  whenRead,
  whenRoom,
  write,
  writeAll,
  writeBytes,
};
