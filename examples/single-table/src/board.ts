// The one table: its client, its keys, and what a client sees of an item.
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';

export const table = DynamoDBDocumentClient.from(new DynamoDBClient({}));
export const TableName = process.env.TABLE_NAME!;

type Item = Record<string, unknown>;

/** Keys of the table. Whatever belongs to a team has its PK, so one query reads all of it. */
export const teamKey = (team: string) => ({ PK: `TEAM#${team}`, SK: 'TEAM' });
export const memberKey = (team: string, user: string) => ({
  PK: `TEAM#${team}`,
  SK: `MEMBER#${user}`,
});
export const taskKey = (team: string, id: string) => ({ PK: `TEAM#${team}`, SK: `TASK#${id}` });

/** Keys of the index. Whatever belongs to a person has its GSI1PK. */
export const membership = (team: string, user: string) => ({
  GSI1PK: `USER#${user}`,
  GSI1SK: `TEAM#${team}`,
});
export const openTask = (user: string, due: string, id: string) => ({
  GSI1PK: `USER#${user}`,
  GSI1SK: `OPEN#${due}#${id}`, // sorted by what is due first
});

/** Items of a kind, told by the sort key, without the keys. */
export function ofKind(items: Item[], key: 'SK' | 'GSI1SK', prefix: string): Item[] {
  const found = items.filter((item) => String(item[key]).startsWith(prefix));
  return found.map(({ PK, SK, GSI1PK, GSI1SK, ...rest }) => rest);
}

export const answer = (statusCode: number, body: unknown) => ({
  statusCode,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});
