// A dialect of one's own, with public imports only: a component that asks for TLS-less XEP-0114 with two extra rules.
// It refuses a server that calls itself by another name, and it marks every stanza it sends.
//
//   XMPP_HOST=127.0.0.1 XMPP_PORT=5347 XMPP_DOMAIN=echo.localhost XMPP_SECRET=secret node own-dialect.js
import { createHash } from 'node:crypto';
import { Broker, BrokerError, JID, NS, xml, type Dialect } from 'xmpp-broker';

export const MARKED_COMPONENT: Dialect = {
  name: 'MARKED_COMPONENT',
  xmlns: NS.COMPONENT_ACCEPT,
  defaultTls: 'loopback',
  addressing: 'domain',
  needs: ['password', 'port'],

  // Everything that one attempt must remember is a local variable here.
  async negotiate(session) {
    const header = await session.open();
    if (header.id === null || header.id === '') {
      const element = await session.next();
      throw new BrokerError('MARKED_NO_ID', `no stream id but <${element.nodeName}/>`, {
        layer: 'stream',
        origin: 'peer',
      });
    }
    if (header.from !== session.config.domain) {
      throw new BrokerError('MARKED_WRONG_NAME', `the server calls us ${header.from ?? 'nothing'}`, {
        layer: 'stream',
        origin: 'peer',
      });
    }
    session.publish('PCJ_AUTHNEGOTIATE', { mechanism: 'handshake' });
    const digest = createHash('sha1')
      .update(header.id + (await session.password()))
      .digest('hex');
    session.send(xml('handshake', { xmlns: NS.COMPONENT_ACCEPT }, digest), { secret: true });
    await session.next((element) => element.is('handshake', NS.COMPONENT_ACCEPT));
    session.publish('PCJ_AUTHSUCCESS', { mechanism: 'handshake' });
    return { jid: JID.parse(session.config.domain), sid: header.id };
  },

  prepare(stanza, { domain }) {
    if (stanza.getAttribute('from') !== null) return stanza;
    const copy = stanza.clone();
    copy.setAttribute('from', domain);
    return copy;
  },

  wrap(stanza) {
    const copy = stanza.clone();
    copy.appendChild(xml('mark', { xmlns: 'urn:example:mark' }));
    return copy;
  },

  unwrap(element) {
    // Whatever this returns is the stanza; undefined means the element was dealt with.
    return element.is('keepalive', 'urn:example:mark') ? undefined : element;
  },
};

/** Connects with the dialect, sends one message to itself and waits for it to come back. */
export async function roundTrip(options: {
  host: string;
  port: number;
  domain: string;
  password: string;
}): Promise<string> {
  await using broker = new Broker({ connectionType: MARKED_COMPONENT, ...options });
  broker.shutdownOn('SIGTERM', 'SIGINT');
  const arrived = broker.events.once('PCJ_NODERECEIVED');
  await broker.connect();
  broker.output(xml('message', { to: `me@${options.domain}` }, xml('body', {}, 'hello')));
  const message = await arrived;
  return message.toString();
}

if (process.env['XMPP_DOMAIN'] !== undefined) {
  const { XMPP_HOST = '127.0.0.1', XMPP_PORT = '5347', XMPP_DOMAIN, XMPP_SECRET = 'secret' } = process.env;
  console.log(
    await roundTrip({ host: XMPP_HOST, port: Number(XMPP_PORT), domain: XMPP_DOMAIN, password: XMPP_SECRET }),
  );
}
