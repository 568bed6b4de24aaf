// AWS SDK for JavaScript v2. It is older than AWS_ENDPOINT_URL and does not read it, so a program
// of one's own needs the one line below. Inside a function it needs nothing: the last test.
'use strict';

const assert = require('node:assert/strict');
const { randomUUID } = require('node:crypto');
const { readFileSync, readdirSync } = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

process.env.AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE = '1';
const AWS = require('aws-sdk');
const { strToU8, zipSync } = require('fflate');

assert.ok(process.env.AWS_ENDPOINT_URL, 'AWS_ENDPOINT_URL is not set');
AWS.config.update({ endpoint: process.env.AWS_ENDPOINT_URL, maxRetries: 0, region: 'us-east-1' });

const name = () => `t-${randomUUID().slice(0, 12)}`;

test('sts: who am I', async () => {
  assert.equal((await new AWS.STS().getCallerIdentity().promise()).Account, '000000000000');
});

test('dynamodb: the document client', async () => {
  const client = new AWS.DynamoDB();
  const items = new AWS.DynamoDB.DocumentClient();
  const TableName = name();
  await client
    .createTable({
      TableName,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
    })
    .promise();
  await client.waitFor('tableExists', { TableName, $waiter: { delay: 1 } }).promise();

  const Item = { id: 'a', n: 1.5, list: [1, { b: true }], tags: items.createSet(['x']) };
  await items.put({ TableName, Item }).promise();
  const found = (await items.get({ TableName, Key: { id: 'a' } }).promise()).Item;
  assert.deepEqual({ ...found, tags: found.tags.values }, { ...Item, tags: ['x'] });

  await assert.rejects(
    items.put({ TableName, Item, ConditionExpression: 'attribute_not_exists(id)' }).promise(),
    { code: 'ConditionalCheckFailedException', statusCode: 400 },
  );
  const updated = await items
    .update({
      TableName,
      Key: { id: 'a' },
      UpdateExpression: 'SET n = n + :one',
      ExpressionAttributeValues: { ':one': 1 },
      ReturnValues: 'UPDATED_NEW',
    })
    .promise();
  assert.deepEqual(updated.Attributes, { n: 2.5 });
  await client.deleteTable({ TableName }).promise();
});

test('sqs and sns: a topic to a queue, sums checked by the client', async () => {
  const sqs = new AWS.SQS();
  const sns = new AWS.SNS();
  const QueueName = name();
  const { QueueUrl } = await sqs.createQueue({ QueueName }).promise();
  const { TopicArn } = await sns.createTopic({ Name: name() }).promise();
  const Endpoint = `arn:aws:sqs:us-east-1:000000000000:${QueueName}`;
  const Attributes = { RawMessageDelivery: 'true' };
  await sns.subscribe({ TopicArn, Protocol: 'sqs', Endpoint, Attributes }).promise();
  await sns.publish({ TopicArn, Message: 'grüße' }).promise();
  const { Messages } = await sqs.receiveMessage({ QueueUrl, WaitTimeSeconds: 5 }).promise();
  assert.equal(Messages[0].Body, 'grüße');
  await sqs.deleteMessage({ QueueUrl, ReceiptHandle: Messages[0].ReceiptHandle }).promise();
  await assert.rejects(sqs.getQueueUrl({ QueueName: name() }).promise(), {
    code: 'AWS.SimpleQueueService.NonExistentQueue',
  });
});

/** The installed SDK as a package of a function carries it. */
function sdkFiles(packages = ['aws-sdk', ...dependencies()]) {
  const files = {};
  const root = path.join(__dirname, 'node_modules');
  for (const each of packages) {
    for (const entry of readdirSync(path.join(root, each), { recursive: true })) {
      const wanted = /\.js(on)?$/.test(entry) && !/^(dist|dist-tools|test)\//.test(entry);
      if (!wanted) continue;
      files[`node_modules/${each}/${entry}`] = readFileSync(path.join(root, each, entry));
    }
  }
  return files;
}

function dependencies() {
  const lock = require('./node_modules/.package-lock.json');
  return Object.keys(lock.packages)
    .map((each) => each.replace(/^node_modules\//, ''))
    .filter((each) => each !== 'aws-sdk' && !each.includes('/node_modules/'));
}

test('inside a function it comes home without a line of code', async () => {
  const sqs = new AWS.SQS();
  const lambda = new AWS.Lambda();
  const FunctionName = name();
  const { QueueUrl } = await sqs.createQueue({ QueueName: FunctionName }).promise();
  const source = `const AWS = require('aws-sdk');
    exports.handler = async ({ QueueUrl }) => {
      await new AWS.SQS().sendMessage({ QueueUrl, MessageBody: 'from inside' }).promise();
      return (await new AWS.STS().getCallerIdentity().promise()).Account;
    };`;
  await lambda
    .createFunction({
      FunctionName,
      Runtime: 'nodejs20.x',
      Role: 'arn:aws:iam::000000000000:role/any',
      Handler: 'index.handler',
      Timeout: 20,
      Code: { ZipFile: zipSync({ 'index.js': strToU8(source), ...sdkFiles() }, { level: 1 }) },
    })
    .promise();
  await lambda.waitFor('functionActiveV2', { FunctionName, $waiter: { delay: 1 } }).promise();
  const reply = await lambda
    .invoke({ FunctionName, Payload: JSON.stringify({ QueueUrl }) })
    .promise();
  assert.equal(reply.FunctionError, undefined, reply.Payload);
  assert.equal(reply.Payload, '"000000000000"');
  const { Messages } = await sqs.receiveMessage({ QueueUrl, WaitTimeSeconds: 5 }).promise();
  assert.equal(Messages[0].Body, 'from inside');
  await lambda.deleteFunction({ FunctionName }).promise();
});
