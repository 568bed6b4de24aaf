// The DocumentClient of v2, as millions of lines use it: plain values, sets made by `createSet`.
'use strict';

const assert = require('node:assert/strict');
const { randomUUID } = require('node:crypto');
const { after, before, test } = require('node:test');

process.env.AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE = '1';
const AWS = require('aws-sdk');

assert.ok(process.env.AWS_ENDPOINT_URL, 'AWS_ENDPOINT_URL is not set');
AWS.config.update({ endpoint: process.env.AWS_ENDPOINT_URL, maxRetries: 0, region: 'us-east-1' });

const client = new AWS.DynamoDB();
const items = new AWS.DynamoDB.DocumentClient();
const streams = new AWS.DynamoDBStreams();
const TableName = `t-${randomUUID().slice(0, 12)}`;

before(async () => {
  const key = (hash, range) => [
    { AttributeName: hash, KeyType: 'HASH' },
    { AttributeName: range, KeyType: 'RANGE' },
  ];
  await client
    .createTable({
      TableName,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [
        { AttributeName: 'user', AttributeType: 'S' },
        { AttributeName: 'id', AttributeType: 'N' },
        { AttributeName: 'status', AttributeType: 'S' },
      ],
      KeySchema: key('user', 'id'),
      GlobalSecondaryIndexes: [
        {
          IndexName: 'byStatus',
          KeySchema: key('status', 'id'),
          Projection: { ProjectionType: 'INCLUDE', NonKeyAttributes: ['price'] },
        },
      ],
      StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_IMAGE' },
    })
    .promise();
  await client.waitFor('tableExists', { TableName, $waiter: { delay: 1 } }).promise();
});

after(() => client.deleteTable({ TableName }).promise());

test('a document comes back as it was', async () => {
  const Item = {
    user: 'document',
    id: 1,
    nested: { list: [1.5, null, true, { deeper: 'grüße' }], empty: '' },
    bytes: Buffer.from([0, 255]),
    tags: items.createSet(['b', 'a']),
    sizes: items.createSet([2.5, -1]),
  };
  await items.put({ TableName, Item }).promise();
  const Key = { user: 'document', id: 1 };
  const found = (await items.get({ TableName, Key, ConsistentRead: true }).promise()).Item;
  const { tags, sizes, ...rest } = Item;
  assert.deepEqual([...found.tags.values].sort(), ['a', 'b']);
  assert.deepEqual([...found.sizes.values].sort(), [-1, 2.5]);
  assert.deepEqual({ ...found, tags: undefined, sizes: undefined }, {
    ...rest,
    tags: undefined,
    sizes: undefined,
  });
  assert.deepEqual(await items.get({ TableName, Key: { user: 'none', id: 1 } }).promise(), {});
});

test('an update with a condition', async () => {
  const Key = { user: 'update', id: 1 };
  await items.put({ TableName, Item: { ...Key, status: 'open', tags: items.createSet(['x']) } }).promise();
  const params = () => ({
    TableName,
    Key,
    UpdateExpression: 'SET #s = :paid, price = if_not_exists(price, :n) + :n DELETE tags :x',
    ConditionExpression: '#s = :open',
    ExpressionAttributeNames: { '#s': 'status' },
    ExpressionAttributeValues: {
      ':paid': 'paid',
      ':open': 'open',
      ':n': 2,
      ':x': items.createSet(['x']),
    },
    ReturnValues: 'ALL_NEW',
  });
  const update = () => items.update(params()).promise();
  // A set that loses its last value is gone.
  assert.deepEqual((await update()).Attributes, { ...Key, status: 'paid', price: 4 });
  await assert.rejects(update(), {
    code: 'ConditionalCheckFailedException',
    statusCode: 400,
    retryable: false,
  });
});

test('batches, and an index in pages', async () => {
  const puts = Array.from({ length: 25 }, (_, id) => ({
    PutRequest: { Item: { user: 'batch', id, status: 'shipped', price: id, note: 'x' } },
  }));
  const written = await items.batchWrite({ RequestItems: { [TableName]: puts } }).promise();
  assert.deepEqual(written.UnprocessedItems, {});

  const query = {
    TableName,
    IndexName: 'byStatus',
    KeyConditionExpression: '#s = :s AND id >= :from',
    ExpressionAttributeNames: { '#s': 'status' },
    ExpressionAttributeValues: { ':s': 'shipped', ':from': 5 },
    Limit: 8,
  };
  const pages = [];
  let ExclusiveStartKey;
  do {
    const page = await items.query({ ...query, ExclusiveStartKey }).promise();
    pages.push(page.Items);
    ({ LastEvaluatedKey: ExclusiveStartKey } = page);
  } while (ExclusiveStartKey);
  assert.deepEqual(pages.map((page) => page.length), [8, 8, 4]);
  assert.deepEqual(pages.flat().map(({ id }) => id), Array.from({ length: 20 }, (_, n) => n + 5));
  assert.deepEqual(pages[0][0], { user: 'batch', id: 5, status: 'shipped', price: 5 }); // no note

  const Keys = [3, 24, 99].map((id) => ({ user: 'batch', id }));
  const read = await items.batchGet({ RequestItems: { [TableName]: { Keys } } }).promise();
  assert.deepEqual(read.Responses[TableName].map(({ id }) => id).sort(), [24, 3]);
  assert.deepEqual(read.UnprocessedKeys, {});
});

test('a transaction, and why it was cancelled', async () => {
  const put = (id, more) => ({ Put: { TableName, Item: { user: 'transaction', id }, ...more } });
  await items.transactWrite({ TransactItems: [put(1), put(2)] }).promise();
  const fresh = { ConditionExpression: 'attribute_not_exists(id)' };
  const request = items.transactWrite({ TransactItems: [put(3), put(1, fresh)] });
  // v2 does not model the reasons: who wants them reads the body, as here.
  let reasons;
  request.on('extractError', ({ httpResponse }) => {
    reasons = JSON.parse(httpResponse.body.toString()).CancellationReasons;
  });
  await assert.rejects(request.promise(), {
    code: 'TransactionCanceledException',
    message:
      'Transaction cancelled, please refer cancellation reasons for specific reasons ' +
      '[None, ConditionalCheckFailed]',
  });
  assert.deepEqual(reasons.map(({ Code }) => Code), ['None', 'ConditionalCheckFailed']);

  const gets = [1, 2, 3].map((id) => ({ Get: { TableName, Key: { user: 'transaction', id } } }));
  const { Responses } = await items.transactGet({ TransactItems: gets }).promise();
  assert.deepEqual(Responses.map(({ Item }) => Item?.id), [1, 2, undefined]);
});

test('a time to live, and the stream', async () => {
  const TimeToLiveSpecification = { Enabled: true, AttributeName: 'until' };
  await client.updateTimeToLive({ TableName, TimeToLiveSpecification }).promise();
  const told = await client.describeTimeToLive({ TableName }).promise();
  assert.equal(told.TimeToLiveDescription.AttributeName, 'until');

  await items.put({ TableName, Item: { user: 'stream', id: 1, list: ['a'] } }).promise();
  const { Table } = await client.describeTable({ TableName }).promise();
  const StreamArn = Table.LatestStreamArn;
  const { StreamDescription } = await streams.describeStream({ StreamArn }).promise();
  const [{ ShardId }] = StreamDescription.Shards;
  const ask = { StreamArn, ShardId, ShardIteratorType: 'TRIM_HORIZON' };
  const { ShardIterator } = await streams.getShardIterator(ask).promise();
  const { Records } = await streams.getRecords({ ShardIterator }).promise();
  const images = Records.map(({ dynamodb }) => AWS.DynamoDB.Converter.unmarshall(dynamodb.NewImage));
  assert.deepEqual(
    images.filter(({ user }) => user === 'stream'),
    [{ user: 'stream', id: 1, list: ['a'] }],
  );
});
