// OrderCreated → charge the user → PAID or PAYMENT_FAILED → OrderPaid.
// Written for aws-sdk v2, as millions of lines still are.
//
// A topic delivers at least once, and we may die between any two lines. So the order leaves
// PENDING by a conditional write, which one delivery wins; and OrderPaid is published again by
// every later delivery, because we cannot know whether the winner got that far. Whoever hears
// OrderPaid twice must not mind: see sendConfirmation.
'use strict';

const AWS = require('aws-sdk');

const { charge } = require('./paymentProvider');

const table = new AWS.DynamoDB.DocumentClient();
const sns = new AWS.SNS();

const TableName = process.env.TABLE_NAME;

exports.handler = async (event) => {
  for (const record of event.Records) {
    const { orderId } = JSON.parse(record.Sns.Message);
    await processPayment(orderId);
  }
};

async function processPayment(orderId) {
  const order = await read({ PK: `ORDER#${orderId}`, SK: 'METADATA' });
  if (!order) throw new Error(`no order ${orderId}`); // thrown, so that it is tried again

  const status = order.status === 'PENDING' ? await settle(order) : order.status;
  if (status === 'PAID') await publishPaid(order);
}

/** Takes the order out of PENDING, once. Returns the status it has afterwards. */
async function settle(order) {
  const payment = await pay(order);
  const status = payment.approved ? 'PAID' : 'PAYMENT_FAILED';
  const at = new Date().toISOString();
  try {
    await table
      .update({
        TableName,
        Key: { PK: order.PK, SK: order.SK },
        UpdateExpression:
          'SET #status = :status, settledAt = :at, #detail = :detail, ' +
          'history = list_append(history, :entry)',
        ConditionExpression: '#status = :pending',
        ExpressionAttributeNames: {
          '#status': 'status',
          '#detail': payment.approved ? 'paymentReference' : 'failure',
        },
        ExpressionAttributeValues: {
          ':status': status,
          ':pending': 'PENDING',
          ':at': at,
          ':detail': payment.approved ? payment.reference : payment.reason,
          ':entry': [{ status, at }],
        },
      })
      .promise();
    console.log(JSON.stringify({ at: 'order settled', id: order.id, status }));
    return status;
  } catch (error) {
    if (error.code !== 'ConditionalCheckFailedException') throw error;
    return (await read({ PK: order.PK, SK: order.SK })).status; // another delivery was faster
  }
}

async function pay(order) {
  const method = await read({ PK: `USER#${order.userId}`, SK: 'PAYMENT_METHOD' });
  if (!method) return { approved: false, reason: 'no payment method' };
  return charge({
    token: method.token,
    amountCents: order.totalCents,
    limitCents: Number(process.env.PAYMENT_LIMIT_CENTS),
    idempotencyKey: order.id, // a second delivery must not charge a second time
  });
}

async function publishPaid(order) {
  await sns
    .publish({
      TopicArn: process.env.ORDER_PAID_TOPIC,
      Message: JSON.stringify({ orderId: order.id, userId: order.userId }),
      MessageAttributes: { event: { DataType: 'String', StringValue: 'OrderPaid' } },
    })
    .promise();
}

async function read(Key) {
  const { Item } = await table.get({ TableName, Key, ConsistentRead: true }).promise();
  return Item;
}
