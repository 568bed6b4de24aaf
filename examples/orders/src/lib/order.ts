// What may be ordered, and what an order costs. Pure.
import type { Order } from './table';

/** Prices are ours, never the client's. In cents: money is not a float. */
const CATALOGUE: Record<string, number> = {
  'coffee-250g': 890,
  'mug-blue': 1250,
  'grinder-hand': 6900,
  'kettle-steel': 12900,
};

const QUANTITY_MAX = 100;
const LINES_MAX = 50;

export interface Draft {
  userId: string;
  items: Order['items'];
  totalCents: number;
}

/** A draft with its total, or the list of what is missing or wrong, one entry per field. */
export function parseDraft(body: unknown): Draft | { problems: string[] } {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    return { problems: ['body: a JSON object is required'] };
  }
  const { userId, items } = body as { userId?: unknown; items?: unknown };
  const problems: string[] = [];

  if (typeof userId !== 'string' || userId === '') problems.push('userId: required');

  const lines: Order['items'] = [];
  if (!Array.isArray(items) || items.length === 0) {
    problems.push('items: at least one is required');
  } else if (items.length > LINES_MAX) {
    problems.push(`items: at most ${LINES_MAX}`);
  } else {
    items.forEach((item, index) => {
      const sku = item?.sku;
      const quantity = item?.quantity;
      const known = typeof sku === 'string' && Object.hasOwn(CATALOGUE, sku);
      const counted = Number.isInteger(quantity) && quantity >= 1 && quantity <= QUANTITY_MAX;
      if (!known) problems.push(`items[${index}].sku: ${sku ? `${sku} is not sold` : 'required'}`);
      if (!counted) problems.push(`items[${index}].quantity: a whole number, 1 to ${QUANTITY_MAX}`);
      if (known && counted) lines.push({ sku, quantity, unitCents: CATALOGUE[sku] });
    });
  }
  if (problems.length > 0) return { problems };

  const totalCents = lines.reduce((sum, line) => sum + line.quantity * line.unitCents, 0);
  return { userId: userId as string, items: lines, totalCents };
}
