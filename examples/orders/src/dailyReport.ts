// Once a day: how many orders of the last 24 hours are in which state, and what came in.
import { ScanCommand } from '@aws-sdk/lib-dynamodb';
import type { ScheduledEvent } from 'aws-lambda';

import { table, TableName, type Status } from './lib/table';

const DAY_MS = 24 * 60 * 60 * 1000;

export interface Report {
  since: string;
  orders: Record<Status, number>;
  paidCents: number;
}

// The schedule says when it fired; called by hand without an event, the report is that of now.
export async function handler(event: Partial<Pick<ScheduledEvent, 'time'>>): Promise<Report> {
  const until = event.time === undefined ? Date.now() : new Date(event.time).getTime();
  const since = new Date(until - DAY_MS).toISOString();
  const report: Report = {
    since,
    orders: { PENDING: 0, PAID: 0, PAYMENT_FAILED: 0 },
    paidCents: 0,
  };

  let ExclusiveStartKey: Record<string, unknown> | undefined;
  do {
    const page = await table.send(
      new ScanCommand({
        TableName,
        FilterExpression: 'SK = :metadata AND createdAt >= :since',
        ProjectionExpression: '#status, totalCents',
        ExpressionAttributeNames: { '#status': 'status' },
        ExpressionAttributeValues: { ':metadata': 'METADATA', ':since': since },
        ExclusiveStartKey,
      }),
    );
    for (const order of page.Items ?? []) {
      report.orders[order.status as Status] += 1;
      if (order.status === 'PAID') report.paidCents += order.totalCents;
    }
    ExclusiveStartKey = page.LastEvaluatedKey;
  } while (ExclusiveStartKey);

  console.log(JSON.stringify({ at: 'daily report', ...report }));
  return report;
}
