// GET /accounts/{id}: what its events come to.
import type { APIGatewayProxyEventV2 } from 'aws-lambda';

import { load } from './store';

export async function handler({ pathParameters }: APIGatewayProxyEventV2) {
  const account = await load(pathParameters!.id!);
  return { statusCode: account.version > 0 ? 200 : 404, body: JSON.stringify(account) };
}
