// STARTTLS: RFC 6120 §5, RFC 7590 §3.1.
import { BrokerError } from '../../errors.js';
import type { TlsFacts } from '../../tls/facts.js';
import { xml } from '../../xml/builder.js';
import { NS } from '../../xml/namespaces.js';
import type { Negotiation } from '../dialect.js';

/**
 * Asks for TLS and does the handshake. It may be asked for where it was not offered: the offer is not protected, and
 * somebody may have taken it out (RFC 7590 §3.1). Whatever was learnt before is to be forgotten afterwards (§5.4.3.3).
 * @throws BrokerError `TLS_REFUSED`, `STREAM_UNEXPECTED`, and what the handshake throws
 */
export async function startTls(session: Negotiation): Promise<TlsFacts> {
  session.publish('PCJ_SSLNEGOTIATE');
  session.send(xml('starttls', { xmlns: NS.TLS }));
  const answer = await session.next();
  if (answer.is('proceed', NS.TLS) && answer.firstChild === null) return session.startTls();
  if (answer.is('failure', NS.TLS)) {
    throw new BrokerError('TLS_REFUSED', 'the server refuses STARTTLS', {
      layer: 'tls',
      origin: 'peer',
      retryable: true,
    });
  }
  throw new BrokerError('STREAM_UNEXPECTED', `the server answered <starttls/> with <${answer.nodeName}/>`, {
    layer: 'stream',
    origin: 'peer',
    sentCondition: 'bad-format',
  });
}
