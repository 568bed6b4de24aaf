// The rules, pure: what an account is, what a command makes happen, and what follows from an event.
export type Event =
  | { type: 'opened'; owner: string }
  | { type: 'deposited'; cents: number }
  | { type: 'withdrawn'; cents: number };

export interface Account {
  /** How many events it is the result of. */
  version: number;
  owner?: string;
  cents: number;
}

export const NOTHING: Account = { version: 0, cents: 0 };

/** A command that is against the rules. */
export class Refused extends Error {}

export function decide(account: Account, command: string, input: Record<string, unknown>): Event {
  if (command === 'open') {
    if (account.version > 0) throw new Refused('it is open');
    if (typeof input.owner !== 'string') throw new Refused('owner is required');
    return { type: 'opened', owner: input.owner };
  }
  if (account.version === 0) throw new Refused('it is not open');
  const cents = input.cents as number;
  if (!Number.isInteger(cents) || cents <= 0) throw new Refused('cents: a whole number above 0');
  if (command === 'deposit') return { type: 'deposited', cents };
  if (command !== 'withdraw') throw new Refused(`there is no command ${command}`);
  if (cents > account.cents) throw new Refused(`only ${account.cents} cents are there`);
  return { type: 'withdrawn', cents };
}

export function apply(account: Account, event: Event): Account {
  const version = account.version + 1;
  switch (event.type) {
    case 'opened':
      return { ...account, version, owner: event.owner };
    case 'deposited':
      return { ...account, version, cents: account.cents + event.cents };
    case 'withdrawn':
      return { ...account, version, cents: account.cents - event.cents };
  }
}
