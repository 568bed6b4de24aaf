// PUT /users/{userId}/payment-method: keep how a user pays. We keep a token, never the number.
import { PutCommand } from '@aws-sdk/lib-dynamodb';
import type { APIGatewayProxyEventV2 } from 'aws-lambda';

import { answer, jsonBody, type Answer } from './lib/http';
import { paymentMethodKey, table, TableName } from './lib/table';
import { tokenize } from './paymentProvider';

export async function handler(event: APIGatewayProxyEventV2): Promise<Answer> {
  const userId = event.pathParameters?.userId ?? '';
  const { cardNumber } = (jsonBody(event) ?? {}) as { cardNumber?: unknown };
  if (typeof cardNumber !== 'string' || !/^\d{12,19}$/.test(cardNumber)) {
    return answer(400, { message: 'cardNumber: 12 to 19 digits are required' });
  }

  const method = tokenize(cardNumber);
  await table.send(new PutCommand({ TableName, Item: { ...paymentMethodKey(userId), ...method } }));
  return answer(200, { userId, last4: method.last4 });
}
