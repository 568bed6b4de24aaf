// The queue of payments → accounts. A queue delivers at least once, and its senders send again when
// in doubt: so the payment's own id, not the message's, decides whether it was there before.
import { DynamoDBClient, TransactionCanceledException } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, GetCommand, TransactWriteCommand } from '@aws-sdk/lib-dynamodb';
import type { SQSBatchItemFailure, SQSBatchResponse, SQSEvent } from 'aws-lambda';

const table = DynamoDBDocumentClient.from(new DynamoDBClient({}));
const TableName = process.env.TABLE_NAME!;

interface Payment {
  paymentId: string;
  account: string;
  cents: number;
}

/** Only the failed messages of a batch come back; after three times they are dead letters. */
export async function handler({ Records }: SQSEvent): Promise<SQSBatchResponse> {
  const batchItemFailures: SQSBatchItemFailure[] = [];
  for (const { messageId, body } of Records) {
    try {
      const payment = JSON.parse(body) as Payment;
      const at = (await credit(payment)) ? 'credited' : 'credited before';
      console.log(JSON.stringify({ at, ...payment }));
    } catch (error) {
      console.error(JSON.stringify({ at: 'not credited', messageId, why: `${error}` }));
      batchItemFailures.push({ itemIdentifier: messageId });
    }
  }
  return { batchItemFailures };
}

/** Credits a payment, and notes it, in one transaction. False if it was credited before. */
async function credit({ paymentId, account, cents }: Payment): Promise<boolean> {
  if (!paymentId || !account || !Number.isInteger(cents)) throw new Error('not a payment');
  const note = { id: `PAYMENT#${paymentId}`, account, cents };
  try {
    await table.send(
      new TransactWriteCommand({
        TransactItems: [
          {
            Put: {
              TableName,
              Item: note,
              ConditionExpression: 'attribute_not_exists(id)',
            },
          },
          {
            Update: {
              TableName,
              Key: { id: `ACCOUNT#${account}` },
              UpdateExpression: 'ADD cents :cents, payments :one',
              ExpressionAttributeValues: { ':cents': cents, ':one': 1 },
            },
          },
        ],
      }),
    );
    return true;
  } catch (error) {
    // Anything else, a conflict with another transaction say, is thrown: the message comes again.
    if (!(error instanceof TransactionCanceledException)) throw error;
    if (error.CancellationReasons?.[0]?.Code !== 'ConditionalCheckFailed') throw error;
  }
  const read = new GetCommand({ TableName, Key: { id: note.id }, ConsistentRead: true });
  const { Item } = await table.send(read);
  if (Item?.account !== account || Item.cents !== cents) {
    throw new Error(`payment ${paymentId} was another one`);
  }
  return false;
}
