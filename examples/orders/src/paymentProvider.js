// A payment provider that is not there. It answers as a real one would: at once, and the same
// for the same idempotency key.
'use strict';

/** The card that every test shop declines. */
const DECLINED_LAST4 = '0002';

function tokenize(cardNumber) {
  const last4 = cardNumber.slice(-4);
  return { token: `tok_${last4}`, last4 };
}

/** Returns `{ approved: true, reference }` or `{ approved: false, reason }`. */
async function charge({ token, amountCents, limitCents, idempotencyKey }) {
  if (token.endsWith(DECLINED_LAST4)) return { approved: false, reason: 'card declined' };
  if (amountCents > limitCents) return { approved: false, reason: 'over the limit' };
  return { approved: true, reference: `ch_${idempotencyKey}` };
}

module.exports = { tokenize, charge };
