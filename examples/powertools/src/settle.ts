// Refunds, through the queue → the ledger. Those of 13 cents fail.
import {
  BatchProcessor,
  EventType,
  processPartialResponse,
} from '@aws-lambda-powertools/batch';
import { Logger } from '@aws-lambda-powertools/logger';
import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics';
import { Tracer } from '@aws-lambda-powertools/tracer';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import type { Context, SQSEvent, SQSRecord } from 'aws-lambda';

const logger = new Logger();
const metrics = new Metrics();
const tracer = new Tracer();
const table = DynamoDBDocumentClient.from(tracer.captureAWSv3Client(new DynamoDBClient({})));
const processor = new BatchProcessor(EventType.SQS);

async function settle(record: SQSRecord): Promise<void> {
  const { id, amountCents } = JSON.parse(record.body);
  if (amountCents === 13) throw new Error('13 brings bad luck');
  await table.send(
    new UpdateCommand({
      TableName: process.env.LEDGER_TABLE,
      Key: { id },
      UpdateExpression: 'SET amountCents = :amount, settledBy = :me ADD times :one',
      ExpressionAttributeValues: { ':amount': amountCents, ':me': 'typescript', ':one': 1 },
    }),
  );
  metrics.addMetric('settled', MetricUnit.Count, 1);
  logger.info('settled', { id, amountCents });
}

export async function handler(event: SQSEvent, context: Context) {
  logger.addContext(context);
  const failures = await processPartialResponse(event, settle, processor, {
    context,
    throwOnFullBatchFailure: false,
  });
  logger.info('batch', { messages: event.Records.length });
  metrics.publishStoredMetrics();
  return failures;
}
