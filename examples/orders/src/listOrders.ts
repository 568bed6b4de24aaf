// GET /orders?userId=: a user's orders, newest first, a page at a time.
import { BatchGetCommand, QueryCommand } from '@aws-sdk/lib-dynamodb';
import type { APIGatewayProxyEventV2 } from 'aws-lambda';

import { answer, type Answer } from './lib/http';
import { orderKey, table, TableName, toOrder, type Order } from './lib/table';

const PAGE_DEFAULT = 50;
const PAGE_MAX = 100; // what one BatchGetItem may ask for

export async function handler(event: APIGatewayProxyEventV2): Promise<Answer> {
  const { userId, limit, before } = event.queryStringParameters ?? {};
  if (!userId) return answer(400, { message: 'userId: required' });

  const { Items: entries = [], LastEvaluatedKey } = await table.send(
    new QueryCommand({
      TableName,
      KeyConditionExpression: 'PK = :user AND SK BETWEEN :first AND :last',
      ExpressionAttributeValues: {
        ':user': `USER#${userId}`,
        ':first': 'ORDER#',
        ':last': 'ORDER#~', // every timestamp sorts below a tilde
      },
      ExclusiveStartKey: before ? { PK: `USER#${userId}`, SK: `ORDER#${before}` } : undefined,
      ScanIndexForward: false,
      ConsistentRead: true,
      Limit: Math.min(Math.max(Number(limit) || PAGE_DEFAULT, 1), PAGE_MAX),
    }),
  );

  const found = await load(entries.map((entry) => entry.id));
  return answer(200, {
    // An entry without an order is what a crash inside createOrder leaves behind.
    orders: entries.map((entry) => found.get(entry.id)).filter((order) => order !== undefined),
    before: LastEvaluatedKey ? LastEvaluatedKey.SK.slice('ORDER#'.length) : null,
  });
}

/** The orders as they are now: the list holds their ids only, so no status is stored twice. */
async function load(ids: string[]): Promise<Map<string, Order>> {
  const found = new Map<string, Order>();
  let keys: Record<string, unknown>[] = ids.map(orderKey);
  while (keys.length > 0) {
    const reply = await table.send(
      new BatchGetCommand({ RequestItems: { [TableName]: { Keys: keys, ConsistentRead: true } } }),
    );
    for (const item of reply.Responses?.[TableName] ?? []) found.set(item.id, toOrder(item));
    keys = reply.UnprocessedKeys?.[TableName]?.Keys ?? [];
  }
  return found;
}
