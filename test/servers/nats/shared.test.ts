// `mode: 'shared'`: several links for one name on real servers that share it, and one queue for all of them.
import { expect, it } from 'vitest';
import { JABBERD14_COMPONENT, JABBERD20_COMPONENT, xml, type BrokerOptions } from 'xmpp-broker';
import type { RemoteTicket } from 'xmpp-broker/nats';
import { SERVERS } from '../../../scripts/servers.mjs';
import { describeServer, Ejabberd, Jabberd2, Nats, sharedServer, type TestServer } from '../harness/index.js';
import { useEndings, useNats } from './support/queue-world.js';
import { openSink } from './support/sink.js';

const SITES = [
  {
    name: 'ejabberd' as const,
    start: (): Promise<TestServer<'starttls'>> => Ejabberd.start(),
    options: { connectionType: JABBERD14_COMPONENT } satisfies Partial<BrokerOptions>,
    port: 'component',
  },
  {
    name: 'jabberd2' as const,
    start: (): Promise<TestServer<'starttls'>> => Jabberd2.start(),
    options: {
      connectionType: JABBERD20_COMPONENT.with({ multi: true }),
      username: 'jabberd',
    } satisfies Partial<BrokerOptions>,
    port: 'router',
  },
];

const atEnd = useEndings();
const { publisher, holder } = useNats(atEnd);

for (const { name, start, options, port } of SITES) {
  describeServer(SERVERS.nats.find() === null ? 'nats' : name, `mode shared on ${name}`, () => {
    const nats = sharedServer(() => Nats.start());
    const xmpp = sharedServer(start);

    it('all of them send what is output for the name; the rest takes what one of them leaves', async () => {
      const [bus, server] = await Promise.all([nats(), xmpp()]);
      const { broker: sink, bodies } = await openSink(server);
      atEnd(() => {
        sink.halt();
        return Promise.resolve();
      });

      const ports: Readonly<Record<string, number>> = server.ports;
      const given: BrokerOptions = {
        host: '127.0.0.1',
        port: ports[port],
        domain: 'comp.localhost',
        password: 'secret',
        logger: false,
        ...options,
        ...(name === 'jabberd2' ? { tls: { ca: server.ca, servername: 'localhost' } } : {}),
      };
      const brokers = [1, 2, 3].map(() => holder(bus, given, { mode: 'shared' }));
      const sent = brokers.map(() => 0);
      for (const [i, broker] of brokers.entries()) {
        broker.subscribe('PCJ_NODESENT', (node) => {
          if (node.localName === 'message') sent[i]! += 1;
        });
      }
      await Promise.all(brokers.map((broker) => broker.connect()));
      const producer = publisher(bus, { queue: 'comp.localhost' });
      const tickets: RemoteTicket[] = [];
      const say = (i: number): void => {
        const stanza = xml(
          'message',
          { to: 'bob@localhost/sink', from: 'x@comp.localhost' },
          xml('body', {}, String(i)),
        );
        tickets.push(producer.output(stanza));
      };
      // Each of them takes its part.
      while (sent.includes(0)) {
        say(tickets.length);
        await tickets.at(-1)?.sent;
      }
      for (let i = 0; i < 200; i += 1) {
        say(tickets.length);
        if (i === 100) void brokers[0]!.shutdown();
        if (i % 50 === 49) await tickets.at(-1)?.stored;
      }
      await Promise.all(tickets.map((ticket) => ticket.sent));
      const wanted = tickets.map((_, i) => String(i));
      await expect.poll(() => wanted.filter((body) => !bodies.includes(body)), { timeout: 30_000 }).toEqual([]);
      const twice = wanted.filter((body) => bodies.indexOf(body) !== bodies.lastIndexOf(body));
      expect(twice.filter((body) => !tickets[Number(body)]!.possibleDuplicate)).toEqual([]);
      // What such a broker outputs by itself is not stored.
      const own = brokers[1]!.output(xml('message', { to: 'bob@localhost/sink', from: 'x@comp.localhost' }));
      await own.sent;
      await expect(own.stored).rejects.toMatchObject({ code: 'QUEUE_NOT_STORED' });
    });
  });
}
