// POST /orders: validate, write the order as PENDING, announce it, answer 201.
import { randomUUID } from 'node:crypto';

import { PublishCommand, SNSClient } from '@aws-sdk/client-sns';
import { PutCommand } from '@aws-sdk/lib-dynamodb';
import type { APIGatewayProxyEventV2 } from 'aws-lambda';

import { answer, jsonBody, type Answer } from './lib/http';
import { parseDraft } from './lib/order';
import { orderKey, table, TableName, userOrderKey, type Order } from './lib/table';

const sns = new SNSClient({});

export async function handler(event: APIGatewayProxyEventV2): Promise<Answer> {
  const draft = parseDraft(jsonBody(event));
  if ('problems' in draft) {
    return answer(400, { message: 'the order is not valid', problems: draft.problems });
  }

  const createdAt = new Date().toISOString();
  const order: Order = {
    id: randomUUID(),
    ...draft,
    currency: process.env.CURRENCY!,
    status: 'PENDING',
    history: [{ status: 'PENDING', at: createdAt }],
    createdAt,
  };

  // The user's list first: if we die between the two writes, the list names an order that does
  // not exist, which listOrders passes over. The other way round an order would be invisible.
  await table.send(
    new PutCommand({
      TableName,
      Item: { ...userOrderKey(order.userId, createdAt, order.id), id: order.id },
    }),
  );
  await table.send(
    new PutCommand({
      TableName,
      Item: { ...orderKey(order.id), ...order },
      ConditionExpression: 'attribute_not_exists(PK)',
    }),
  );
  // 201 only after the event is accepted: a client that saw 201 may rely on the payment.
  await sns.send(
    new PublishCommand({
      TopicArn: process.env.ORDER_CREATED_TOPIC,
      Message: JSON.stringify({ orderId: order.id }),
      MessageAttributes: { event: { DataType: 'String', StringValue: 'OrderCreated' } },
    }),
  );

  console.log(JSON.stringify({ at: 'order created', id: order.id, totalCents: order.totalCents }));
  return answer(201, order);
}
