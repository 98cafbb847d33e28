// Session establishment of before RFC 6120: RFC 3921 §3.
import { BrokerError } from '../../errors.js';
import { StanzaError } from '../../stanza/stanza-error.js';
import { xml } from '../../xml/builder.js';
import type { Element } from '../../xml/element.js';
import { NS } from '../../xml/namespaces.js';
import type { Negotiation } from '../dialect.js';
import { newId } from '../../stanza/id.js';

/**
 * Asks for a session where the server offers one and does not call it optional.
 * @throws BrokerError `SESSION_FAILED` with the condition
 */
export async function establishSession(session: Negotiation, features: Element): Promise<void> {
  const offer = features.getChild('session', NS.SESSION);
  if (offer === null || offer.getChild('optional') !== null) return;
  session.publish('PCJ_SESSIONNEGOTIATE');
  const answer = await session.request(xml('iq', { type: 'set', id: newId() }, xml('session', { xmlns: NS.SESSION })));
  if (answer.getAttribute('type') === 'error') {
    const error = new StanzaError(answer);
    throw new BrokerError('SESSION_FAILED', `the server granted no session: ${String(error.condition)}`, {
      layer: 'bind',
      origin: 'peer',
      condition: error.condition,
      text: error.text,
      retryable: error.type === 'wait',
      cause: error,
    });
  }
  session.publish('PCJ_SESSIONSUCCESS');
}
