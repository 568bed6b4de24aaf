// Handlers that write their response piece by piece: what they find in `awslambda`, and the stream
// they are given.
'use strict';

const { Writable } = require('node:stream');
const { Kind, CHUNK_BYTES, room, whenRoom, write, writeBytes } = require('./pipe.js');
const { InvalidStreamingOperation, MalformedStreamingHandler } = require('./errors.js');

// By these names Lambda's own runtime knows such handlers, and libraries mark theirs.
const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const HIGH_WATER_MARK = Symbol.for('aws.lambda.runtime.handler.streaming.highWaterMark');

const USUAL_TYPE = 'application/octet-stream';
const WITH_HEAD_TYPE = 'application/vnd.awslambda.http-integration-response';
/** What stands between the head of an HTTP response and its body. */
const DELIMITER = new Uint8Array(8);

class HttpResponseStream {
  /** The same stream, which will begin with a status, headers and cookies. */
  static from(stream, head) {
    stream.setContentType(WITH_HEAD_TYPE);
    const text = JSON.stringify(head);
    stream._onBeforeFirstWrite = (write) => {
      write(text);
      write(DELIMITER);
    };
    return stream;
  }
}

function streamifyResponse(handler, options) {
  handler[STREAMING] = 'response';
  if (typeof options?.highWaterMark === 'number') {
    handler[HIGH_WATER_MARK] = Math.trunc(options.highWaterMark);
  }
  return handler;
}

function install() {
  globalThis.awslambda = { streamifyResponse, HttpResponseStream };
}

/** Whether a handler streams its response. */
function isStreaming(handler) {
  const mode = handler[STREAMING];
  if (mode === undefined || mode === null || mode === false) return false;
  if (mode === 'response') return true;
  throw new MalformedStreamingHandler('Only response streaming is supported.');
}

/** What a handler writes its response to. */
class ResponseStream extends Writable {
  #contentType = USUAL_TYPE;
  #touched = false;
  #begun = false;
  /** Whether its event still runs. */
  #runs;

  constructor(handler, runs) {
    const highWaterMark = handler[HIGH_WATER_MARK];
    super(highWaterMark > 0 ? { highWaterMark } : {});
    this.#runs = runs;
    // Whoever does not listen learns of it from the end of the event.
    this.on('error', () => {});
  }

  setContentType(contentType) {
    if (this.#touched) throw new InvalidStreamingOperation('Cannot set content-type, too late.');
    this.#contentType = contentType;
  }

  write(chunk, encoding, callback) {
    this.#touch();
    return super.write(bytesOf(chunk), encoding, callback);
  }

  end(chunk, encoding, callback) {
    if (typeof chunk === 'function') return super.end(chunk);
    // What stands before the body is sent even if there is no body.
    if (!this.writableEnded) this.#touch();
    return super.end(chunk == null ? chunk : bytesOf(chunk), encoding, callback);
  }

  #touch() {
    if (this.#touched) return;
    this.#touched = true;
    this._onBeforeFirstWrite?.((chunk) => super.write(chunk));
  }

  _write(chunk, _encoding, done) {
    this.#begin();
    let at = 0;
    const go = () => {
      while (at < chunk.length && this.#runs()) {
        const length = Math.min(chunk.length - at, CHUNK_BYTES, room());
        if (length === 0) return whenRoom(go);
        writeBytes(Kind.CHUNK, chunk, at, length);
        at += length;
      }
      done();
    };
    go();
  }

  _final(done) {
    this.#begin();
    if (this.#runs()) write(Kind.END, [], '');
    done();
  }

  #begin() {
    if (this.#begun || !this.#runs()) return;
    this.#begun = true;
    write(Kind.BEGIN, [], String(this.#contentType));
  }
}

/** Values that are no bytes are written as JSON, as by Lambda's own runtime. */
function bytesOf(chunk) {
  const fits = typeof chunk === 'string' || chunk instanceof Uint8Array;
  return fits ? chunk : JSON.stringify(chunk);
}

module.exports = { install, isStreaming, ResponseStream };
