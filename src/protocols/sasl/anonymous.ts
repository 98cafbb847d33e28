// ANONYMOUS: RFC 4505, in XMPP: XEP-0175.
import type { Mechanism } from './mechanism.js';

/** Signs in without an account; the server makes up an address. No trace information is sent (RFC 4505 §5). */
export const ANONYMOUS = {
  name: 'ANONYMOUS',
  needs: [],
  showsPassword: false,
  floor: 'neither',
  byDefault: 'never',
  run: (exchange) => exchange.success(Buffer.alloc(0)),
} as const satisfies Mechanism;
