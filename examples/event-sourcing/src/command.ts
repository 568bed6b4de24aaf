// POST /accounts/{id}/{command}: load, decide, append; again from the start if another was faster.
// With `If-Match: <version>` only that version is acted on.
import type { APIGatewayProxyEventV2 } from 'aws-lambda';

import { decide, Refused } from './account';
import { append, load } from './store';

const ATTEMPTS_MAX = 20;

export async function handler(event: APIGatewayProxyEventV2) {
  const { id, command } = event.pathParameters as { id: string; command: string };
  const input = JSON.parse(event.body ?? '{}') as Record<string, unknown>;
  const wanted = event.headers['if-match'];
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const before = await load(id);
    if (wanted !== undefined && wanted !== String(before.version)) {
      return answer(412, { message: `it is at version ${before.version}` });
    }
    try {
      const account = await append(id, before, decide(before, command, input));
      if (account) return answer(200, account);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      return answer(422, { message: error.message });
    }
    await new Promise((go) => setTimeout(go, Math.random() * 20 * (attempt + 1)));
  }
  return answer(503, { message: 'too many at once' });
}

function answer(statusCode: number, body: unknown) {
  return { statusCode, body: JSON.stringify(body) };
}
