// PUT and DELETE /products/{product}/reviews/{user}: the command side. It knows nothing of ratings.
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DeleteCommand, DynamoDBDocumentClient, PutCommand } from '@aws-sdk/lib-dynamodb';
import type { APIGatewayProxyEventV2 } from 'aws-lambda';

const table = DynamoDBDocumentClient.from(new DynamoDBClient({}));
const TableName = process.env.REVIEWS_TABLE!;

export async function handler(event: APIGatewayProxyEventV2) {
  const { product, user } = event.pathParameters as { product: string; user: string };
  if (event.requestContext.http.method === 'DELETE') {
    await table.send(new DeleteCommand({ TableName, Key: { product, user } }));
    return { statusCode: 204 };
  }
  const { stars, text = '' } = JSON.parse(event.body ?? '{}') as { stars?: number; text?: string };
  if (!Number.isInteger(stars) || stars! < 1 || stars! > 5) {
    return { statusCode: 400, body: JSON.stringify({ message: 'stars: 1 to 5' }) };
  }
  await table.send(new PutCommand({ TableName, Item: { product, user, stars, text } }));
  return { statusCode: 200, body: JSON.stringify({ product, user, stars, text }) };
}
