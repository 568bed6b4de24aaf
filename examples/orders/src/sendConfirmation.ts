// OrderPaid, through the queue → confirm the order to the user, once.
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import { UpdateCommand } from '@aws-sdk/lib-dynamodb';
import type { SQSBatchItemFailure, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';

import { confirmationKey, table, TableName } from './lib/table';

/** Only the failed messages of a batch come back; after three times they are dead letters. */
export async function handler(event: SQSEvent): Promise<SQSBatchResponse> {
  const batchItemFailures: SQSBatchItemFailure[] = [];
  for (const record of event.Records) {
    try {
      await confirm(record);
    } catch (error) {
      console.error(JSON.stringify({ at: 'not confirmed', id: record.messageId, why: `${error}` }));
      batchItemFailures.push({ itemIdentifier: record.messageId });
    }
  }
  return { batchItemFailures };
}

async function confirm(record: SQSRecord): Promise<void> {
  const { orderId, userId } = JSON.parse(record.body) as { orderId?: string; userId?: string };
  if (!orderId) throw new Error('the message names no order');

  try {
    // The condition makes a second delivery harmless. The counter shows that it did.
    await table.send(
      new UpdateCommand({
        TableName,
        Key: confirmationKey(orderId),
        UpdateExpression:
          'SET #at = :at, userId = :user, messageId = :message ADD confirmations :one',
        ConditionExpression: 'attribute_not_exists(PK)',
        ExpressionAttributeNames: { '#at': 'at' },
        ExpressionAttributeValues: {
          ':at': new Date().toISOString(),
          ':user': userId ?? 'unknown',
          ':message': record.messageId,
          ':one': 1,
        },
      }),
    );
    console.log(JSON.stringify({ at: 'order confirmed', id: orderId }));
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw error;
    console.log(JSON.stringify({ at: 'already confirmed', id: orderId }));
  }
}
