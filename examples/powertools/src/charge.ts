// POST /charges {amountCents} with an Idempotency-Key → the charge, once per key.
import { randomUUID } from 'node:crypto';

import {
  IdempotencyAlreadyInProgressError,
  IdempotencyConfig,
  IdempotencyValidationError,
  makeIdempotent,
} from '@aws-lambda-powertools/idempotency';
import { DynamoDBPersistenceLayer } from '@aws-lambda-powertools/idempotency/dynamodb';
import { Logger } from '@aws-lambda-powertools/logger';
import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics';
import { Tracer } from '@aws-lambda-powertools/tracer';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import type { APIGatewayProxyEventV2, Context } from 'aws-lambda';

const logger = new Logger();
const metrics = new Metrics();
const tracer = new Tracer();
const sqs = tracer.captureAWSv3Client(new SQSClient({}));

interface Draft {
  key: string;
  amountCents: number;
}

const config = new IdempotencyConfig({
  eventKeyJmesPath: 'key',
  payloadValidationJmesPath: 'amountCents',
  throwOnNoIdempotencyKey: true,
});

const charge = makeIdempotent(
  async ({ amountCents }: Draft) => {
    const id = randomUUID();
    const MessageBody = JSON.stringify({ id, amountCents });
    await sqs.send(new SendMessageCommand({ QueueUrl: process.env.CHARGES_QUEUE, MessageBody }));
    metrics.addMetric('charged', MetricUnit.Count, 1);
    logger.info('charged', { id, amountCents });
    return { id, amountCents };
  },
  {
    persistenceStore: new DynamoDBPersistenceLayer({
      tableName: process.env.IDEMPOTENCY_TABLE ?? '',
    }),
    config,
  },
);

export async function handler(event: APIGatewayProxyEventV2, context: Context) {
  logger.addContext(context);
  logger.setCorrelationId(event.requestContext.requestId);
  config.registerLambdaContext(context);
  metrics.captureColdStartMetric();
  const segment = tracer.getSegment();
  const subsegment = segment?.addNewSubsegment('## charge');
  if (subsegment) tracer.setSegment(subsegment);
  tracer.annotateColdStart();
  tracer.addServiceNameAnnotation();
  try {
    const key = event.headers['idempotency-key'];
    const { amountCents } = JSON.parse(event.body ?? '{}');
    if (!key || !Number.isSafeInteger(amountCents)) {
      return answer(400, { message: 'an Idempotency-Key and amountCents are required' });
    }
    const charged = await charge({ key, amountCents });
    return answer(201, { ...charged, traceId: tracer.getRootXrayTraceId() });
  } catch (error) {
    tracer.addErrorAsMetadata(error as Error);
    if (error instanceof IdempotencyAlreadyInProgressError) {
      return answer(409, { message: 'it is being charged' });
    }
    if (error instanceof IdempotencyValidationError) {
      return answer(422, { message: 'the key was used for another amount' });
    }
    throw error;
  } finally {
    subsegment?.close();
    if (segment) tracer.setSegment(segment);
    metrics.publishStoredMetrics();
  }
}

function answer(statusCode: number, body: object) {
  return { statusCode, body: JSON.stringify(body) };
}
