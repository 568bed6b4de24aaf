// Teams: made, joined, and read with all that belongs to them in one query.
import { ConditionalCheckFailedException, TransactionCanceledException } from '@aws-sdk/client-dynamodb';
import { PutCommand, TransactWriteCommand, paginateQuery } from '@aws-sdk/lib-dynamodb';
import type { APIGatewayProxyEventV2 as Event } from 'aws-lambda';

import { answer, memberKey, membership, ofKind, table, TableName, teamKey } from './board';

/** PUT /teams/{team}: a name is taken once. */
export async function create({ pathParameters }: Event) {
  const team = pathParameters!.team!;
  const Item = { ...teamKey(team), team };
  try {
    const fresh = { ConditionExpression: 'attribute_not_exists(PK)' };
    await table.send(new PutCommand({ TableName, Item, ...fresh }));
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw error;
    return answer(409, { message: `there is a team ${team}` });
  }
  return answer(201, { team });
}

/** PUT /teams/{team}/members/{user}: nobody joins a team that is not there. */
export async function addMember({ pathParameters }: Event) {
  const [team, user] = [pathParameters!.team!, pathParameters!.user!];
  const Item = { ...memberKey(team, user), ...membership(team, user), team, user };
  const exists = { ConditionExpression: 'attribute_exists(PK)' };
  try {
    await table.send(
      new TransactWriteCommand({
        TransactItems: [
          { ConditionCheck: { TableName, Key: teamKey(team), ...exists } },
          { Put: { TableName, Item } },
        ],
      }),
    );
  } catch (error) {
    if (!(error instanceof TransactionCanceledException)) throw error;
    const [team_] = error.CancellationReasons ?? [];
    if (team_?.Code !== 'ConditionalCheckFailed') throw error;
    return answer(404, { message: `there is no team ${team}` });
  }
  return answer(201, { team, user });
}

/** GET /teams/{team}: the team, its members and its tasks, which lie side by side. */
export async function get({ pathParameters }: Event) {
  const team = pathParameters!.team!;
  const items: Record<string, unknown>[] = [];
  const pages = paginateQuery(
    { client: table },
    {
      TableName,
      KeyConditionExpression: 'PK = :team',
      ExpressionAttributeValues: { ':team': teamKey(team).PK },
    },
  );
  for await (const page of pages) items.push(...(page.Items ?? []));
  if (items.length === 0) return answer(404, { message: `there is no team ${team}` });
  const members = ofKind(items, 'SK', 'MEMBER#').map(({ user }) => user);
  return answer(200, { team, members, tasks: ofKind(items, 'SK', 'TASK#') });
}
