/** @xmpp/client. It runs no filters, and answers an iq that nobody handles. */
import { client } from '@xmpp/client';

/** A client that is ready, and hands each stanza to `received`. Whom Node trusts is no option of it. */
export async function signIn({ directPort, received = () => undefined }) {
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
  const entity = client({
    service: `xmpps://127.0.0.1:${directPort}`,
    domain: 'example.org',
    username: 'echo',
    password: 'secret',
  });
  entity.reconnect.stop();
  entity.on('error', () => undefined);
  entity.on('stanza', (stanza) => {
    received(1, stanza);
  });
  await entity.start();
  return { matches: () => 0, close: () => entity.socket?.destroy?.() };
}
