// The server's side of ANONYMOUS: RFC 4505.
import { randomUUID } from 'node:crypto';
import type { ServerMechanism } from './mechanism.js';

/** Nobody in particular; the name is new each time. */
export const ANONYMOUS: ServerMechanism = {
  name: 'ANONYMOUS',
  needs: [],
  byDefault: 'never',
  async run(exchange) {
    await exchange.initial();
    return { username: `anonymous-${randomUUID()}`, data: null };
  },
};
