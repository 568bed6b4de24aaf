// What the tests of the small examples share: where the example runs, and patience.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

const WAIT_MS = 30_000;
const endpoint = (process.env.AWS_ENDPOINT_URL ?? 'http://localhost:4566').replace(/\/$/, '');

/** For the clients of the SDK. */
export const options = {
  endpoint,
  region: 'us-east-1',
  credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
};

/** The outputs of an example, and `request(method, path, body, headers)` for its HTTP API. */
export async function deployed(service) {
  const stacks = await (await fetch(`${endpoint}/_cumulet/stacks`)).json();
  const stack = stacks.find((each) => each.name === `${service}-${process.env.STAGE ?? 'dev'}`);
  assert.ok(stack, `it is not deployed: cumulet deploy examples/${service}`);
  const api = `${endpoint}/_aws/execute-api/${stack.outputs.HttpApiId}/$default`;

  async function request(method, path, body, headers = {}) {
    const init = { method, headers: { 'content-type': 'application/json', ...headers } };
    if (body !== undefined) init.body = JSON.stringify(body);
    const reply = await fetch(api + path, init);
    return { status: reply.status, body: await reply.json().catch(() => undefined) };
  }
  return { outputs: stack.outputs, request };
}

/** Asks again until there is an answer. */
export async function eventually(ask, what) {
  for (const until = Date.now() + WAIT_MS; Date.now() < until; await sleep(50)) {
    const answer = await ask();
    if (answer) return answer;
  }
  assert.fail(`not within ${WAIT_MS} ms: ${what}`);
}
