// What the deployed accounts promise.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';

import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { DeleteMessageCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { DynamoDBDocumentClient, QueryCommand } from '@aws-sdk/lib-dynamodb';

import { deployed, eventually, options } from '../../testing.mjs';

const { outputs, request } = await deployed('event-sourcing');
const table = DynamoDBDocumentClient.from(new DynamoDBClient(options));
const lambda = new LambdaClient(options);
const sqs = new SQSClient(options);

const act = (id, command, input, headers) =>
  request('POST', `/accounts/${id}/${command}`, input, headers);

async function stored(id) {
  const { Items } = await table.send(
    new QueryCommand({
      TableName: outputs.EventsTable,
      KeyConditionExpression: 'PK = :pk',
      ExpressionAttributeValues: { ':pk': `ACCOUNT#${id}` },
      ConsistentRead: true,
    }),
  );
  return Items;
}

test('an account is what happened to it', async () => {
  const id = randomUUID();
  assert.equal((await request('GET', `/accounts/${id}`)).status, 404);
  assert.equal((await act(id, 'deposit', { cents: 1 })).status, 422);
  await act(id, 'open', { owner: 'ada' });
  await act(id, 'deposit', { cents: 100 });
  assert.equal((await act(id, 'withdraw', { cents: 101 })).status, 422);
  await act(id, 'withdraw', { cents: 30 });
  const { body } = await request('GET', `/accounts/${id}`);
  assert.deepEqual(body, { version: 3, cents: 70, owner: 'ada' });
  const types = (await stored(id)).map(({ event }) => event.type);
  assert.deepEqual(types, ['opened', 'deposited', 'withdrawn']);
});

test('many at once: none is lost, none overdraws', async () => {
  const id = randomUUID();
  await act(id, 'open', { owner: 'bob' });
  const deposits = await Promise.all(
    Array.from({ length: 12 }, () => act(id, 'deposit', { cents: 10 })),
  );
  assert.deepEqual(deposits.map(({ status }) => status), Array(12).fill(200));
  const withdrawals = await Promise.all(
    Array.from({ length: 4 }, () => act(id, 'withdraw', { cents: 50 })),
  );
  const statuses = withdrawals.map(({ status }) => status).sort();
  assert.deepEqual(statuses, [200, 200, 422, 422]);
  const { body } = await request('GET', `/accounts/${id}`);
  assert.deepEqual(body, { version: 15, cents: 20, owner: 'bob' });

  const items = await stored(id);
  const versions = items.map(({ SK }) => SK).filter((SK) => SK.startsWith('EVENT#'));
  assert.deepEqual(versions, Array.from({ length: 15 }, (_, n) => `EVENT#${String(n + 1).padStart(9, '0')}`));
  const snapshot = items.find(({ SK }) => SK === 'SNAPSHOT');
  assert.equal(snapshot.account.version, 10);
});

test('a version that is not there any more is not acted on', async () => {
  const id = randomUUID();
  await act(id, 'open', { owner: 'eve' });
  const first = { 'if-match': '1' };
  const both = await Promise.all([1, 2].map((cents) => act(id, 'deposit', { cents }, first)));
  assert.deepEqual(both.map(({ status }) => status).sort(), [200, 412]);
});

test('what happened is published', async () => {
  const id = randomUUID();
  await act(id, 'open', { owner: 'ada' });
  await act(id, 'deposit', { cents: 5 });
  await lambda.send(new InvokeCommand({ FunctionName: outputs.RelayFunction }));
  const heard = [];
  await eventually(async () => {
    const QueueUrl = outputs.PublishedUrl;
    const ask = new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 });
    const { Messages = [] } = await sqs.send(ask);
    for (const { Body, ReceiptHandle } of Messages) {
      heard.push(JSON.parse(Body));
      await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
    }
    return heard.filter((message) => message.id === id).length >= 2;
  }, 'both events');
  const mine = heard.filter((message) => message.id === id);
  mine.sort((a, b) => a.version - b.version);
  assert.deepEqual(mine, [
    { id, version: 1, event: { type: 'opened', owner: 'ada' } },
    { id, version: 2, event: { type: 'deposited', cents: 5 } },
  ]);
  const { Payload } = await lambda.send(new InvokeCommand({ FunctionName: outputs.RelayFunction }));
  assert.deepEqual(JSON.parse(Buffer.from(Payload)), { published: 0 });
});
