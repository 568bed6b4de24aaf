'use strict';

const answer = (order) => ({ id: order.id, lines: order.lines.length });

/** Parses the body and answers with a part of it: what most handlers do around their real work. */
exports.handler = async (event) => ({
  statusCode: 200,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(answer(JSON.parse(event.body))),
});

/** The same for an event that is the order itself. */
exports.direct = async (order) => answer(order);
