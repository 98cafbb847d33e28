import { afterAll, beforeAll, expect, test } from 'vitest';
import { NS, PCJ_NODERECEIVED, xml, type Broker, type Element, type TrustKinds } from 'xmpp-broker';
import { describeServer, type TestServer } from './harness/index.js';
import { Clients, CLIENT_SITES, type ClientPort } from './support/client-site.js';

/** The next part of a stanza that the broker trusts, and the sender it is from. */
function next<Kind extends keyof TrustKinds>(broker: Broker, kind: Kind, ...options: TrustKinds[Kind]) {
  return new Promise<{ part: Element; from: string | null }>((resolve) => {
    const subscription = broker.subscribe(PCJ_NODERECEIVED, (stanza) => {
      const part = broker.trusted(stanza, kind, ...options);
      if (part === null) return;
      subscription.cancel();
      resolve({ part, from: stanza.getAttribute('from') });
    });
  });
}

const iq = (type: 'get' | 'set', ...children: Element[]) => xml('iq', { type }, ...children);
const roster = (...items: Element[]) => xml('query', { xmlns: NS.IQ_ROSTER }, ...items);

for (const site of CLIENT_SITES) {
  describeServer(site.name, 'who to believe', () => {
    let server: TestServer<ClientPort>;
    const clients = new Clients();
    let desk: Broker;
    let phone: Broker;
    let bob: Broker;
    beforeAll(async () => {
      server = await site.start();
      const ready = async (username: string, resource: string) =>
        (await clients.ready(server, { username, resource })).broker;
      desk = await ready('alice', 'desk');
      phone = await ready('alice', 'phone');
      bob = await ready('bob', 'x');
      for (const broker of [desk, phone, bob]) {
        await broker.request(iq('get', roster()));
        broker.output(xml('presence'));
      }
    });
    afterAll(async () => {
      await clients[Symbol.asyncDispose]();
      await server.dispose();
    });

    test('S-STZ-7: its roster pushes are believed, and nobody else can push', async () => {
      const pushed = next(phone, 'roster');
      await desk.request(iq('set', roster(xml('item', { jid: 'carol@localhost', name: 'Carol' }))));
      expect((await pushed).part.getChild('item')?.getAttribute('jid')).toBe('carol@localhost');
      // Some servers stop a forged one, others deliver it.
      const believed: boolean[] = [];
      const end = new Promise<void>((resolve) => {
        phone.subscribe(PCJ_NODERECEIVED, (stanza) => {
          if (stanza.localName === 'iq') believed.push(phone.trusted(stanza, 'roster') !== null);
          if (stanza.getAttribute('id') === 'end') resolve();
        });
      });
      const to = 'alice@localhost/phone';
      bob.output(xml('iq', { type: 'set', id: 'forged', to }, roster(xml('item', { jid: 'm@localhost' }))));
      bob.output(xml('message', { to, id: 'end', type: 'chat' }, xml('body', {}, 'end')));
      await end;
      expect(believed).not.toContain(true);
    });

    if (!site.managed) return;

    test('S-STZ-8: its carbon copies are believed, those of others are not', async () => {
      for (const broker of [desk, phone]) await broker.request(iq('set', xml('enable', { xmlns: NS.CARBONS })));
      const copied = next(phone, 'carbons');
      const forged: boolean[] = [];
      phone.subscribe(PCJ_NODERECEIVED, (stanza) => {
        if (stanza.getAttribute('id') === 'forged') forged.push(phone.trusted(stanza, 'carbons') !== null);
      });
      const inside = xml('message', { xmlns: NS.CLIENT, from: 'alice@localhost/desk' }, xml('body', {}, 'pay'));
      const carbon = xml('received', { xmlns: NS.CARBONS }, xml('forwarded', { xmlns: NS.FORWARD }, inside));
      bob.output(xml('message', { to: 'alice@localhost/phone', id: 'forged', type: 'chat' }, carbon));
      await bob.request(iq('get', roster()));
      bob.output(xml('message', { to: 'alice@localhost/desk', type: 'chat' }, xml('body', {}, 'hello')));
      const { part } = await copied;
      const message = part.getChild('forwarded', NS.FORWARD)?.getChild('message', NS.CLIENT);
      expect([part.localName, message?.getChildText('body')]).toEqual(['received', 'hello']);
      expect(forged).not.toContain(true);
    });

    test('S-STZ-8: results of its archive are believed', async () => {
      const always = xml('prefs', { xmlns: NS.MAM, default: 'always' }, xml('always'), xml('never'));
      await desk.request(iq('set', always));
      desk.output(xml('message', { to: 'bob@localhost', type: 'chat' }, xml('body', {}, 'kept')));
      await desk.request(iq('get', roster()));
      const found = next(desk, 'mam', { queryid: 'q-5f0c' });
      await desk.request(iq('set', xml('query', { xmlns: NS.MAM, queryid: 'q-5f0c' })));
      expect((await found).part.getChild('forwarded', NS.FORWARD)).not.toBeNull();
    });

    test('S-STZ-8: its events are believed', async () => {
      const node = 'urn:example:note';
      const note = next(desk, 'pep', { node });
      const item = xml('item', { id: 'current' }, xml('note', { xmlns: node }, 'x'));
      await desk.request(iq('set', xml('pubsub', { xmlns: NS.PUBSUB }, xml('publish', { node }, item))));
      await desk.request(
        iq('set', xml('pubsub', { xmlns: NS.PUBSUB }, xml('subscribe', { node, jid: 'alice@localhost/desk' }))),
      );
      await desk.request(iq('set', xml('pubsub', { xmlns: NS.PUBSUB }, xml('publish', { node }, item))));
      expect((await note).part.firstElementChild?.getAttribute('node')).toBe(node);
    });
  });
}
