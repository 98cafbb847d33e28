import { expect, test } from 'vitest';
import { NS, xml, type Broker, type BrokerOptions, type Element, type Ticket } from 'xmpp-broker';
import { describeServer, Ejabberd, Prosody, Proxy, type TestServer } from './harness/index.js';
import { Clients, type ClientPort } from './support/client-site.js';
import { Brokers } from './support/component-site.js';
import { inbox } from './support/inbox.js';

/** ejabberd counts what it sent to a client and was not acknowledged, and ends the stream at 5,000. */
const BURST = 12_000;

const BOB = 'bob@localhost/desk';

const message = (to: string, id: string, text = id): Element =>
  xml(
    'message',
    { to, id, type: 'chat' },
    xml('body', {}, text),
    // An archive of thousands of messages is slow to add to.
    xml('no-store', { xmlns: 'urn:xmpp:hints' }),
  );

/** Resolves when the server has handled everything that was sent before. */
const settled = (broker: Broker) =>
  broker.request(xml('iq', { type: 'get', to: 'localhost' }, xml('ping', { xmlns: NS.PING })));

/** Sends what is held, so many at a time that the server can follow; what is suspected goes in its turn. */
async function sendHeld(broker: Broker): Promise<void> {
  while (broker.queue.size > 0) {
    const last = broker.queue.at(999)?.id ?? Infinity;
    const now = [...broker.queue].filter(({ id }) => id <= last);
    broker.queue.send(({ id }) => id <= last);
    await Promise.all(now.map(({ acked }) => acked));
  }
}

const isAdrift = ({ state }: Ticket): boolean => state !== 'acked' && state !== 'queued';

describeServer('ejabberd', 'bursts', () => {
  for (const to of ['alice@localhost/desk', 'nobody@localhost']) {
    const title = `faults A1: ${String(BURST)} messages to ${to} end the link, and only that`;
    test(title, { timeout: 180_000 }, async () => {
      await using server = await Ejabberd.start();
      await using clients = new Clients();
      const { broker } = await clients.ready(server, { resource: 'desk' });
      const received = inbox(broker, 'no errors');
      const lost = broker.events.once('PCJ_SOCKETFAIL');
      const written = new Set<string | null>();
      broker.subscribe('PCJ_NODESENT', (node) => void written.add(node.getAttribute('id')));
      const tickets = Array.from({ length: BURST }, (_, n) => broker.output(message(to, String(n))));
      const { condition, retryable } = await lost;
      expect(retryable).toBe(true);
      // The reset that follows may overtake the stream error.
      expect(['policy-violation', undefined]).toContain(condition);
      await broker.events.once('PCJ_READY');
      expect(tickets.filter(isAdrift)).toEqual([]);
      expect(broker.queue.size).toBeGreaterThan(0);
      // What was not written yet is certain, and nothing else.
      const isWritten = ({ node }: Ticket): boolean => written.has(node.getAttribute('id'));
      expect([...broker.queue].filter((ticket) => ticket.possibleDuplicate !== isWritten(ticket))).toEqual([]);
      const held = [...broker.queue];
      await sendHeld(broker);
      expect(tickets.every(({ state }) => state === 'acked')).toBe(true);
      expect(broker.state).toBe('ready');
      if (!to.startsWith('alice')) return;
      // What was acknowledged on the link that ended may have been on its way back then; the rest has arrived.
      await received.until(String(BURST - 1));
      const ids = new Set(received.ids);
      for (const { node } of held) expect(ids).toContain(node.getAttribute('id'));
    });
  }
});

const CLIENT_SERVERS = [
  { name: 'prosody' as const, start: () => Prosody.start() },
  { name: 'ejabberd' as const, start: () => Ejabberd.start() },
];

for (const { name, start } of CLIENT_SERVERS) {
  describeServer(name, 'stanzas that are too large', () => {
    for (const kib of [300, 1_000]) {
      test(`faults A1 A4: ${String(kib)} KiB end the link, and only that`, async () => {
        await using server: TestServer<ClientPort> = await start();
        await using clients = new Clients();
        const reader = await clients.ready(server, { username: 'bob', resource: 'desk' });
        const received = inbox(reader.broker, 'no errors');
        const { broker } = await clients.ready(server, { resource: 'desk' });
        const lost = broker.events.once('PCJ_SOCKETFAIL');
        const before = broker.output(message(BOB, 'before'));
        const large = broker.output(message(BOB, 'large', 'x'.repeat(kib * 1_024)));
        const behind = broker.output(message(BOB, 'behind'));
        expect(await lost).toMatchObject({ retryable: true });
        // It may be sent once more within the resumed session; in the end it is held and flagged, and the link stays.
        do await broker.events.once('PCJ_READY');
        while (large.state !== 'queued');
        expect([...broker.queue]).toContain(large);
        expect(large.possibleDuplicate).toBe(true);
        broker.queue.drop((ticket) => ticket === large);
        broker.purgeQueue();
        await Promise.all([before.acked, behind.acked]);
        await received.until('behind');
        expect([...new Set(received.ids)].toSorted()).toEqual(['before', 'behind']);
      });
    }
  });
}

/** A component that is back within moments. */
const SOON: Partial<BrokerOptions> = { reconnect: { firstDelayMs: 50, maxDelayMs: 200 } };

describeServer('prosody', 'a component and a stanza that is too large', () => {
  test('faults A1: the link is dialled again', async () => {
    await using server = await Prosody.start();
    await using brokers = new Brokers();
    const broker = await brokers.ready(server.ports.component, SOON);
    const sink = await brokers.ready(server.ports.component, { ...SOON, domain: 'comp2.localhost' });
    const received = inbox(sink, 'no errors');
    const lost = broker.events.once('PCJ_SOCKETFAIL');
    broker.output(message('sink@comp2.localhost', 'large', 'x'.repeat(2 << 20)));
    expect(await lost).toMatchObject({ retryable: true });
    await broker.events.once('PCJ_READY');
    broker.queue.drop();
    broker.output(message('sink@comp2.localhost', 'behind'));
    await received.until('behind');
    expect([...new Set(received.ids)]).toEqual(['behind']);
  });
});

describeServer('prosody', 'cut within a stanza', () => {
  // It goes on with the parser of the old connection: the resumed session is deaf, or takes offence at right bytes.
  const long = 'x'.repeat(40_000);
  const attributes = { to: BOB, id: 'cut', type: 'chat' };
  for (const [where, stanza] of [
    ['its text', message(BOB, 'cut', long)],
    ['its tag', xml('message', attributes, xml('x', { xmlns: 'urn:x', v: long }))],
  ] as const) {
    test(`faults A11: a link that is cut within ${where} is ready again, and nothing is lost`, async () => {
      await using server = await Prosody.start();
      await using clients = new Clients();
      await using proxy = await Proxy.listen(server.ports.starttls);
      const reader = await clients.ready(server, { username: 'bob', resource: 'desk' });
      const received = inbox(reader.broker, 'no errors');
      const queue = { purgeOnReady: true };
      const { broker, recorded } = await clients.ready(server, { resource: 'desk', port: proxy.port, queue });
      await settled(broker);
      const link = proxy.openLinks.at(-1);
      // A record of TLS has up to 16 KiB: the server reads the first one, and not the end.
      const through = link?.truncate('toServer', 20_000);
      const cut = broker.output(stanza);
      const rest = ['b', 'c', 'd'].map((id) => broker.output(message(BOB, id)));
      await through;
      const lost = broker.events.once('PCJ_SOCKETDISCONNECT');
      link?.cut();
      await lost;
      await Promise.all([cut, ...rest].map(({ acked }) => acked));
      await received.until('d');
      expect([...new Set(received.ids)].toSorted()).toEqual(['b', 'c', 'cut', 'd']);
      expect(recorded.names.filter((name) => name === 'PCJ_READY').length).toBeLessThan(6);
    });
  }
});
