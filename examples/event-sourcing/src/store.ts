// Events in a table: appended on the condition that nobody else was faster.
import { DynamoDBClient, TransactionCanceledException } from '@aws-sdk/client-dynamodb';
import {
  DynamoDBDocumentClient,
  GetCommand,
  paginateQuery,
  TransactWriteCommand,
} from '@aws-sdk/lib-dynamodb';

import { type Account, apply, type Event, NOTHING } from './account';

export const table = DynamoDBDocumentClient.from(new DynamoDBClient({}));
export const TableName = process.env.TABLE_NAME!;
export const OUTBOX = 'OUTBOX';

/** With every so many events the state is kept, so that no read goes further back. */
const SNAPSHOT_EVENTS = 10;

/** As text, in the order of numbers. */
const text = (version: number) => String(version).padStart(9, '0');

/** The account as it is: the last snapshot, and the events after it. */
export async function load(id: string): Promise<Account> {
  const PK = `ACCOUNT#${id}`;
  const snapshot = new GetCommand({ TableName, Key: { PK, SK: 'SNAPSHOT' }, ConsistentRead: true });
  const { Item } = await table.send(snapshot);
  let account: Account = Item?.account ?? NOTHING;
  const pages = paginateQuery(
    { client: table },
    {
      TableName,
      KeyConditionExpression: 'PK = :pk AND SK BETWEEN :next AND :last',
      ExpressionAttributeValues: {
        ':pk': PK,
        ':next': `EVENT#${text(account.version + 1)}`,
        ':last': 'EVENT#~', // every version sorts below a tilde
      },
      ConsistentRead: true,
    },
  );
  for await (const { Items = [] } of pages) {
    for (const { event } of Items) account = apply(account, event as Event);
  }
  return account;
}

/** Appends the event that follows a state. Undefined if another event has taken its place. */
export async function append(id: string, before: Account, event: Event) {
  const account = apply(before, event);
  const version = text(account.version);
  const PK = `ACCOUNT#${id}`;
  const put = (Item: Record<string, unknown>) => ({ Put: { TableName, Item } });
  const event_ = put({ PK, SK: `EVENT#${version}`, event, at: new Date().toISOString() });
  const fresh = { ConditionExpression: 'attribute_not_exists(PK)' };
  const snapshot = account.version % SNAPSHOT_EVENTS === 0;
  try {
    await table.send(
      new TransactWriteCommand({
        TransactItems: [
          { Put: { ...event_.Put, ...fresh } },
          put({ PK: OUTBOX, SK: `${id}#${version}`, id, version: account.version, event }),
          ...(snapshot ? [put({ PK, SK: 'SNAPSHOT', account })] : []),
        ],
      }),
    );
    return account;
  } catch (error) {
    if (!(error instanceof TransactionCanceledException)) throw error;
    const reasons = error.CancellationReasons?.map(({ Code }) => Code) ?? [];
    const lost = ['None', 'ConditionalCheckFailed', 'TransactionConflict'];
    if (!reasons.every((reason) => lost.includes(reason!))) throw error;
    return undefined;
  }
}
