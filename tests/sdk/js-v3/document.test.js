// lib-dynamodb of v3: plain values, native sets, commands, typed errors, paginators.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { randomUUID } from 'node:crypto';

import * as dynamodb from '@aws-sdk/client-dynamodb';
import * as doc from '@aws-sdk/lib-dynamodb';

assert.ok(process.env.AWS_ENDPOINT_URL, 'AWS_ENDPOINT_URL is not set');

const client = new dynamodb.DynamoDBClient({ maxAttempts: 1 });
const items = doc.DynamoDBDocumentClient.from(client, {
  marshallOptions: { removeUndefinedValues: true },
  unmarshallOptions: { wrapNumbers: (text) => (text.length > 15 ? BigInt(text) : Number(text)) },
});
const TableName = `t-${randomUUID().slice(0, 12)}`;

before(async () => {
  const key = (hash, range) => [
    { AttributeName: hash, KeyType: 'HASH' },
    { AttributeName: range, KeyType: 'RANGE' },
  ];
  await client.send(
    new dynamodb.CreateTableCommand({
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
          Projection: { ProjectionType: 'ALL' },
        },
      ],
    }),
  );
  await dynamodb.waitUntilTableExists({ client, minDelay: 1, maxWaitTime: 20 }, { TableName });
});

after(() => client.send(new dynamodb.DeleteTableCommand({ TableName })));

test('a document comes back as it was', async () => {
  const Key = { user: 'document', id: 1 };
  const Item = {
    ...Key,
    nested: { list: [1.5, null, true, { deeper: 'grüße' }], empty: '' },
    bytes: Uint8Array.of(0, 255),
    tags: new Set(['a', 'b']),
    sizes: new Set([-1, 2.5]),
    large: 12345678901234567890123456789012345678n,
  };
  await items.send(new doc.PutCommand({ TableName, Item: { ...Item, nothing: undefined } }));
  const found = await items.send(new doc.GetCommand({ TableName, Key, ConsistentRead: true }));
  assert.deepEqual(found.Item, Item);
});

test('an update with a condition', async () => {
  const Key = { user: 'update', id: 1 };
  await items.send(new doc.PutCommand({ TableName, Item: { ...Key, status: 'open' } }));
  const update = new doc.UpdateCommand({
    TableName,
    Key,
    UpdateExpression: 'SET #s = :paid, price = if_not_exists(price, :n) + :n ADD tags :x',
    ConditionExpression: '#s = :open',
    ExpressionAttributeNames: { '#s': 'status' },
    ExpressionAttributeValues: { ':paid': 'paid', ':open': 'open', ':n': 2, ':x': new Set(['x']) },
    ReturnValues: 'ALL_NEW',
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
  });
  const now = { ...Key, status: 'paid', price: 4, tags: new Set(['x']) };
  assert.deepEqual((await items.send(update)).Attributes, now);
  await assert.rejects(items.send(update), (error) => {
    assert.ok(error instanceof dynamodb.ConditionalCheckFailedException);
    // Not made plain by the library: an error carries what was sent.
    assert.deepEqual(error.Item.tags, { SS: ['x'] });
    return true;
  });
});

test('batches, and an index in pages', async () => {
  const puts = Array.from({ length: 25 }, (_, id) => ({
    PutRequest: { Item: { user: 'batch', id, status: 'shipped' } },
  }));
  const RequestItems = { [TableName]: puts };
  const written = await items.send(new doc.BatchWriteCommand({ RequestItems }));
  assert.deepEqual(written.UnprocessedItems, {});

  const query = {
    TableName,
    IndexName: 'byStatus',
    KeyConditionExpression: '#s = :s AND id >= :from',
    ExpressionAttributeNames: { '#s': 'status' },
    ExpressionAttributeValues: { ':s': 'shipped', ':from': 5 },
    ScanIndexForward: false,
  };
  const pages = [];
  for await (const page of doc.paginateQuery({ client: items, pageSize: 8 }, query)) {
    pages.push(page.Items.map(({ id }) => id));
  }
  assert.deepEqual(pages.map((page) => page.length), [8, 8, 4]);
  assert.deepEqual(pages.flat(), Array.from({ length: 20 }, (_, n) => 24 - n));

  const Keys = [3, 24, 99].map((id) => ({ user: 'batch', id }));
  const ask = { RequestItems: { [TableName]: { Keys } } };
  const read = await items.send(new doc.BatchGetCommand(ask));
  assert.deepEqual(read.Responses[TableName].map(({ id }) => id).sort(), [24, 3]);
  assert.deepEqual(read.UnprocessedKeys, {});
});

test('a transaction, and why it was cancelled', async () => {
  const Item = (id) => ({ user: 'transaction', id, tags: new Set(['x']) });
  const put = (id, more) => ({ Put: { TableName, Item: Item(id), ...more } });
  await items.send(new doc.TransactWriteCommand({ TransactItems: [put(1), put(2)] }));
  const fresh = {
    ConditionExpression: 'attribute_not_exists(id)',
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
  };
  const TransactItems = [put(3), put(1, fresh)];
  await assert.rejects(items.send(new doc.TransactWriteCommand({ TransactItems })), (error) => {
    assert.ok(error instanceof dynamodb.TransactionCanceledException);
    const [first, second] = error.CancellationReasons;
    assert.deepEqual(first, { Code: 'None' });
    assert.equal(second.Code, 'ConditionalCheckFailed');
    assert.equal(second.Message, 'The conditional request failed');
    assert.deepEqual(second.Item, { user: { S: 'transaction' }, id: { N: '1' }, tags: { SS: ['x'] } });
    return true;
  });
  const gets = [1, 3].map((id) => ({ Get: { TableName, Key: { user: 'transaction', id } } }));
  const read = await items.send(new doc.TransactGetCommand({ TransactItems: gets }));
  assert.deepEqual(read.Responses.map(({ Item }) => Item), [Item(1), undefined]);
});

test('a statement', async () => {
  const insert = `INSERT INTO "${TableName}" VALUE {'user': ?, 'id': ?, 'list': ?}`;
  const Parameters = ['statement', 1, ['a', { b: 2 }]];
  await items.send(new doc.ExecuteStatementCommand({ Statement: insert, Parameters }));
  const Statement = `SELECT list[1].b FROM "${TableName}" WHERE "user" = ? AND id = 1`;
  const read = await items.send(
    new doc.ExecuteStatementCommand({ Statement, Parameters: ['statement'] }),
  );
  assert.deepEqual(read.Items, [{ b: 2 }]);
});

test('a time to live', async () => {
  const TimeToLiveSpecification = { Enabled: true, AttributeName: 'until' };
  await client.send(
    new dynamodb.UpdateTimeToLiveCommand({ TableName, TimeToLiveSpecification }),
  );
  const told = await client.send(new dynamodb.DescribeTimeToLiveCommand({ TableName }));
  assert.equal(told.TimeToLiveDescription.AttributeName, 'until');
});
