// GET /people/{user}: the teams and the open tasks of a person, of all teams, what is due first.
// One query of the index; ?before=2026-07 leaves out the teams, and what is due later.
import { paginateQuery } from '@aws-sdk/lib-dynamodb';
import type { APIGatewayProxyEventV2 as Event } from 'aws-lambda';

import { answer, ofKind, table, TableName } from './board';

export async function get({ pathParameters, queryStringParameters }: Event) {
  const before = queryStringParameters?.before;
  const range = before ? ' AND GSI1SK BETWEEN :first AND :last' : '';
  const bounds = before ? { ':first': 'OPEN#', ':last': `OPEN#${before}` } : {};
  const items: Record<string, unknown>[] = [];
  const pages = paginateQuery(
    { client: table },
    {
      TableName,
      IndexName: 'GSI1',
      KeyConditionExpression: `GSI1PK = :user${range}`,
      ExpressionAttributeValues: { ':user': `USER#${pathParameters!.user}`, ...bounds },
    },
  );
  for await (const page of pages) items.push(...(page.Items ?? []));
  const teams = ofKind(items, 'GSI1SK', 'TEAM#').map(({ team }) => team);
  return answer(200, { teams, tasks: ofKind(items, 'GSI1SK', 'OPEN#') });
}
