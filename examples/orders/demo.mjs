// Places 20 orders, one of them on a bad card, sends one poison message, and waits until each is
// where it belongs. Ends with `ok` and 0, or with what went wrong and 1.
//
//   node demo.mjs                          against `cumulet dev` on port 4566, or AWS_ENDPOINT_URL
//   API_URL=… CONFIRMATIONS_URL=… DEAD_LETTERS_URL=… node demo.mjs       against AWS
import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';

import {
  DeleteMessageCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';

const { values: options } = parseArgs({
  options: {
    stage: { type: 'string', default: 'dev' },
    seconds: { type: 'string', default: '60' }, // how long to wait for the end
  },
});

const ORDERS = 20;
const GOOD_CARD = '4242424242424242';
const BAD_CARD = '4000000000000002';

const run = randomUUID().slice(0, 8);
const good = `ada-${run}`;
const bad = `bob-${run}`;
const poison = `{"poison":"${run}"`; // not JSON: the brace is missing
const started = Date.now();
const deadline = started + Number(options.seconds) * 1000;

const { api, queue, deadLetters } = await find();
const sqs = new SQSClient(clientOptions());

await request('PUT', `/users/${good}/payment-method`, { cardNumber: GOOD_CARD }, 200);
await request('PUT', `/users/${bad}/payment-method`, { cardNumber: BAD_CARD }, 200);
const incomplete = await request('POST', '/orders', { items: [] }, 400);
await sqs.send(new SendMessageCommand({ QueueUrl: queue, MessageBody: poison }));

const placed = await Promise.all(
  Array.from({ length: ORDERS }, (_, index) =>
    request('POST', '/orders', {
      userId: index === 7 ? bad : good,
      items: [
        { sku: 'coffee-250g', quantity: index + 1 },
        { sku: 'mug-blue', quantity: 1 },
      ],
    }, 201),
  ),
);
const placedMs = Date.now() - started;

const rows = await Promise.all(placed.map(settled));
const settledMs = Date.now() - started;
const dead = await deadLetter();
const deadMs = Date.now() - started;
const listed = await request('GET', `/orders?userId=${good}&limit=100`, undefined, 200);

report();

/** Waits until an order is paid and confirmed, or refused. */
async function settled({ id }) {
  for (;;) {
    const order = await request('GET', `/orders/${id}`, undefined, 200);
    const done = order.status === 'PAID' ? order.confirmedAt : order.status !== 'PENDING';
    if (done || Date.now() > deadline) return order;
    await sleep(100);
  }
}

/** Waits for our poison message among the dead letters and takes it away; others it leaves. */
async function deadLetter() {
  while (Date.now() < deadline) {
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({
        QueueUrl: deadLetters,
        MaxNumberOfMessages: 10,
        WaitTimeSeconds: 5,
        VisibilityTimeout: 2,
        MessageSystemAttributeNames: ['ApproximateReceiveCount'],
      }),
    );
    const ours = Messages.find((message) => message.Body === poison);
    if (!ours) continue;
    await sqs.send(
      new DeleteMessageCommand({ QueueUrl: deadLetters, ReceiptHandle: ours.ReceiptHandle }),
    );
    return ours;
  }
  return undefined;
}

function report() {
  const faults = [];
  const expect = (truth, text) => truth || faults.push(text);

  console.log('order     user           total  status          confirmed');
  for (const order of rows) {
    const cells = [
      order.id.slice(0, 8),
      order.userId.padEnd(12),
      (order.totalCents / 100).toFixed(2).padStart(7),
      `${order.status}${order.failure ? ' (declined)' : ''}`.padEnd(24),
      order.confirmedAt ?? '-',
    ];
    console.log(cells.join('  '));

    const wanted = order.userId === bad ? 'PAYMENT_FAILED' : 'PAID';
    const history = order.history.map((entry) => entry.status).join(' ');
    expect(history === `PENDING ${wanted}`, `${order.id}: ${history}, not PENDING ${wanted}`);
    expect(Boolean(order.confirmedAt) === (wanted === 'PAID'), `${order.id}: confirmation`);
  }
  expect(new Set(rows.map((order) => order.id)).size === ORDERS, 'two orders share an id');
  expect(listed.orders.length === ORDERS - 1, `${listed.orders.length} orders in the user's list`);
  expect(incomplete.problems.length === 2, 'the incomplete order was not explained');
  expect(dead, 'the poison message is not in the dead-letter queue');

  const count = (status) => rows.filter((order) => order.status === status).length;
  console.log(`
placed ${ORDERS} in ${placedMs} ms, all settled after ${settledMs} ms
${count('PAID')} paid, ${count('PAYMENT_FAILED')} refused, ${count('PENDING')} pending
poison message in the dead-letter queue: ${dead ? `yes, after ${deadMs} ms` : 'no'}`);

  for (const fault of faults) console.log(`wrong: ${fault}`);
  console.log(faults.length === 0 ? 'ok' : 'not ok');
  process.exitCode = faults.length === 0 ? 0 : 1;
}

/** Where the application is: said by the environment, or asked of Cumulet. */
async function find() {
  const { API_URL: api, CONFIRMATIONS_URL: queue, DEAD_LETTERS_URL: deadLetters } = process.env;
  if (api) return { api: api.replace(/\/$/, ''), queue, deadLetters };

  const name = `orders-${options.stage}`;
  const reply = await fetch(`${endpoint()}/_cumulet/stacks`).catch(() => {
    fail(`nothing listens on ${endpoint()}. Start it: cumulet dev examples/orders`);
  });
  const stack = (await reply.json()).find((stack) => stack.name === name);
  if (!stack) fail(`${name} is not deployed. Deploy it: cumulet deploy examples/orders`);
  const { HttpApiId, ConfirmationQueueUrl, DeadLetterQueueUrl } = stack.outputs;
  return {
    // By path, because not every resolver knows names below .localhost.
    api: `${endpoint()}/_aws/execute-api/${HttpApiId}/$default`,
    queue: ConfirmationQueueUrl,
    deadLetters: DeadLetterQueueUrl,
  };
}

function endpoint() {
  return (process.env.AWS_ENDPOINT_URL ?? 'http://localhost:4566').replace(/\/$/, '');
}

/** Cumulet takes any credentials in `dev`; AWS takes those of the environment. */
function clientOptions() {
  if (process.env.API_URL) return {};
  const credentials = { accessKeyId: 'demo', secretAccessKey: 'demo' };
  return { endpoint: endpoint(), region: process.env.AWS_REGION ?? 'us-east-1', credentials };
}

async function request(method, path, body, expected) {
  const reply = await fetch(api + path, {
    method,
    headers: { 'content-type': 'application/json' },
    body: body && JSON.stringify(body),
  });
  const text = await reply.text();
  if (reply.status !== expected) {
    fail(`${method} ${path}: ${reply.status}, not ${expected}: ${text}`);
  }
  return JSON.parse(text);
}

function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function fail(text) {
  console.error(`demo: ${text}`);
  process.exit(1);
}
