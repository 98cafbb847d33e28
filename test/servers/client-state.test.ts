import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { NS, XMPP, xml, type Element } from 'xmpp-broker';
import { describeServer, type TestServer } from './harness/index.js';
import { CLIENT_SITES, Clients, type ClientPort } from './support/client-site.js';

for (const site of CLIENT_SITES) {
  describeServer(site.name, 'modern 9: client states (XEP-0352)', () => {
    let server: TestServer<ClientPort>;
    const clients = new Clients();

    beforeAll(async () => {
      server = await site.start();
    });
    afterEach(() => clients[Symbol.asyncDispose]());
    afterAll(() => server.dispose());

    test('hold chat states back until somebody looks', async () => {
      const options = { connectionType: XMPP, tls: { ca: server.ca } };
      const { broker: alice, recorded } = clients.client(server, { ...options, username: 'alice' });
      const { broker: bob } = clients.client(server, { ...options, username: 'bob' });
      await Promise.all([alice.connect(), bob.connect()]);
      const to = alice.jid?.toString();
      const echo = alice.events.once('PCJ_NODERECEIVED');
      alice.output(xml('presence'));
      await alice.request(xml('iq', { type: 'get', to: 'localhost' }, xml('ping', { xmlns: NS.PING })));
      if (site.managed) await echo; // jabberd2 echoes none
      const known = alice.clientState('inactive');
      expect(known).toBe(site.managed); // jabberd2 has none
      if (!known) return;
      // The server has read it when bob has what came behind it; an answer to alice would let go what is held.
      const behind = bob.events.once('PCJ_NODERECEIVED');
      alice.output(xml('message', { to: bob.jid?.toString(), type: 'chat' }, xml('body', {}, 'behind it')));
      await behind;
      recorded.clear();
      bob.output(xml('message', { to, type: 'chat' }, xml('composing', { xmlns: NS.CHAT_STATES })));
      await bob.request(xml('iq', { type: 'get', to: 'localhost' }, xml('ping', { xmlns: NS.PING })));
      // What the server has to send anyhow, such as an answer, would let it go.
      expect(recorded.short).not.toContain('NODERECEIVED');
      alice.clientState('active');
      await alice.request(xml('iq', { type: 'get', to: 'localhost' }, xml('ping', { xmlns: NS.PING })));
      const held = recorded.last('PCJ_NODERECEIVED') as Element;
      expect(held.getChild('composing', NS.CHAT_STATES)).not.toBeNull();
      expect(held.getChild('delay', NS.DELAY)).not.toBeNull();
    });
  });
}
