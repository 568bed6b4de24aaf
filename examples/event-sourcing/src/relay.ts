// The outbox → the queue. An event leaves the outbox after it was published: should we die in
// between, it is published again, under the same id and version.
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { DeleteCommand, paginateQuery } from '@aws-sdk/lib-dynamodb';

import { OUTBOX, table, TableName } from './store';

const sqs = new SQSClient({});
const QueueUrl = process.env.QUEUE_URL!;

export async function handler() {
  let published = 0;
  const pages = paginateQuery(
    { client: table },
    {
      TableName,
      KeyConditionExpression: 'PK = :outbox',
      ExpressionAttributeValues: { ':outbox': OUTBOX },
    },
  );
  for await (const { Items = [] } of pages) {
    for (const { PK, SK, ...message } of Items) {
      await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: JSON.stringify(message) }));
      await table.send(new DeleteCommand({ TableName, Key: { PK, SK } }));
      published += 1;
    }
  }
  return { published };
}
