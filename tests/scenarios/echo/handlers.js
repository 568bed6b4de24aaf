'use strict';

/** The event as it came. */
exports.event = async (event) => ({
  statusCode: 200,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(event),
});

/** The trace, as the header and as the environment tell it. */
exports.trace = async (event) => ({
  header: event.headers['x-amzn-trace-id'],
  environment: process.env._X_AMZN_TRACE_ID,
});

/** The body of the request is what the handler returns. */
exports.answer = async (event) => JSON.parse(event.body);

exports.fallback = async (event) => `fallback ${event.rawPath}`;
