// What the deployed application promises. It finds Cumulet by AWS_ENDPOINT_URL.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { CloudWatchLogsClient, FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DeleteMessageCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { SendMessageBatchCommand } from '@aws-sdk/client-sqs';
import { DynamoDBDocumentClient, GetCommand } from '@aws-sdk/lib-dynamodb';

const WAIT_MS = 30_000;
const endpoint = (process.env.AWS_ENDPOINT_URL ?? 'http://localhost:4566').replace(/\/$/, '');
const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
const options = { endpoint, region: 'us-east-1', credentials };
const table = DynamoDBDocumentClient.from(new DynamoDBClient(options));
const sqs = new SQSClient(options);
const logs = new CloudWatchLogsClient(options);

const stage = process.env.STAGE ?? 'dev';
const reply = await fetch(`${endpoint}/_cumulet/stacks`);
const stack = (await reply.json()).find((each) => each.name === `powertools-${stage}`);
assert.ok(stack, 'it is not deployed: cumulet deploy examples/powertools');
const { HttpApiId, LedgerTableName, DeadLettersUrl } = stack.outputs;
const api = `${endpoint}/_aws/execute-api/${HttpApiId}/$default`;

async function post(path, key, amountCents) {
  const headers = { 'content-type': 'application/json', 'idempotency-key': key };
  const reply = await fetch(api + path, {
    method: 'POST',
    headers,
    body: JSON.stringify({ amountCents }),
  });
  return { status: reply.status, body: await reply.json().catch(() => ({})) };
}

/** Asks again until there is an answer. */
async function eventually(ask, what) {
  for (const until = Date.now() + WAIT_MS; Date.now() < until; await sleep(100)) {
    const answer = await ask();
    if (answer) return answer;
  }
  assert.fail(`not within ${WAIT_MS} ms: ${what}`);
}

async function settled(id) {
  const read = new GetCommand({ TableName: LedgerTableName, Key: { id }, ConsistentRead: true });
  return (await table.send(read)).Item;
}

/** What a function has logged as JSON. */
async function logged(name) {
  const group = { logGroupName: `/aws/lambda/powertools-${stage}-${name}` };
  const { events } = await logs.send(new FilterLogEventsCommand(group));
  return events.flatMap(({ message }) => {
    try {
      return [JSON.parse(message)];
    } catch {
      return []; // START, END, REPORT
    }
  });
}

const pairs = [
  { path: '/charges', taker: 'charge', word: 'charged', settler: 'settleCharges', by: 'python' },
  { path: '/refunds', taker: 'refund', word: 'refunded', settler: 'settleRefunds', by: 'typescript' },
];

for (const { path, taker, word, settler, by } of pairs) {
  test(`${taker}: once per key`, async () => {
    const key = randomUUID();
    const first = await post(path, key, 1200);
    assert.equal(first.status, 201, JSON.stringify(first));
    const { id } = first.body;
    for (let time = 0; time < 3; time++) {
      const again = await post(path, key, 1200);
      assert.deepEqual([again.status, again.body.id], [201, id]);
    }
    assert.equal((await post(path, key, 1300)).status, 422, 'another amount');
    assert.equal((await post(path, randomUUID(), 'much')).status, 400);

    const item = await eventually(() => settled(id), `${id} in the ledger`);
    assert.deepEqual(item, { id, amountCents: 1200, settledBy: by, times: 1 });
  });

  test(`${taker}: many at once with one key`, async () => {
    const key = randomUUID();
    const replies = await Promise.all(Array.from({ length: 10 }, () => post(path, key, 700)));
    const ids = new Set(replies.filter((one) => one.status === 201).map((one) => one.body.id));
    const refused = replies.filter((one) => one.status === 409).length;
    const accepted = replies.filter((one) => one.status === 201).length;
    assert.equal(accepted + refused, 10, JSON.stringify(replies));
    assert.equal(ids.size, 1);
    const [id] = ids;
    const item = await eventually(() => settled(id), `${id} in the ledger`);
    assert.equal(item.times, 1);
  });

  test(`${settler}: one bad message of a batch alone is a dead letter`, async () => {
    const queue = stack.outputs[path === '/charges' ? 'ChargesQueueUrl' : 'RefundsQueueUrl'];
    const messages = [1, 2, 13, 4].map((amountCents) => ({ id: randomUUID(), amountCents }));
    const Entries = messages.map((message) => ({
      Id: message.id,
      MessageBody: JSON.stringify(message),
    }));
    await sqs.send(new SendMessageBatchCommand({ QueueUrl: queue, Entries }));
    const bad = messages[2];
    for (const { id } of messages.filter((message) => message !== bad)) {
      assert.equal((await eventually(() => settled(id), `${id} in the ledger`)).times, 1);
    }
    const dead = await eventually(async () => {
      const ask = { QueueUrl: DeadLettersUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 1 };
      const { Messages = [] } = await sqs.send(
        new ReceiveMessageCommand({ ...ask, VisibilityTimeout: 1 }),
      );
      return Messages.find((message) => JSON.parse(message.Body).id === bad.id);
    }, 'the bad message among the dead letters');
    const { ReceiptHandle } = dead;
    await sqs.send(new DeleteMessageCommand({ QueueUrl: DeadLettersUrl, ReceiptHandle }));
    assert.equal(await settled(bad.id), undefined);
  });

  test(`${taker}: logs, metrics and traces`, async () => {
    const { status, body } = await post(path, randomUUID(), 500);
    assert.equal(status, 201);
    assert.match(body.traceId, /^1-[0-9a-f]{8}-[0-9a-f]{24}$/);
    const lines = await eventually(async () => {
      const lines = await logged(taker);
      return lines.some((line) => line.id === body.id) && lines;
    }, `${body.id} in the log of ${taker}`);

    const line = lines.find((line) => line.id === body.id);
    assert.equal(line.message, word);
    assert.equal(line.level, 'INFO');
    assert.equal(line.service, taker);
    assert.equal(line.xray_trace_id, body.traceId);
    assert.equal(line.function_name, `powertools-${stage}-${taker}`);
    assert.ok(line.function_request_id && line.correlation_id, JSON.stringify(line));

    const metrics = lines.filter((line) => line._aws);
    const names = metrics.flatMap((line) => line._aws.CloudWatchMetrics[0].Metrics);
    assert.deepEqual(
      [...new Set(names.map((metric) => metric.Name))].sort(),
      ['ColdStart', word].sort(),
    );
    for (const { _aws } of metrics) assert.equal(_aws.CloudWatchMetrics[0].Namespace, 'Payments');
    // Nobody listens for traces; nobody may mind.
    const trouble = lines.filter((line) => line.level === 'ERROR' || line.level === 'WARN');
    assert.deepEqual(trouble, []);
  });
}
