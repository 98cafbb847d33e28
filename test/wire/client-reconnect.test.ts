import { describe, expect, it } from 'vitest';
import { NS, type BrokerOptions } from 'xmpp-broker';
import { reconnectDelay } from '../../src/lifecycle/reconnect-delay.js';
import { generator } from '../support/random.js';
import { authenticate, CLIENT, greet, iqId, JID, welcome } from './support/client.js';
import {
  BIND,
  type Conversation,
  failure,
  features,
  mechanisms,
  OPENING,
  streamError,
  streamHeader,
  useRig,
} from './support/index.js';

const rig = useRig(CLIENT);

const QUICK = { initial: true, firstDelayMs: 1, maxDelayMs: 2, resumeDelayMs: 1 };

/** What a server does before it drops a client, from early to late. */
const PHASES: readonly [string, (server: Conversation) => Promise<unknown>][] = [
  ['at once', () => Promise.resolve()],
  [
    'after our header',
    async (server) => {
      await server.expect(OPENING);
    },
  ],
  ['after its header', (server) => greet(server, '')],
  ['after its features', (server) => greet(server, features(mechanisms('PLAIN')))],
  [
    'in the middle of SASL',
    async (server) => {
      await greet(server, features(mechanisms('PLAIN')));
      await server.expect('</auth>');
    },
  ],
  [
    'before binding',
    async (server) => {
      await authenticate(server);
      await greet(server, features(BIND));
      await iqId(server);
    },
  ],
  ['once ready', (server) => welcome(server, { enabled: "id='x'" })],
];

describe('reconnecting', () => {
  it('S-CONN-7: a thousand clients that are cut at once come back spread over a minute, then slower', () => {
    const options = { firstDelayMs: 60_000, maxDelayMs: 300_000 };
    const random = generator(7);
    const draw = () => random.below(2 ** 30) / 2 ** 30;
    const first = Array.from({ length: 1_000 }, () => reconnectDelay(options, 0, draw()));
    expect(Math.max(...first)).toBeLessThan(60_000);
    // Ten equal parts with a hundred each: chi-squared with 9 degrees of freedom stays below 21.7 (p = 0.01).
    const parts = Array.from({ length: 10 }, (_, part) => first.filter((ms) => Math.floor(ms / 6_000) === part).length);
    expect(parts.reduce((sum, count) => sum + (count - 100) ** 2 / 100, 0)).toBeLessThan(21.7);
    const seconds = Array.from({ length: 60 }, (_, at) => first.filter((ms) => Math.floor(ms / 1_000) === at).length);
    expect(Math.max(...seconds)).toBeLessThan(3 * (1_000 / 60));
    for (const [failures, bound] of [
      [1, 120_000],
      [2, 240_000],
      [3, 300_000],
      [50, 300_000],
    ] as const) {
      expect(reconnectDelay(options, failures, 1 - Number.EPSILON)).toBeLessThanOrEqual(bound);
      expect(reconnectDelay(options, failures, 0.999)).toBeGreaterThan(0.99 * bound);
    }
  });

  it.each(PHASES)(
    'A-FLOW-5 S-CONN-8: a server that drops everybody %s: one attempt at a time, bounded',
    async (_, phase) => {
      const peer = await rig.listen();
      const { broker, recorded } = rig.broker(peer, {
        tls: { policy: 'direct' },
        reconnect: { ...QUICK, maxAttempts: 6 },
      });
      void broker.connect();
      const { closed } = broker;
      let most = 0;
      for (let link = 0; link < 7; link++) {
        const server = await peer.accept();
        most = Math.max(most, peer.conversations.length - link);
        await phase(server).catch(() => undefined);
        server.reset();
        await server.closed;
      }
      if (recorded.short.includes('READY')) {
        // A link that was ready once begins to count anew.
        broker.halt();
      } else {
        expect(await closed).toMatchObject({ clean: false, error: { retryable: true } });
      }
      expect(most).toBe(1);
      const delays = recorded.payloads.filter((_payload, at) => recorded.names[at] === 'PCJ_RECONNECTING');
      expect(delays.length).toBeGreaterThanOrEqual(6);
      expect(delays.every((delay) => (delay as { delayMs: number }).delayMs <= 2)).toBe(true);
    },
  );

  it.each([
    [
      'a refused password',
      async (server: Conversation) => {
        await greet(server, features(mechanisms('PLAIN')));
        await server.expect('</auth>');
        await server.send(`<failure xmlns='${NS.SASL}'><not-authorized/></failure>`);
      },
    ],
    [
      'a wrong domain',
      async (server: Conversation) => {
        await server.expect(OPENING);
        await server.send(streamHeader() + streamError('host-unknown'));
      },
    ],
    [
      'a policy',
      async (server: Conversation) => {
        await server.expect(OPENING);
        await server.send(streamHeader() + streamError('policy-violation'));
      },
    ],
    [
      'an old protocol',
      async (server: Conversation) => {
        await greet(server, '', { version: null });
      },
    ],
  ])('S-CONN-9: %s is not tried again', async (_, script) => {
    const peer = await rig.listen();
    const { broker, recorded } = rig.broker(peer, { tls: { policy: 'direct' }, reconnect: QUICK });
    const connected = broker.connect();
    const server = await peer.accept();
    await script(server);
    expect(await failure(connected)).toMatchObject({ retryable: false });
    await broker.closed;
    expect(recorded.short).not.toContain('RECONNECTING');
    expect(peer.conversations).toHaveLength(1);
  });

  it('S-CONN-10: a conflict is final: the resource is not fought for', async () => {
    const { server, broker, peer, recorded } = await rig.ready({ reconnect: QUICK, resource: 'desk' });
    const { closed } = broker;
    await server.send(`${streamError('conflict')}</stream:stream>`);
    server.end();
    expect(await closed).toMatchObject({ error: { condition: 'conflict', retryable: false } });
    expect(recorded.short).not.toContain('RECONNECTING');
    expect(peer.conversations).toHaveLength(1);
  });

  it('reconnect: false leaves it to the program, which may go on with the session', async () => {
    const options: Partial<BrokerOptions> = { reconnect: false };
    const { server, broker, peer } = await rig.ready(options);
    const { closed } = broker;
    server.reset();
    await closed;
    expect(broker.state).toBe('disconnected');
    const connected = broker.connect();
    const next = await peer.accept();
    await authenticate(next);
    await greet(next, features(BIND, `<sm xmlns='${NS.SM}'/>`), { id: 'b' });
    await next.expect(/<resume [^>]*\/>/);
    await next.send(`<resumed xmlns='${NS.SM}' previd='session-1' h='0'/>`);
    await connected;
    expect(broker.jid?.toString()).toBe(JID);
  });

  it('a session is tried again soon as long as it may live, at a growing pace', async () => {
    const peer = await rig.listen();
    const { broker, recorded } = rig.broker(peer, {
      tls: { policy: 'direct' },
      reconnect: { firstDelayMs: 3_600_000, maxDelayMs: 3_600_000, resumeDelayMs: 2 },
    });
    const connected = broker.connect();
    await welcome(await peer.accept());
    await connected;
    peer.conversations[0]?.reset();
    for (let attempt = 0; attempt < 4; attempt++) (await peer.accept()).reset();
    const delays = recorded.payloads.filter((_payload, at) => recorded.names[at] === 'PCJ_RECONNECTING');
    expect(delays.map((delay, at) => (delay as { delayMs: number }).delayMs < 2 * 2 ** at)).not.toContain(false);
  });
});
