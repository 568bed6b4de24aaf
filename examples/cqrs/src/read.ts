// GET /products/{product}/rating: the query side. One item holds the answer.
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, GetCommand } from '@aws-sdk/lib-dynamodb';
import type { APIGatewayProxyEventV2 } from 'aws-lambda';

const table = DynamoDBDocumentClient.from(new DynamoDBClient({}));
const TableName = process.env.RATINGS_TABLE!;

export async function handler({ pathParameters }: APIGatewayProxyEventV2) {
  const product = pathParameters!.product!;
  const { Item } = await table.send(new GetCommand({ TableName, Key: { id: `RATING#${product}` } }));
  const { reviews = 0, stars = 0 } = Item ?? {};
  const average = reviews > 0 ? stars / reviews : null;
  return { statusCode: 200, body: JSON.stringify({ product, reviews, average }) };
}
