// What the deployed reviews and ratings promise.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';

import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';

import { deployed, eventually, options } from '../../testing.mjs';

const { outputs, request } = await deployed('cqrs');
const lambda = new LambdaClient(options);

const review = (product, user, stars) =>
  request('PUT', `/products/${product}/reviews/${user}`, { stars });

async function becomes(product, reviews, average) {
  const wanted = JSON.stringify({ product, reviews, average });
  await eventually(async () => {
    const { body } = await request('GET', `/products/${product}/rating`);
    return JSON.stringify(body) === wanted;
  }, wanted);
}

test('a rating follows its reviews', async () => {
  const product = randomUUID();
  assert.equal((await review(product, 'ada', 6)).status, 400);
  await becomes(product, 0, null);
  await review(product, 'ada', 5);
  await review(product, 'bob', 2);
  await becomes(product, 2, 3.5);
  await review(product, 'ada', 1); // changes her mind
  await becomes(product, 2, 1.5);
  assert.equal((await request('DELETE', `/products/${product}/reviews/bob`)).status, 204);
  await becomes(product, 1, 1);
});

test('many reviews of many products, each counted once', async () => {
  const products = Array.from({ length: 4 }, () => randomUUID());
  const users = Array.from({ length: 25 }, (_, n) => n);
  await Promise.all(
    products.flatMap((product) => users.map((n) => review(product, `user-${n}`, 1 + (n % 5)))),
  );
  for (const product of products) await becomes(product, 25, 3);
});

test('a change that comes twice is counted once', async () => {
  const product = randomUUID();
  const Keys = { product: { S: product }, user: { S: 'ada' } };
  const record = (eventID, SequenceNumber, NewImage) => ({
    eventID,
    dynamodb: { Keys, NewImage, SequenceNumber },
  });
  const good = record(randomUUID(), '1', { ...Keys, stars: { N: '4' } });
  const bad = record(randomUUID(), '2', { ...Keys, stars: { N: 'many' } });
  const project = async (Records) => {
    const Payload = JSON.stringify({ Records });
    const FunctionName = outputs.ProjectFunction;
    const reply = await lambda.send(new InvokeCommand({ FunctionName, Payload }));
    return JSON.parse(Buffer.from(reply.Payload)).batchItemFailures;
  };
  assert.deepEqual(await project([good, good]), []);
  assert.deepEqual(await project([good, bad, good]), [{ itemIdentifier: '2' }]);
  await becomes(product, 1, 4);
});
