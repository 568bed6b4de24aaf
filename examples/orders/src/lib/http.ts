// Requests and answers, the same for HTTP APIs (payload 2.0) and REST APIs (payload 1.0).
export interface Answer {
  statusCode: number;
  headers: Record<string, string>;
  body: string;
}

export function answer(statusCode: number, body: unknown): Answer {
  return {
    statusCode,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  };
}

/** The parsed JSON body, or undefined where it is absent or is not JSON. */
export function jsonBody(event: { body?: string | null; isBase64Encoded?: boolean }): unknown {
  if (!event.body) return undefined;
  const text = event.isBase64Encoded ? Buffer.from(event.body, 'base64').toString() : event.body;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
