// What the deployed consumer promises.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';

import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DeleteMessageCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { SendMessageBatchCommand } from '@aws-sdk/client-sqs';
import { DynamoDBDocumentClient, GetCommand } from '@aws-sdk/lib-dynamodb';

import { deployed, eventually, options } from '../../testing.mjs';

const { outputs } = await deployed('idempotent-consumer');
const { LedgerTable: TableName, PaymentsUrl, DeadLettersUrl } = outputs;
const sqs = new SQSClient(options);
const table = DynamoDBDocumentClient.from(new DynamoDBClient(options));

async function send(bodies) {
  for (let from = 0; from < bodies.length; from += 10) {
    const Entries = bodies.slice(from, from + 10).map((body, n) => ({
      Id: `${n}`,
      MessageBody: typeof body === 'string' ? body : JSON.stringify(body),
    }));
    const sent = await sqs.send(new SendMessageBatchCommand({ QueueUrl: PaymentsUrl, Entries }));
    assert.equal(sent.Failed, undefined);
  }
}

async function read(account) {
  const Key = { id: `ACCOUNT#${account}` };
  return (await table.send(new GetCommand({ TableName, Key, ConsistentRead: true }))).Item;
}

/** Waits for a dead letter and takes it away. */
function dead(wanted) {
  return eventually(async () => {
    const ask = { QueueUrl: DeadLettersUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 1 };
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({ ...ask, VisibilityTimeout: 1 }),
    );
    const found = Messages.find(({ Body }) => Body === wanted);
    if (!found) return undefined;
    const { ReceiptHandle } = found;
    await sqs.send(new DeleteMessageCommand({ QueueUrl: DeadLettersUrl, ReceiptHandle }));
    return found;
  }, `${wanted} among the dead letters`);
}

test('each payment is credited once, however often it comes', async () => {
  const [account, last] = [randomUUID(), randomUUID()];
  const payments = Array.from({ length: 20 }, (_, n) => ({
    paymentId: randomUUID(),
    account,
    cents: n + 1,
  }));
  // Three times each, mixed, so that copies are worked on at the same time.
  const copies = [...payments, ...payments.toReversed(), ...payments];
  await send(copies);
  await eventually(async () => (await read(account))?.payments === 20, '20 payments');
  await send([...copies, { paymentId: randomUUID(), account: last, cents: 1 }]);
  await eventually(() => read(last), 'the last payment');
  assert.deepEqual(await read(account), { id: `ACCOUNT#${account}`, cents: 210, payments: 20 });
});

test('one bad message stops nothing', async () => {
  const account = randomUUID();
  const good = [5, 6, 7].map((cents) => ({ paymentId: randomUUID(), account, cents }));
  const poison = `{"poison":"${account}"`; // not JSON: the brace is missing
  await send([good[0], poison, good[1], good[2]]);
  await eventually(async () => (await read(account))?.cents === 18, '18 cents');
  await dead(poison);
});

test('an id is not taken for another payment', async () => {
  const account = randomUUID();
  const payment = { paymentId: randomUUID(), account, cents: 5 };
  await send([payment]);
  await eventually(() => read(account), 'the payment');
  const other = { ...payment, cents: 500 };
  await send([other]);
  await dead(JSON.stringify(other));
  assert.equal((await read(account)).cents, 5);
});
