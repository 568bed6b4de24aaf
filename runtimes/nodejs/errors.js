// Errors by the names Lambda gives them, and the form in which they are reported.
'use strict';

const { types } = require('node:util');

const BYTES_MAX = 6_291_556; // of a response; 100 more than of a request, as on Lambda

function named(name) {
  const type = class extends Error {};
  // On the prototype, so that the stack, which is taken in the constructor, begins with it.
  type.prototype.name = name;
  return type;
}

const ImportModuleError = named('Runtime.ImportModuleError');
const HandlerNotFound = named('Runtime.HandlerNotFound');
const MalformedHandlerName = named('Runtime.MalformedHandlerName');
const UserCodeSyntaxError = named('Runtime.UserCodeSyntaxError');
const InvalidStreamingOperation = named('Runtime.InvalidStreamingOperation');
const MalformedStreamingHandler = named('Runtime.MalformedStreamingHandler');
const ResponseSizeTooLarge = named('Function.ResponseSizeTooLarge');
const UnhandledRejection = named('Runtime.UnhandledPromiseRejection');

function responseTooLarge() {
  const limit = `maximum allowed payload size (${BYTES_MAX} bytes)`;
  return new ResponseSizeTooLarge(`Response payload size exceeded ${limit}.`);
}

function unhandledRejection(reason, promise) {
  const error = new UnhandledRejection(String(reason));
  if (reason instanceof Error) error.stack = `${error.name}: ${reason.stack}`;
  return Object.assign(error, { reason, promise });
}

/** What the caller gets: `{errorType, errorMessage, trace}`. */
function report(error) {
  try {
    if (types.isNativeError(error) || error instanceof Error) {
      const trace = String(error.stack).split('\n');
      return { errorType: String(error.name), errorMessage: String(error.message), trace };
    }
    return { errorType: typeof error, errorMessage: String(error), trace: [] };
  } catch {
    const errorMessage =
      'callback called with Error argument, but there was a problem while retrieving one or more ' +
      'of its message, name, and stack';
    return { errorType: 'handled', errorMessage };
  }
}

module.exports = {
  BYTES_MAX,
  HandlerNotFound,
  ImportModuleError,
  InvalidStreamingOperation,
  MalformedHandlerName,
  MalformedStreamingHandler,
  UserCodeSyntaxError,
  report,
  responseTooLarge,
  unhandledRejection,
};
