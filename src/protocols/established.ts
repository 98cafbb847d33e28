import { kindOf } from '../arguments/values.js';
import { JID } from '../jid/jid.js';
import type { Established } from './dialect.js';

/** What a dialect's negotiation came to, which no compiler may have checked. @throws TypeError */
export function checkEstablished(established: Established): Established {
  const { jid } = established as Partial<Established>;
  if (jid instanceof JID) return established;
  throw new TypeError(`negotiate() must return { jid, sid } with a JID, not ${kindOf(jid)}`);
}
