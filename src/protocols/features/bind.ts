// Resource binding: RFC 6120 §7.
import { BrokerError } from '../../errors.js';
import { JID } from '../../jid/jid.js';
import { StanzaError } from '../../stanza/stanza-error.js';
import { xml } from '../../xml/builder.js';
import type { Element } from '../../xml/element.js';
import { NS } from '../../xml/namespaces.js';
import type { Negotiation } from '../dialect.js';
import { newId } from '../../stanza/id.js';
import { readOwnAddress, warnOfOtherUser } from './own-address.js';

/** Tries with another resource before giving up (RFC 6120 §7.7.3 lets servers allow 5 to 10). */
const TRIES = 3;

/** Errors that another resource may avoid. */
const AVOIDABLE = new Set(['conflict', 'bad-request']);

/**
 * Binds a resource: the wanted one, or one that the server makes up. Refused resources are replaced by the server's.
 * @returns our full JID as the server gave it
 * @throws BrokerError `BIND_NOT_OFFERED`, `BIND_FAILED` with the condition, `BIND_BAD_JID`
 */
export async function bind(session: Negotiation, features: Element): Promise<JID> {
  if (features.getChild('bind', NS.BIND) === null) {
    throw new BrokerError('BIND_NOT_OFFERED', 'the server offers no resource binding after authentication', {
      layer: 'bind',
      origin: 'peer',
    });
  }
  session.publish('PCJ_BINDNEGOTIATE');
  let wanted = session.config.resource;
  for (let tries = 1; ; tries += 1) {
    const resource = wanted === undefined ? null : xml('resource', {}, wanted);
    const iq = xml('iq', { type: 'set', id: newId() }, xml('bind', { xmlns: NS.BIND }, resource));
    const answer = await session.request(iq);
    if (answer.getAttribute('type') === 'result') {
      const jid = boundJid(answer, session);
      session.publish('PCJ_BINDSUCCESS', { jid });
      return jid;
    }
    const error = new StanzaError(answer);
    if (tries < TRIES && wanted !== undefined && AVOIDABLE.has(error.condition as string)) {
      wanted = undefined;
      continue;
    }
    throw new BrokerError('BIND_FAILED', `the server did not bind a resource: ${String(error.condition)}`, {
      layer: 'bind',
      origin: 'peer',
      condition: error.condition,
      text: error.text,
      retryable: error.type === 'wait' || error.condition === 'resource-constraint',
      cause: error,
    });
  }
}

/** The JID of a bind result, checked. */
function boundJid(answer: Element, session: Negotiation): JID {
  const { domain } = session.config;
  const from = answer.getAttribute('from');
  const jids = answer.getChild('bind', NS.BIND)?.getChildren('jid', NS.BIND) ?? [];
  if (jids.length !== 1) throw badJid(`it names ${String(jids.length)} JIDs`);
  const jid = readOwnAddress((jids[0] as Element).textContent, { domain, bound: true, bad: badJid });
  if (
    from !== null &&
    !JID.equivalent(from, domain) &&
    !JID.equivalent(from, jid.bare().toString()) &&
    !JID.equivalent(from, jid.toString())
  ) {
    throw badJid('it comes from another address');
  }
  warnOfOtherUser(session, jid);
  return jid;
}

function badJid(why: string, cause?: unknown): BrokerError {
  return new BrokerError('BIND_BAD_JID', `the server's bind result cannot be used: ${why}`, {
    layer: 'bind',
    origin: 'peer',
    cause,
  });
}
