// XEP-0114: Jabber Component Protocol, as spoken by jabberd14, Prosody, ejabberd and the jabberd2 router.
import { createHash } from 'node:crypto';
import { BrokerError, usageError } from '../errors.js';
import { JID } from '../jid.js';
import { xml } from '../xml/builder.js';
import type { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';
import type { Dialect, Established, Negotiation } from './dialect.js';

/**
 * A component of a server: a name of its own below the server, connected with a shared secret (XEP-0114).
 *
 * `domain` is the component's name and `password` the secret; there is no default port. TLS is not part of the
 * protocol: on this machine the stream is in clear, elsewhere `tls: { policy: 'direct' }` or `'disabled'` must be said.
 */
export const JABBERD14_COMPONENT: Dialect = Object.freeze<Dialect>({
  name: 'JABBERD14_COMPONENT',
  xmlns: NS.COMPONENT_ACCEPT,
  needs: ['password', 'port'],
  defaultTls: 'loopback',
  tlsPolicies: ['direct', 'disabled'],
  addressing: 'domain',
  negotiate,
  prepare,
});

async function negotiate(session: Negotiation): Promise<Established> {
  const header = await session.open();
  // A server that does not know the name answers with an empty id, then says so. Nothing is ever hashed with it.
  if (header.id === null || header.id === '') {
    const element = await session.next();
    throw new BrokerError('STREAM_NO_ID', `the server sent no stream id but <${element.nodeName}/>`, {
      layer: 'stream',
      origin: 'peer',
      sentCondition: 'invalid-id',
    });
  }
  const secret = await session.password();
  session.publish('PCJ_AUTHNEGOTIATE', { mechanism: 'handshake' });
  const digest = createHash('sha1').update(header.id, 'utf8').update(secret, 'utf8').digest('hex');
  session.send(xml('handshake', { xmlns: NS.COMPONENT_ACCEPT }, digest), { secret: true });
  // jabberd2 announces its features first when asked with a version; the handshake follows all the same.
  await session.next((element) => element.is('handshake', NS.COMPONENT_ACCEPT));
  session.publish('PCJ_AUTHSUCCESS', { mechanism: 'handshake' });
  return { jid: JID.parse(session.config.domain), sid: header.id };
}

/** Fills in a missing `from` with our name and refuses what servers close the stream for (XEP-0114 §3). */
function prepare(stanza: Element, { domain }: { domain: string }): Element {
  if (stanza.getAttribute('to') === null) {
    throw usageError(
      'USAGE_COMPONENT_ADDRESS',
      `<${stanza.nodeName}/> has no 'to' attribute; a component has no account or server of its own to send to`,
    );
  }
  const from = stanza.getAttribute('from');
  const own = JID.parse(domain).domain;
  if (from === null) {
    const copy = stanza.clone();
    copy.setAttribute('from', own);
    return copy;
  }
  const sender = JID.parse(from);
  if (sender.domain === own) return stanza;
  throw usageError(
    'USAGE_COMPONENT_ADDRESS',
    `<${stanza.nodeName}/> has the 'from' ${sender.toString()}, but this component may only send from ${own}; servers close the stream for that`,
  );
}
