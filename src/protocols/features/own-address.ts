// Our own address as the server tells it: RFC 6120 §7.6, XEP-0388 §2.6.
import { BrokerError } from '../../errors.js';
import { JID } from '../../jid/jid.js';
import { trimmed } from '../../xml/characters.js';
import type { Negotiation } from '../dialect.js';

/** The server decides the resource, but not whose account it is. */
export interface AddressRules {
  readonly domain: string;
  /** Whether it has to have a resource. */
  readonly bound: boolean;
  /** The error for what is wrong with what names it. */
  readonly bad: (why: string, cause?: unknown) => BrokerError;
}

/** Reads an address that has to be ours. @throws what `bad` makes */
export function readOwnAddress(text: string, { domain, bound, bad }: AddressRules): JID {
  let jid: JID;
  try {
    jid = JID.parse(trimmed(text));
  } catch (cause) {
    throw bad('it names no valid JID', cause);
  }
  if (bound && jid.resource === null) throw bad('its JID has no resource');
  if (jid.domain !== domain) throw bad(`its JID is of ${jid.domain}, not of ${domain}`);
  return jid;
}

/** Tells of an address that is not that of the user who signed in. Servers know their users by more than one name. */
export function warnOfOtherUser(session: Negotiation, jid: JID): void {
  const { domain, username } = session.config;
  const bare = jid.bare().toString();
  if (username === undefined) return;
  if (JID.equivalent(`${JID.escape(username)}@${domain}`, bare) || JID.equivalent(`${username}@${domain}`, bare))
    return;
  const text = `the server bound ${bare}, which is not the user that signed in`;
  session.publish('PCJ_PROTOCOLERROR', new BrokerError('BIND_OTHER_USER', text, { layer: 'bind', origin: 'peer' }));
}
