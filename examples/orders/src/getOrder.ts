// GET /orders/{id}: the order, and when it was confirmed. Serves both kinds of API.
import { QueryCommand } from '@aws-sdk/lib-dynamodb';
import type { APIGatewayProxyEvent, APIGatewayProxyEventV2 } from 'aws-lambda';

import { answer, type Answer } from './lib/http';
import { orderKey, table, TableName, toOrder } from './lib/table';

type Event = Pick<APIGatewayProxyEvent | APIGatewayProxyEventV2, 'pathParameters'>;

export async function handler(event: Event): Promise<Answer> {
  const id = event.pathParameters?.id ?? '';

  // One query reads everything stored under the order.
  const { Items = [] } = await table.send(
    new QueryCommand({
      TableName,
      KeyConditionExpression: 'PK = :order',
      ExpressionAttributeValues: { ':order': orderKey(id).PK },
      ConsistentRead: true,
    }),
  );
  const order = Items.find((item) => item.SK === 'METADATA');
  const confirmation = Items.find((item) => item.SK === 'CONFIRMATION');

  if (!order) return answer(404, { message: `no order ${id}` });
  return answer(200, { ...toOrder(order), confirmedAt: confirmation?.at ?? null });
}
