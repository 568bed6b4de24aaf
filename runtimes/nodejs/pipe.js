// Frames over two inherited pipes: [length u32][kind u8][body], little-endian; the length counts
// kind and body. The same is written in crates/host/src/protocol.rs, with what each body holds.
//
// Reads block on purpose: between two events the process sleeps in `read`, which is the freeze
// Lambda promises, at no cost.
'use strict';

const fs = require('node:fs');

const FROM_HOST = 3;
const TO_HOST = 4;
const HEADER = 5;
const BUFFER_BYTES = 64 * 1024;

const Kind = {
  ASSIGN: 1,
  INVOKE: 2,
  READY: 16,
  INIT_ERROR: 17,
  RESULT: 18,
  ERROR: 19,
  LOG: 20,
  UNFIT: 21,
};

let inbox = Buffer.allocUnsafeSlow(BUFFER_BYTES);
let start = 0;
let end = 0;
const outbox = Buffer.allocUnsafeSlow(BUFFER_BYTES);

/** Blocks until the next frame is here. Its body is valid until the next call. */
function read() {
  need(HEADER);
  const length = inbox.readUInt32LE(start);
  need(4 + length);
  const kind = inbox[start + 4];
  const body = inbox.subarray(start + HEADER, start + 4 + length);
  start += 4 + length;
  return { kind, body };
}

/** Makes sure that `bytes` bytes lie in the buffer from `start` on. */
function need(bytes) {
  if (end - start >= bytes) return;
  if (start + bytes > inbox.length || start === end) {
    // A large event gets a buffer of its own size, which the next small one gives up again.
    const size = Math.max(bytes, BUFFER_BYTES);
    const fresh = inbox.length === size ? inbox : Buffer.allocUnsafeSlow(size);
    inbox.copy(fresh, 0, start, end);
    [inbox, end, start] = [fresh, end - start, 0];
  }
  while (end - start < bytes) {
    const got = receive();
    if (got === 0) process.exit(0); // the host is gone, or wants us gone
    end += got;
  }
}

function receive() {
  for (;;) {
    try {
      return fs.readSync(FROM_HOST, inbox, end, inbox.length - end, null);
    } catch (error) {
      if (error.code !== 'EINTR') throw error;
    }
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
    sent += fs.writeSync(TO_HOST, frame, sent, length - sent);
  }
}

module.exports = { Kind, read, write };
