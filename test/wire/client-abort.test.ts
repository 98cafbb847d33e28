import { describe, expect, it } from 'vitest';
import { NS, XMPP, type BrokerOptions } from 'xmpp-broker';
import { authenticate, CLIENT, greet, iqId } from './support/client.js';
import {
  BIND,
  failure,
  features,
  mechanisms,
  OPENING,
  PROCEED,
  SM,
  STARTTLS,
  stopClock,
  streamHeader,
  useRig,
  type Conversation,
  type Ready,
} from './support/index.js';

const rig = useRig(CLIENT);

interface Phase {
  readonly name: string;
  /** What the server says before it falls silent; fulfils when the client waits. */
  readonly script: (server: Conversation) => Promise<unknown>;
  readonly options?: Partial<BrokerOptions>;
  readonly how?: 'plain' | 'direct';
  /** How silence is told. */
  readonly code: string;
  readonly phase: string;
  readonly event: string;
}

const base64 = (text: string) => Buffer.from(text).toString('base64');

/** SCRAM's first message from the client. */
async function initial(server: Conversation): Promise<string> {
  const [, text = ''] = await server.match(/<auth[^>]*>([^<]*)<\/auth>/);
  return Buffer.from(text, 'base64').toString();
}

/** SCRAM's first challenge. */
function challengeTo(first: string, iterations: number): string {
  const nonce = /r=(.*)$/.exec(first)?.[1] ?? '';
  const text = base64(`r=${nonce}x,s=${base64('salt')},i=${String(iterations)}`);
  return `<challenge xmlns='${NS.SASL}'>${text}</challenge>`;
}

const PHASES: readonly Phase[] = [
  {
    name: 'the stream header',
    script: (server) => server.expect(OPENING),
    ...{ how: 'plain', code: 'STREAM_TIMEOUT', phase: 'pre-tls', event: 'CONNECTFAIL' },
  },
  {
    name: 'the features',
    script: (server) => greet(server, ''),
    ...{ how: 'plain', code: 'STREAM_TIMEOUT', phase: 'pre-tls', event: 'CONNECTFAIL' },
  },
  {
    name: 'the answer to STARTTLS',
    script: async (server) => {
      await greet(server, features(STARTTLS));
      await server.expect(/<starttls[^>]*\/>/);
    },
    ...{ how: 'plain', code: 'STREAM_TIMEOUT', phase: 'tls', event: 'SSLFAIL' },
  },
  {
    name: 'the TLS handshake',
    script: async (server) => {
      await greet(server, features(STARTTLS));
      await server.expect(/<starttls[^>]*\/>/);
      await server.send(PROCEED);
      await server.expect('\u0016'); // a ClientHello
    },
    ...{ how: 'plain', code: 'TLS_HANDSHAKE', phase: 'tls', event: 'SSLFAIL' },
  },
  {
    name: 'the features inside TLS',
    script: (server) => greet(server, ''),
    ...{ code: 'STREAM_TIMEOUT', phase: 'auth', event: 'CONNECTFAIL' },
  },
  {
    name: 'a challenge',
    options: { connectionType: XMPP.with({ mechanisms: ['SCRAM-SHA-256'] }) },
    script: async (server) => {
      await greet(server, features(mechanisms('SCRAM-SHA-256')));
      await server.expect('</auth>');
    },
    ...{ code: 'SASL_TIMEOUT', phase: 'auth', event: 'AUTHFAIL' },
  },
  {
    name: 'the verdict on SASL',
    script: async (server) => {
      await greet(server, features(mechanisms('PLAIN')));
      await server.expect('</auth>');
    },
    ...{ code: 'SASL_TIMEOUT', phase: 'auth', event: 'AUTHFAIL' },
  },
  {
    name: 'the stream behind SASL',
    script: async (server) => {
      await authenticate(server);
      await server.expect(OPENING);
    },
    ...{ code: 'STREAM_TIMEOUT', phase: 'bind', event: 'CONNECTFAIL' },
  },
  {
    name: 'the result of bind',
    script: async (server) => {
      await authenticate(server);
      await greet(server, features(BIND, SM), { id: 'b' });
      await iqId(server);
    },
    ...{ code: 'BIND_TIMEOUT', phase: 'bind', event: 'BINDFAIL' },
  },
];

const start = (phase: Phase, options: Partial<BrokerOptions> = {}) =>
  rig.dialled({ ...phase.options, ...options }, phase.how ?? 'direct');

/** Nothing of the attempt is left, and the broker can be used again. */
async function expectOver({ broker, server }: Ready): Promise<void> {
  await server.ended;
  expect(broker.state).not.toBe('connecting');
  expect(broker.pending.size + broker.queue.size).toBe(0);
  server.destroy();
}

describe('S-CONN-8: a server that falls silent', () => {
  it.each(PHASES)('before $name', async (phase) => {
    const clock = stopClock();
    const client = await start(phase);
    await phase.script(client.server);
    const error = await clock.until(failure(client.connected));
    expect(error).toMatchObject({ code: phase.code, phase: phase.phase, retryable: true });
    expect(client.recorded.short.filter((name) => name.endsWith('FAIL'))).toEqual([phase.event]);
    await expectOver(client);
  });
});

describe('S-CONN-13: given up', () => {
  it.each(PHASES)('by a signal before $name', async (phase) => {
    const peer = await rig.listen(phase.how ?? 'direct');
    const tls = phase.how === 'plain' ? {} : { tls: { policy: 'direct' as const } };
    const { broker, recorded } = rig.broker(peer, { ...phase.options, ...tls });
    const abort = new AbortController();
    const connected = broker.connect({ signal: abort.signal });
    const server = await peer.accept();
    await phase.script(server);
    abort.abort(new Error('changed my mind'));
    expect(await failure(connected)).toMatchObject({ code: 'CONNECT_ABORTED' });
    expect(recorded.short.filter((name) => name.endsWith('FAIL'))).toEqual([phase.event]);
    await expectOver({ broker, recorded, server, peer });
  });

  it.each(PHASES)('by shutdown() before $name', async (phase) => {
    const client = await start(phase);
    await phase.script(client.server);
    const rejected = failure(client.connected);
    await client.broker.shutdown();
    expect((await rejected).retryable).toBe(false);
    await expectOver(client);
    expect(client.broker.state).toBe('idle');
  });

  it('S-SCRAM-5: while keys are derived: the proof is not sent', async () => {
    let received: () => void;
    const challenged = new Promise<void>((resolve) => (received = resolve));
    const nothing = () => undefined;
    const client = await rig.dialled({
      connectionType: XMPP.with({ mechanisms: ['SCRAM-SHA-1'], iterations: { max: 2_000_000 } }),
      debug: true,
      logger: {
        ...{ info: nothing, warn: nothing, error: nothing },
        debug: (facts) => {
          if (JSON.stringify(facts).includes('<challenge')) received();
        },
      },
    });
    const { server, connected, broker } = client;
    await greet(server, features(mechanisms('SCRAM-SHA-1')));
    await server.send(challengeTo(await initial(server), 2_000_000));
    await challenged;
    const rejected = failure(connected);
    await broker.shutdown();
    expect((await rejected).code).not.toMatch(/^SASL/);
    await server.ended;
    expect(server.received.toString()).not.toMatch(/<response|<abort/);
  });
});

describe('what a dialect waits for', () => {
  const never = () => new Promise<never>(() => undefined);

  it.each<[string, Partial<BrokerOptions>]>([
    ['a password that never comes', { password: never }],
    ['a dialect that waits for something else', { connectionType: { ...XMPP, negotiate: never } }],
  ])('%s: the attempt ends in its time', async (_, options) => {
    const { server, connected, recorded } = await rig.dialled({ ...options, timeouts: { attempt: 150, close: 50 } });
    void greet(server, features(mechanisms('SCRAM-SHA-1', 'PLAIN'))).catch(() => undefined);
    void initial(server)
      .then((first) => server.send(challengeTo(first, 4_096)))
      .catch(() => undefined);
    expect(await failure(connected)).toMatchObject({ code: 'ATTEMPT_TIMEOUT', retryable: true });
    expect(recorded.short.at(-1)).toBe('SHUTDOWN_FINISH');
  });

  it.each<[string, () => string | Promise<string>]>([
    [
      'throws',
      () => {
        throw new Error('vault sealed');
      },
    ],
    ['rejects', () => Promise.reject(new Error('vault sealed'))],
    ['gives nothing', () => ''],
    ['gives no string', () => 7 as unknown as string],
  ])('a password function that %s', async (_, password) => {
    const { server, connected, recorded } = await rig.dialled({ password });
    await greet(server, features(mechanisms('PLAIN')));
    expect(await failure(connected)).toMatchObject({ code: 'USAGE_PASSWORD', retryable: false });
    expect(recorded.short).toContain('AUTHFAIL');
    await server.ended;
    expect(server.received.toString()).not.toContain('<auth');
  });
});

describe('a peer that never stops', () => {
  it('S-ERR-3: an error in place of the header, with parts without end', async () => {
    const { server, connected } = await rig.dialled({}, 'plain');
    await server.expect(OPENING);
    const root = `<stream:error xmlns:stream='${NS.STREAM}'><host-unknown xmlns='${NS.STREAMS}'/>`;
    await server.send(root + `<x xmlns='urn:x'>${'x'.repeat(1_000)}</x>`.repeat(500));
    expect(await failure(connected)).toMatchObject({ code: 'STREAM_ERROR', condition: 'host-unknown' });
    await server.ended;
  });

  it('what is set aside before the stream is ready is bounded', async () => {
    const { server, connected, recorded } = await rig.dialled({ limits: { stanzaBytes: 10_000 } });
    await authenticate(server);
    await greet(server, features(BIND, SM), { id: 'b' });
    await iqId(server);
    await server.send(`<x xmlns='urn:x'/>`.repeat(10_000));
    expect(await failure(connected)).toMatchObject({ code: 'STREAM_UNEXPECTED', sentCondition: 'policy-violation' });
    await server.expect('<policy-violation');
    expect(recorded.short).not.toContain('NODERECEIVED');
  });

  it('a flood of elements before authentication is read one at a time', async () => {
    const { server, connected } = await rig.dialled();
    await server.expect(OPENING);
    await server.send(streamHeader() + `<x xmlns='urn:x'/>`.repeat(10_000));
    expect(await failure(connected)).toMatchObject({ code: 'STREAM_UNEXPECTED' });
    await server.ended;
  });
});
