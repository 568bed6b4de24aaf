// The stream of reviews → ratings. A stream delivers each change at least once and a review's
// changes in order; each is counted once, because what is counted is noted in the same transaction.
import { DynamoDBClient, TransactionCanceledException } from '@aws-sdk/client-dynamodb';
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, TransactWriteCommand } from '@aws-sdk/lib-dynamodb';
import type { DynamoDBBatchResponse, DynamoDBRecord, DynamoDBStreamEvent } from 'aws-lambda';

const table = DynamoDBDocumentClient.from(new DynamoDBClient({}));
const TableName = process.env.RATINGS_TABLE!;
/** Longer than a stream keeps a change: nothing older can come again. */
const NOTED_SECONDS = 2 * 24 * 60 * 60;

/** Stops at the first change that fails, so that none is overtaken; the rest comes again. */
export async function handler({ Records }: DynamoDBStreamEvent): Promise<DynamoDBBatchResponse> {
  for (const record of Records) {
    try {
      await project(record);
    } catch (error) {
      const itemIdentifier = record.dynamodb!.SequenceNumber!;
      console.error(JSON.stringify({ at: 'not projected', itemIdentifier, why: `${error}` }));
      return { batchItemFailures: [{ itemIdentifier }] };
    }
  }
  return { batchItemFailures: [] };
}

async function project({ eventID, dynamodb }: DynamoDBRecord) {
  const was = starsOf(dynamodb!.OldImage as Image);
  const is = starsOf(dynamodb!.NewImage as Image);
  const product = dynamodb!.Keys!.product!.S!;
  const expires = Math.floor(Date.now() / 1000) + NOTED_SECONDS;
  try {
    await table.send(
      new TransactWriteCommand({
        TransactItems: [
          {
            Put: {
              TableName,
              Item: { id: `COUNTED#${eventID}`, expires },
              ConditionExpression: 'attribute_not_exists(id)',
            },
          },
          {
            Update: {
              TableName,
              Key: { id: `RATING#${product}` },
              UpdateExpression: 'ADD reviews :reviews, stars :stars',
              ExpressionAttributeValues: {
                ':reviews': Number(is !== undefined) - Number(was !== undefined),
                ':stars': (is ?? 0) - (was ?? 0),
              },
            },
          },
        ],
      }),
    );
  } catch (error) {
    const counted =
      error instanceof TransactionCanceledException &&
      error.CancellationReasons?.[0]?.Code === 'ConditionalCheckFailed';
    if (!counted) throw error; // another product's change in between, say: it comes again
  }
}

type Image = Record<string, AttributeValue> | undefined;

function starsOf(image: Image): number | undefined {
  return image && Number(image.stars!.N);
}
