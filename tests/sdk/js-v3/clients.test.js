// AWS SDK for JavaScript v3 with nothing but AWS_ENDPOINT_URL.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';

import * as dynamodb from '@aws-sdk/client-dynamodb';
import * as lambda from '@aws-sdk/client-lambda';
import * as logs from '@aws-sdk/client-cloudwatch-logs';
import * as sns from '@aws-sdk/client-sns';
import * as sqs from '@aws-sdk/client-sqs';
import * as sts from '@aws-sdk/client-sts';
import { DynamoDBDocument, paginateQuery } from '@aws-sdk/lib-dynamodb';
import { strToU8, zipSync } from 'fflate';

assert.ok(process.env.AWS_ENDPOINT_URL, 'AWS_ENDPOINT_URL is not set');

const once = { maxAttempts: 1 }; // an error must be seen, not smoothed over
const name = () => `t-${randomUUID().slice(0, 12)}`;

test('sts: who am I', async () => {
  const client = new sts.STS(once);
  const caller = await client.getCallerIdentity({});
  assert.equal(caller.Account, '000000000000');
});

test('dynamodb: the document client', async () => {
  const client = new dynamodb.DynamoDB(once);
  const items = DynamoDBDocument.from(client);
  const TableName = name();
  await client.createTable({
    TableName,
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: [
      { AttributeName: 'pk', AttributeType: 'S' },
      { AttributeName: 'n', AttributeType: 'N' },
    ],
    KeySchema: [
      { AttributeName: 'pk', KeyType: 'HASH' },
      { AttributeName: 'n', KeyType: 'RANGE' },
    ],
  });
  await dynamodb.waitUntilTableExists({ client, minDelay: 1, maxWaitTime: 20 }, { TableName });

  const item = { pk: 'p', n: 1, deep: { list: [1, 'a', null, true] }, tags: new Set(['x']) };
  await items.put({ TableName, Item: item });
  const found = await items.get({ TableName, Key: { pk: 'p', n: 1 }, ConsistentRead: true });
  assert.deepEqual(found.Item, item);

  await assert.rejects(
    items.put({ TableName, Item: item, ConditionExpression: 'attribute_not_exists(pk)' }),
    (error) =>
      error instanceof dynamodb.ConditionalCheckFailedException &&
      error.$metadata.httpStatusCode === 400 &&
      error.message === 'The conditional request failed',
  );
  const updated = await items.update({
    TableName,
    Key: { pk: 'p', n: 1 },
    UpdateExpression: 'SET deep.#list = list_append(deep.#list, :more) ADD hits :one',
    ExpressionAttributeNames: { '#list': 'list' },
    ExpressionAttributeValues: { ':more': [2], ':one': 1 },
    ReturnValues: 'UPDATED_NEW',
  });
  assert.deepEqual(updated.Attributes, { deep: { list: [1, 'a', null, true, 2] }, hits: 1 });

  const puts = Array.from({ length: 9 }, (_, index) => ({
    PutRequest: { Item: { pk: 'p', n: index + 2 } },
  }));
  await items.batchWrite({ RequestItems: { [TableName]: puts } });
  const numbers = [];
  const query = {
    TableName,
    KeyConditionExpression: 'pk = :p AND n BETWEEN :low AND :high',
    ExpressionAttributeValues: { ':p': 'p', ':low': 2, ':high': 9 },
  };
  for await (const page of paginateQuery({ client: items, pageSize: 3 }, query)) {
    numbers.push(...page.Items.map((each) => each.n));
  }
  assert.deepEqual(numbers, [2, 3, 4, 5, 6, 7, 8, 9]);
  await client.deleteTable({ TableName });
});

test('sqs and sns: one message to two queues, sums checked by the client', async () => {
  const topics = new sns.SNS(once);
  const queues = new sqs.SQS(once);
  const { TopicArn } = await topics.createTopic({ Name: name() });
  const urls = [];
  for (const RawMessageDelivery of ['true', 'false']) {
    const QueueName = name();
    const { QueueUrl } = await queues.createQueue({ QueueName });
    urls.push(QueueUrl);
    const { Attributes } = await queues.getQueueAttributes({
      QueueUrl,
      AttributeNames: ['QueueArn'],
    });
    assert.equal(Attributes.QueueArn, `arn:aws:sqs:us-east-1:000000000000:${QueueName}`);
    await topics.subscribe({
      TopicArn,
      Protocol: 'sqs',
      Endpoint: Attributes.QueueArn,
      Attributes: { RawMessageDelivery, FilterPolicy: '{"kind":["a"]}' },
    });
  }
  for (const StringValue of ['a', 'b']) {
    await topics.publish({
      TopicArn,
      Message: `kind ${StringValue}`,
      MessageAttributes: { kind: { DataType: 'String', StringValue } },
    });
  }
  const receive = async (QueueUrl) => {
    const { Messages = [] } = await queues.receiveMessage({
      QueueUrl,
      MaxNumberOfMessages: 10,
      WaitTimeSeconds: 5,
      MessageAttributeNames: ['All'],
    });
    assert.equal(Messages.length, 1);
    await queues.deleteMessage({ QueueUrl, ReceiptHandle: Messages[0].ReceiptHandle });
    return Messages[0];
  };
  const raw = await receive(urls[0]);
  assert.equal(raw.Body, 'kind a');
  assert.equal(raw.MessageAttributes.kind.StringValue, 'a');
  assert.equal(JSON.parse((await receive(urls[1])).Body).Message, 'kind a');

  await assert.rejects(
    queues.sendMessage({ QueueUrl: `${urls[0]}-none`, MessageBody: 'x' }),
    sqs.QueueDoesNotExist,
  );
});

test('lambda and logs: a function runs, fails, and is heard', async () => {
  const functions = new lambda.Lambda(once);
  const FunctionName = name();
  const source = `exports.handler = async (event) => {
    console.log('heard', event.word);
    if (event.fail) throw new TypeError(event.fail);
    return { said: event.word };
  };`;
  await functions.createFunction({
    FunctionName,
    Runtime: 'nodejs20.x',
    Role: 'arn:aws:iam::000000000000:role/any',
    Handler: 'index.handler',
    Code: { ZipFile: zipSync({ 'index.js': strToU8(source) }) },
  });
  const wait = { client: functions, minDelay: 1, maxWaitTime: 20 };
  await lambda.waitUntilFunctionActiveV2(wait, { FunctionName });

  const invoke = async (event) => {
    const reply = await functions.invoke({ FunctionName, Payload: JSON.stringify(event) });
    return { ...reply, payload: JSON.parse(reply.Payload.transformToString()) };
  };
  assert.deepEqual((await invoke({ word: 'otter' })).payload, { said: 'otter' });
  const failed = await invoke({ word: 'x', fail: 'no' });
  assert.equal(failed.FunctionError, 'Unhandled');
  assert.equal(failed.payload.errorType, 'TypeError');

  const { events } = await new logs.CloudWatchLogs(once).filterLogEvents({
    logGroupName: `/aws/lambda/${FunctionName}`,
    filterPattern: 'otter',
  });
  assert.equal(events.length, 1);
  assert.match(events[0].message, /\tINFO\theard otter/);

  await functions.deleteFunction({ FunctionName });
  await assert.rejects(functions.getFunction({ FunctionName }), lambda.ResourceNotFoundException);
});

test('lambda: a response is read as it is produced', async () => {
  const functions = new lambda.Lambda(once);
  const FunctionName = name();
  // The handler goes on when the test has read what it wrote and sends a message.
  const source = `exports.handler = awslambda.streamifyResponse(async (event, out) => {
    out.write('first');
    if (event.fail) throw new RangeError(event.fail);
    await fetch(process.env.AWS_ENDPOINT_URL, {
      method: 'POST',
      headers: {
        'x-amz-target': 'AmazonSQS.ReceiveMessage',
        'content-type': 'application/x-amz-json-1.0',
      },
      body: JSON.stringify({ QueueUrl: event.queue, WaitTimeSeconds: 20 }),
    });
    out.end('second');
  });`;
  await functions.createFunction({
    FunctionName,
    Runtime: 'nodejs20.x',
    Role: 'arn:aws:iam::000000000000:role/any',
    Handler: 'index.handler',
    Timeout: 30,
    Code: { ZipFile: zipSync({ 'index.js': strToU8(source) }) },
  });
  const wait = { client: functions, minDelay: 1, maxWaitTime: 20 };
  await lambda.waitUntilFunctionActiveV2(wait, { FunctionName });
  const queues = new sqs.SQS(once);
  const { QueueUrl } = await queues.createQueue({ QueueName: name() });

  const read = async (event, seen) => {
    const input = { FunctionName, Payload: JSON.stringify(event), LogType: 'Tail' };
    const reply = await functions.send(new lambda.InvokeWithResponseStreamCommand(input));
    for await (const each of reply.EventStream) {
      if (each.InvokeComplete) return each.InvokeComplete;
      await seen(Buffer.from(each.PayloadChunk.Payload).toString());
    }
  };
  const chunks = [];
  const complete = await read({ queue: QueueUrl }, async (chunk) => {
    chunks.push(chunk);
    if (chunk === 'first') await queues.sendMessage({ QueueUrl, MessageBody: 'go on' });
  });
  assert.deepEqual(chunks, ['first', 'second']);
  assert.equal(complete.ErrorCode, undefined);
  assert.match(Buffer.from(complete.LogResult, 'base64').toString(), /REPORT RequestId/);
  const failed = await read({ fail: 'no' }, (chunk) => assert.equal(chunk, 'first'));
  assert.equal(failed.ErrorCode, 'Unhandled');
  assert.equal(JSON.parse(failed.ErrorDetails).errorType, 'RangeError');
  await queues.deleteQueue({ QueueUrl });
  await functions.deleteFunction({ FunctionName });
});

test('sqs: a FIFO queue', async () => {
  const queues = new sqs.SQS(once);
  const QueueName = `${name()}.fifo`;
  const Attributes = { FifoQueue: 'true', ContentBasedDeduplication: 'true' };
  const { QueueUrl } = await queues.createQueue({ QueueName, Attributes });
  const sent = [];
  for (const MessageBody of ['1', '2', '1']) {
    sent.push(await queues.sendMessage({ QueueUrl, MessageBody, MessageGroupId: 'g' }));
  }
  assert.equal(sent[0].SequenceNumber, sent[2].SequenceNumber);
  assert.ok(sent[0].SequenceNumber < sent[1].SequenceNumber);
  const ask = { QueueUrl, MaxNumberOfMessages: 10, ReceiveRequestAttemptId: 'try' };
  const { Messages } = await queues.receiveMessage(ask);
  assert.deepEqual(Messages.map(({ Body }) => Body), ['1', '2']);
  const again = await queues.receiveMessage(ask);
  assert.deepEqual(again.Messages, Messages);
  await assert.rejects(
    queues.sendMessage({ QueueUrl, MessageBody: 'x' }),
    (error) => error.message === 'The request must contain the parameter MessageGroupId.',
  );
  await queues.deleteQueue({ QueueUrl });
});
