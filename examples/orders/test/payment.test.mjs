// processPayment on a table in memory, delivered once, twice, and in a race.
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

import { load } from './build.mjs';

/** Items by `PK/SK`, and the ids published as paid. `race` runs before a conditional update. */
let items;
let published;
let race;

const promise = (work) => ({ promise: async () => work() });

class DocumentClient {
  get = ({ Key }) => promise(() => ({ Item: structuredClone(items[`${Key.PK}/${Key.SK}`]) }));

  update = ({ Key, ExpressionAttributeValues: values }) =>
    promise(() => {
      race();
      const item = items[`${Key.PK}/${Key.SK}`];
      if (item.status !== values[':pending']) {
        throw Object.assign(new Error('no'), { code: 'ConditionalCheckFailedException' });
      }
      item.status = values[':status'];
      item.detail = values[':detail'];
      item.history.push(...values[':entry']);
    });
}

class SNS {
  publish = ({ Message }) => promise(() => published.push(JSON.parse(Message).orderId));
}

const path = load.resolve('aws-sdk');
const exports = { DynamoDB: { DocumentClient }, SNS };
load.cache[path] = { id: path, filename: path, loaded: true, exports };
const { handler } = load('./processPayment.js');

const event = { Records: [{ Sns: { Message: '{"orderId":"1"}' } }] };
const order = () => items['ORDER#1/METADATA'];
const statuses = () => order().history.map((entry) => entry.status);

beforeEach(() => {
  published = [];
  race = () => {};
  items = {
    'ORDER#1/METADATA': {
      PK: 'ORDER#1',
      SK: 'METADATA',
      id: '1',
      userId: 'ada',
      totalCents: 2500,
      status: 'PENDING',
      history: [{ status: 'PENDING' }],
    },
    'USER#ada/PAYMENT_METHOD': { token: 'tok_4242' },
  };
});

test('a good card pays', async () => {
  await handler(event);
  assert.deepEqual(statuses(), ['PENDING', 'PAID']);
  assert.equal(order().detail, 'ch_1');
  assert.deepEqual(published, ['1']);
});

test('delivered twice, paid once, announced twice', async () => {
  await handler(event);
  await handler(event);
  assert.deepEqual(statuses(), ['PENDING', 'PAID']);
  assert.deepEqual(published, ['1', '1']);
});

test('the loser of a race follows the winner', async () => {
  race = () => Object.assign(order(), { status: 'PAYMENT_FAILED' });
  await handler(event);
  assert.deepEqual(statuses(), ['PENDING']);
  assert.deepEqual(published, []);
});

for (const [name, change, reason] of [
  ['a declined card', () => (items['USER#ada/PAYMENT_METHOD'].token = 'tok_0002'), 'card declined'],
  ['no card', () => delete items['USER#ada/PAYMENT_METHOD'], 'no payment method'],
  ['too much', () => (order().totalCents = 1000001), 'over the limit'],
]) {
  test(`${name} fails the payment`, async () => {
    change();
    await handler(event);
    assert.deepEqual(statuses(), ['PENDING', 'PAYMENT_FAILED']);
    assert.equal(order().detail, reason);
    assert.deepEqual(published, []);
  });
}

test('an order that is not there is tried again', async () => {
  delete items['ORDER#1/METADATA'];
  await assert.rejects(handler(event), /no order 1/);
});
