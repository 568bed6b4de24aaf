// The handlers with the SDK replaced: what they write, in which order, and what they survive.
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

import { load } from './build.mjs';

const { ConditionalCheckFailedException } = load('@aws-sdk/client-dynamodb');
const { DynamoDBDocumentClient } = load('@aws-sdk/lib-dynamodb');
const { SNSClient } = load('@aws-sdk/client-sns');

/** Every SDK call of a test, as `[command name, input]`; `reply` may answer or throw. */
let calls;
let reply;

async function send(command) {
  calls.push([command.constructor.name, command.input]);
  return (await reply(command.constructor.name, command.input)) ?? {};
}
DynamoDBDocumentClient.prototype.send = send;
SNSClient.prototype.send = send;

beforeEach(() => {
  calls = [];
  reply = () => undefined;
});

const post = (body) => ({ body: JSON.stringify(body) });
const draft = { userId: 'ada', items: [{ sku: 'mug-blue', quantity: 2 }] };

test('an order is listed, then written, then announced, then acknowledged', async () => {
  const { handler } = load('./createOrder.js');
  const { statusCode, body } = await handler(post(draft));
  const order = JSON.parse(body);
  assert.equal(statusCode, 201);
  assert.equal(order.totalCents, 2500);
  assert.equal(order.status, 'PENDING');
  assert.deepEqual(
    calls.map(([name, input]) => [name, input.Item?.PK ?? JSON.parse(input.Message).orderId]),
    [
      ['PutCommand', 'USER#ada'],
      ['PutCommand', `ORDER#${order.id}`],
      ['PublishCommand', order.id],
    ],
  );
});

test('no 201 when the announcement fails', async () => {
  const { handler } = load('./createOrder.js');
  reply = (name) => {
    if (name === 'PublishCommand') throw new Error('topic is gone');
  };
  await assert.rejects(handler(post(draft)), /topic is gone/);
});

test('a base64 body is read', async () => {
  const { handler } = load('./createOrder.js');
  const body = Buffer.from(JSON.stringify(draft)).toString('base64');
  assert.equal((await handler({ body, isBase64Encoded: true })).statusCode, 201);
});

const invalid = [
  [undefined, ['body: a JSON object is required']],
  [{}, ['userId: required', 'items: at least one is required']],
  [{ userId: 'ada', items: [] }, ['items: at least one is required']],
  [
    { userId: 'ada', items: [{ sku: 'yacht', quantity: 1.5 }, {}] },
    [
      'items[0].sku: yacht is not sold',
      'items[0].quantity: a whole number, 1 to 100',
      'items[1].sku: required',
      'items[1].quantity: a whole number, 1 to 100',
    ],
  ],
  // A name every object has is not a product.
  [
    { userId: 'a', items: [{ sku: 'toString', quantity: 1 }] },
    ['items[0].sku: toString is not sold'],
  ],
];
for (const [body, problems] of invalid) {
  test(`400 names what is wrong: ${JSON.stringify(body)}`, async () => {
    const { handler } = load('./createOrder.js');
    const reply = await handler(body === undefined ? { body: '{' } : post(body));
    assert.equal(reply.statusCode, 400);
    assert.deepEqual(JSON.parse(reply.body).problems, problems);
    assert.deepEqual(calls, []);
  });
}

test('an order is read with its confirmation, and without its keys', async () => {
  const { handler } = load('./getOrder.js');
  reply = () => ({
    Items: [
      { PK: 'ORDER#1', SK: 'CONFIRMATION', at: 'noon' },
      { PK: 'ORDER#1', SK: 'METADATA', id: '1', status: 'PAID' },
    ],
  });
  const { statusCode, body } = await handler({ pathParameters: { id: '1' } });
  assert.equal(statusCode, 200);
  assert.deepEqual(JSON.parse(body), { id: '1', status: 'PAID', confirmedAt: 'noon' });
});

test('an unknown order is 404', async () => {
  const { handler } = load('./getOrder.js');
  assert.equal((await handler({ pathParameters: { id: 'x' } })).statusCode, 404);
});

test('the list asks again for unprocessed keys and passes over a lost order', async () => {
  const { handler } = load('./listOrders.js');
  const batches = [
    {
      Responses: { 'orders-test': [{ PK: 'ORDER#a', SK: 'METADATA', id: 'a' }] },
      UnprocessedKeys: { 'orders-test': { Keys: [{ PK: 'ORDER#b', SK: 'METADATA' }] } },
    },
    { Responses: { 'orders-test': [{ PK: 'ORDER#b', SK: 'METADATA', id: 'b' }] } },
  ];
  reply = (name) =>
    name === 'QueryCommand'
      ? { Items: [{ id: 'b' }, { id: 'lost' }, { id: 'a' }], LastEvaluatedKey: { SK: 'ORDER#t#a' } }
      : batches.shift();
  const { body } = await handler({ queryStringParameters: { userId: 'ada' } });
  assert.deepEqual(JSON.parse(body), { orders: [{ id: 'b' }, { id: 'a' }], before: 't#a' });
});

const message = (messageId, body) => ({ messageId, body });

test('one bad message does not take its batch along', async () => {
  const { handler } = load('./sendConfirmation.js');
  const Records = [
    message('1', '{"orderId":"a","userId":"ada"}'),
    message('2', 'poison'),
    message('3', '{"orderId":"b","userId":"bob"}'),
    message('4', '{}'),
  ];
  assert.deepEqual(await handler({ Records }), {
    batchItemFailures: [{ itemIdentifier: '2' }, { itemIdentifier: '4' }],
  });
  assert.deepEqual(calls.map(([, input]) => input.Key.PK), ['ORDER#a', 'ORDER#b']);
});

test('a second delivery is a success, any other failure is not', async () => {
  const { handler } = load('./sendConfirmation.js');
  const Records = [message('1', '{"orderId":"a"}')];

  reply = () => {
    throw new ConditionalCheckFailedException({ message: 'there already', $metadata: {} });
  };
  assert.deepEqual(await handler({ Records }), { batchItemFailures: [] });

  reply = () => {
    throw new Error('the table is away');
  };
  assert.deepEqual(await handler({ Records }), { batchItemFailures: [{ itemIdentifier: '1' }] });
});

test('the report adds up all pages', async () => {
  const { handler } = load('./dailyReport.js');
  const pages = [
    {
      Items: [{ status: 'PAID', totalCents: 5 }, { status: 'PENDING', totalCents: 1 }],
      LastEvaluatedKey: { PK: 'x' },
    },
    { Items: [{ status: 'PAID', totalCents: 7 }] },
  ];
  reply = () => pages.shift();
  assert.deepEqual(await handler({ time: '2026-01-02T00:00:00Z' }), {
    since: '2026-01-01T00:00:00.000Z',
    orders: { PENDING: 1, PAID: 2, PAYMENT_FAILED: 0 },
    paidCents: 12,
  });
});

test('a report without an event is that of the last 24 hours', async () => {
  const { handler } = load('./dailyReport.js');
  reply = () => ({ Items: [] });
  const { since } = await handler({});
  const age = Date.now() - new Date(since).getTime();
  assert.ok(age >= 86_400_000 && age < 86_460_000, since);
});

test('a card number is not kept', async () => {
  const { handler } = load('./setPaymentMethod.js');
  const event = { pathParameters: { userId: 'ada' }, body: '{"cardNumber":"4242424242424242"}' };
  assert.equal((await handler(event)).statusCode, 200);
  assert.deepEqual(calls[0][1].Item, {
    PK: 'USER#ada',
    SK: 'PAYMENT_METHOD',
    token: 'tok_4242',
    last4: '4242',
  });
  assert.equal((await handler({ ...event, body: '{"cardNumber":4242}' })).statusCode, 400);
});
