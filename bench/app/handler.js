'use strict';

/** Parses the body and answers with a part of it: what most handlers do around their real work. */
exports.handler = async (event) => {
  const order = JSON.parse(event.body);
  return {
    statusCode: 200,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ id: order.id, lines: order.lines.length }),
  };
};
