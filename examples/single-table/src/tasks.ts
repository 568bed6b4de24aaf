// Tasks: in the index while they are open, and only there while they are.
import { randomUUID } from 'node:crypto';

import { ConditionalCheckFailedException, TransactionCanceledException } from '@aws-sdk/client-dynamodb';
import { TransactWriteCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import type { APIGatewayProxyEventV2 as Event } from 'aws-lambda';

import { answer, memberKey, openTask, table, TableName, taskKey } from './board';

/** POST /teams/{team}/tasks: for members alone. */
export async function add({ pathParameters, body }: Event) {
  const team = pathParameters!.team!;
  const { title, user, due } = JSON.parse(body ?? '{}') as Record<string, unknown>;
  if (typeof title !== 'string' || typeof user !== 'string' || typeof due !== 'string') {
    return answer(400, { message: 'title, user and due are required' });
  }
  const id = randomUUID();
  const task = { id, team, title, user, due, status: 'open' };
  const Item = { ...taskKey(team, id), ...openTask(user, due, id), ...task };
  const exists = { ConditionExpression: 'attribute_exists(PK)' };
  try {
    await table.send(
      new TransactWriteCommand({
        TransactItems: [
          { ConditionCheck: { TableName, Key: memberKey(team, user), ...exists } },
          { Put: { TableName, Item } },
        ],
      }),
    );
  } catch (error) {
    if (!(error instanceof TransactionCanceledException)) throw error;
    const [member] = error.CancellationReasons ?? [];
    if (member?.Code !== 'ConditionalCheckFailed') throw error;
    return answer(422, { message: `${user} is not in team ${team}` });
  }
  return answer(201, task);
}

/** POST /teams/{team}/tasks/{id}/done: once. Without its index key it leaves the index. */
export async function finish({ pathParameters }: Event) {
  const [team, id] = [pathParameters!.team!, pathParameters!.id!];
  try {
    await table.send(
      new UpdateCommand({
        TableName,
        Key: taskKey(team, id),
        UpdateExpression: 'SET #status = :done REMOVE GSI1PK, GSI1SK',
        ConditionExpression: '#status = :open',
        ExpressionAttributeNames: { '#status': 'status' },
        ExpressionAttributeValues: { ':done': 'done', ':open': 'open' },
      }),
    );
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw error;
    return answer(409, { message: `there is no open task ${id}` });
  }
  return answer(200, { id, status: 'done' });
}
