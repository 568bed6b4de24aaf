// What handlers write with `console`: one frame per call, with the time, the request and the level,
// as Lambda's Node runtime writes it. It is sent at once, so that a crash loses nothing, and before
// the reply, so that the host has it before it writes REPORT.
'use strict';

const { format } = require('node:util');
const { Kind, write } = require('./pipe.js');

const LINE_CHARS_MAX = 256 * 1024;
const LEVELS = {
  log: 'INFO',
  info: 'INFO',
  debug: 'DEBUG',
  warn: 'WARN',
  error: 'ERROR',
  trace: 'TRACE',
};

/** What Lambda writes while the function is being loaded. */
const NO_REQUEST = 'undefined';

let requestId = NO_REQUEST;

function setRequest(id) {
  requestId = id;
}

function line(level, ...values) {
  const text = `${new Date().toISOString()}\t${requestId}\t${level}\t${format(...values)}`;
  write(Kind.LOG, [], text.length > LINE_CHARS_MAX ? text.slice(0, LINE_CHARS_MAX) : text);
}

function install() {
  for (const [method, level] of Object.entries(LEVELS)) {
    console[method] = (...values) => line(level, ...values);
  }
}

/** An error as one line: `ERROR\tInvoke Error \t{"errorType":…}`. */
function failure(title, error) {
  line('ERROR', '%s', `${title} \t${describe(error)}`);
}

function describe(error) {
  try {
    if (!(error instanceof Error)) return JSON.stringify(error) ?? String(error);
    const stack = String(error.stack).split('\n');
    const first = { errorType: error.name, errorMessage: error.message };
    return JSON.stringify({ ...first, ...error, stack });
  } catch {
    return format(error);
  }
}

module.exports = { NO_REQUEST, install, setRequest, failure };
