// ElectroDB and DynamoDB-Toolbox: entities of one table, written by the same program in both.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';

import * as dynamodb from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import * as toolbox from 'dynamodb-toolbox';
import electrodb from 'electrodb';

assert.ok(process.env.AWS_ENDPOINT_URL, 'AWS_ENDPOINT_URL is not set');

const client = new dynamodb.DynamoDBClient({ maxAttempts: 1 });
const table = `t-${randomUUID().slice(0, 12)}`;

before(async () => {
  const names = ['pk', 'sk', 'gsi1pk', 'gsi1sk'];
  const key = (hash, range) => [
    { AttributeName: hash, KeyType: 'HASH' },
    { AttributeName: range, KeyType: 'RANGE' },
  ];
  await client.send(
    new dynamodb.CreateTableCommand({
      TableName: table,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: names.map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
      KeySchema: key('pk', 'sk'),
      GlobalSecondaryIndexes: [
        {
          IndexName: 'gsi1',
          KeySchema: key('gsi1pk', 'gsi1sk'),
          Projection: { ProjectionType: 'ALL' },
        },
      ],
    }),
  );
  const wait = { client, minDelay: 1, maxWaitTime: 20 };
  await dynamodb.waitUntilTableExists(wait, { TableName: table });
});

after(() => client.send(new dynamodb.DeleteTableCommand({ TableName: table })));

const text = (number) => String(number).padStart(3, '0');

test('electrodb', async (t) => {
  const options = { client, table };
  const indexes = {
    byUser: {
      collection: 'account',
      pk: { field: 'pk', composite: ['user'] },
      sk: { field: 'sk', composite: ['id'] },
    },
    byStatus: {
      index: 'gsi1',
      pk: { field: 'gsi1pk', composite: ['status'] },
      sk: { field: 'gsi1sk', composite: ['id'] },
    },
  };
  const Order = new electrodb.Entity(
    {
      model: { entity: 'order', version: '1', service: 'shop' },
      attributes: {
        user: { type: 'string', required: true },
        id: { type: 'string', required: true },
        status: { type: ['open', 'paid', 'void'], default: 'open' },
        total: { type: 'number' },
        tags: { type: 'set', items: 'string' },
        lines: {
          type: 'list',
          items: { type: 'map', properties: { sku: { type: 'string' }, n: { type: 'number' } } },
        },
      },
      indexes,
    },
    options,
  );
  const Address = new electrodb.Entity(
    {
      model: { entity: 'address', version: '1', service: 'shop' },
      attributes: { user: { type: 'string' }, id: { type: 'string' }, street: { type: 'string' } },
      indexes: { byUser: indexes.byUser },
    },
    options,
  );
  const shop = new electrodb.Service({ Order, Address }, options);

  await t.test('create, patch with a condition, read', async () => {
    const lines = [{ sku: 'mug', n: 2 }];
    const order = { user: 'ada', id: 'a', lines, tags: ['x'] };
    await Order.create(order).go();
    await assert.rejects(Order.create(order).go(), (error) => {
      assert.ok(error.cause instanceof dynamodb.ConditionalCheckFailedException);
      return true;
    });
    const patch = () =>
      Order.patch({ user: 'ada', id: 'a' })
        .set({ status: 'paid' })
        .add({ total: 5, tags: ['y'] })
        .append({ lines: [{ sku: 'tea', n: 1 }] })
        .where(({ status }, { eq }) => eq(status, 'open'))
        .go({ response: 'all_new' });
    // The index is keyed by the status, so ElectroDB writes its key anew, too.
    const { data } = await patch();
    const wanted = { ...order, status: 'paid', total: 5, lines: [...lines, { sku: 'tea', n: 1 }] };
    assert.deepEqual({ ...data, tags: [...data.tags].sort() }, { ...wanted, tags: ['x', 'y'] });
    await assert.rejects(patch(), /The conditional request failed/);
    const found = await Order.query.byStatus({ status: 'paid' }).go();
    assert.deepEqual(found.data.map(({ id }) => id), ['a']);
  });

  await t.test('batches, the index in pages, a collection', async () => {
    const orders = Array.from({ length: 60 }, (_, n) => ({
      user: 'bob',
      id: text(n),
      status: 'void',
      total: n,
    }));
    assert.deepEqual((await Order.put(orders).go()).unprocessed, []); // three requests
    await Address.put({ user: 'bob', id: 'home', street: 'Main 1' }).go();
    const pages = [];
    let cursor = null;
    do {
      const page = await Order.query
        .byStatus({ status: 'void' })
        .gte({ id: '010' })
        .where(({ total }, { ne }) => ne(total, 20))
        .go({ cursor, limit: 20, order: 'desc' });
      pages.push(page.data.map(({ id }) => id));
      ({ cursor } = page);
    } while (cursor);
    const wanted = orders.map(({ id }) => id).filter((id) => id >= '010' && id !== '020');
    assert.deepEqual(pages.flat(), wanted.reverse());
    assert.ok(pages.length >= 3, `${pages.length}`);

    const read = await Order.get([...orders, { user: 'bob', id: 'none' }]).go();
    assert.deepEqual([read.data.length, read.unprocessed], [60, []]);
    const { data } = await shop.collections.account({ user: 'bob' }).go({ pages: 'all' });
    assert.deepEqual([data.Order.length, data.Address.length], [60, 1]);
  });

  await t.test('a transaction, and why it was cancelled', async () => {
    const write = (id) =>
      shop.transaction
        .write(({ Order, Address }) => [
          Address.put({ user: 'eve', id, street: 'Side 2' }).commit(),
          Order.create({ user: 'eve', id: 'once' }).commit({ response: 'all_old' }),
        ])
        .go();
    assert.equal((await write('home')).canceled, false);
    const second = await write('work');
    assert.equal(second.canceled, true);
    const { data } = second;
    assert.deepEqual(data.map(({ code }) => code), ['None', 'ConditionalCheckFailed']);
    assert.deepEqual(data[1].item, { user: 'eve', id: 'once', status: 'open' });

    const read = await shop.transaction
      .get(({ Address }) => [
        Address.get({ user: 'eve', id: 'home' }).commit(),
        Address.get({ user: 'eve', id: 'work' }).commit(),
      ])
      .go();
    assert.deepEqual(read.data.map(({ item }) => item?.id), ['home', undefined]);
  });
});

test('dynamodb-toolbox', async (t) => {
  const { item, list, map, number, set, string } = toolbox;
  const Shop = new toolbox.Table({
    name: table,
    documentClient: DynamoDBDocumentClient.from(client),
    partitionKey: { name: 'pk', type: 'string' },
    sortKey: { name: 'sk', type: 'string' },
    indexes: {
      gsi1: {
        type: 'global',
        partitionKey: { name: 'gsi1pk', type: 'string' },
        sortKey: { name: 'gsi1sk', type: 'string' },
      },
    },
  });
  const Product = new toolbox.Entity({
    name: 'Product',
    table: Shop,
    schema: item({
      shelf: string().key().savedAs('pk'),
      sku: string().key().savedAs('sk'),
      maker: string().savedAs('gsi1pk').optional(),
      made: string().savedAs('gsi1sk').optional(),
      stock: number().default(0),
      colours: set(string()).optional(),
      parts: list(map({ name: string(), size: number() })).optional(),
    }),
  });
  const plain = ({ created, modified, entity, ...rest }) => rest;
  const key = (sku) => ({ shelf: 'toolbox', sku });
  const get = async (sku) => {
    const found = await Product.build(toolbox.GetItemCommand).key(key(sku)).send();
    return found.Item && plain(found.Item);
  };
  const put = (sku, more) =>
    Product.build(toolbox.PutItemCommand).item({ ...key(sku), ...more }).send();

  await t.test('put, update with a condition, read', async () => {
    const parts = [{ name: 'lid', size: 1.5 }];
    await put('mug', { parts, stock: 3, colours: new Set(['red']) });
    const update = Product.build(toolbox.UpdateItemCommand)
      .item({
        ...key('mug'),
        stock: toolbox.$add(-2),
        colours: toolbox.$add(new Set(['blue'])),
        parts: toolbox.$append([{ name: 'base', size: 2 }]),
      })
      .options({ condition: { attr: 'stock', gte: 2 }, returnValues: 'ALL_NEW' });
    const { Attributes } = await update.send();
    assert.deepEqual(plain(Attributes), {
      ...key('mug'),
      stock: 1,
      colours: new Set(['red', 'blue']),
      parts: [...parts, { name: 'base', size: 2 }],
    });
    await assert.rejects(update.send(), (error) => toolbox.isConditionCheckFailed(error));
    assert.equal((await get('mug')).stock, 1);
    assert.equal(await get('none'), undefined);
  });

  await t.test('batches, and the index in pages', async () => {
    const made = Array.from({ length: 25 }, (_, n) => text(n));
    const puts = made.map((made) =>
      Product.build(toolbox.BatchPutRequest).item({ ...key(`cup-${made}`), maker: 'acme', made }),
    );
    const written = await toolbox.executeBatchWrite(
      Shop.build(toolbox.BatchWriteCommand).requests(...puts),
    );
    assert.deepEqual(written.UnprocessedItems, {});

    const pages = [];
    let exclusiveStartKey;
    do {
      const page = await Shop.build(toolbox.QueryCommand)
        .query({ index: 'gsi1', partition: 'acme', range: { between: ['005', '019'] } })
        .entities(Product)
        .options({ limit: 6, reverse: true, exclusiveStartKey })
        .send();
      pages.push(page.Items.map(({ made }) => made));
      exclusiveStartKey = page.LastEvaluatedKey;
    } while (exclusiveStartKey);
    assert.deepEqual(pages.map((page) => page.length), [6, 6, 3]);
    assert.deepEqual(pages.flat(), made.slice(5, 20).reverse());

    const gets = ['cup-001', 'cup-999'].map((sku) =>
      Product.build(toolbox.BatchGetRequest).key(key(sku)),
    );
    const read = await toolbox.executeBatchGet(
      Shop.build(toolbox.BatchGetCommand).requests(...gets),
    );
    assert.deepEqual(read.Responses[0].map((found) => found?.sku), ['cup-001', undefined]);
  });

  await t.test('a transaction, and why it was cancelled', async () => {
    await put('desk', { stock: 1 });
    const take = () =>
      toolbox.executeTransactWrite(
        Product.build(toolbox.PutTransaction).item(key(`sale-${randomUUID()}`)),
        Product.build(toolbox.UpdateTransaction)
          .item({ ...key('desk'), stock: toolbox.$add(-1) })
          .options({ condition: { attr: 'stock', gt: 0 } }),
      );
    await take();
    await assert.rejects(take(), (error) => {
      assert.ok(toolbox.isTransactionCancelled(error));
      const codes = error.CancellationReasons.map(({ Code }) => Code);
      assert.deepEqual(codes, ['None', 'ConditionalCheckFailed']);
      return true;
    });
    const { Responses } = await toolbox.executeTransactGet(
      Product.build(toolbox.GetTransaction).key(key('desk')),
      Product.build(toolbox.GetTransaction).key(key('none')),
    );
    assert.deepEqual(Responses.map(({ Item }) => Item?.stock), [0, undefined]);
  });
});
