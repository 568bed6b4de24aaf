// The one table: its client, its keys, its shapes.
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';

export const table = DynamoDBDocumentClient.from(new DynamoDBClient({}), {
  marshallOptions: { removeUndefinedValues: true },
});

export const TableName = process.env.TABLE_NAME!;

export type Status = 'PENDING' | 'PAID' | 'PAYMENT_FAILED';

export interface Order {
  id: string;
  userId: string;
  items: { sku: string; quantity: number; unitCents: number }[];
  totalCents: number;
  currency: string;
  status: Status;
  /** Every status the order ever had, appended in the same write that changes `status`. */
  history: { status: Status; at: string }[];
  failure?: string;
  createdAt: string;
}

export const orderKey = (id: string) => ({ PK: `ORDER#${id}`, SK: 'METADATA' });

export const confirmationKey = (id: string) => ({ PK: `ORDER#${id}`, SK: 'CONFIRMATION' });

export const paymentMethodKey = (userId: string) => ({
  PK: `USER#${userId}`,
  SK: 'PAYMENT_METHOD',
});

/** One per order under its user, sorted by date: `GET /orders?userId=` without an index. */
export const userOrderKey = (userId: string, createdAt: string, id: string) => ({
  PK: `USER#${userId}`,
  SK: `ORDER#${createdAt}#${id}`,
});

/** What a client sees of an order: no keys. */
export function toOrder(item: Record<string, unknown>): Order {
  const { PK, SK, ...order } = item;
  return order as unknown as Order;
}
