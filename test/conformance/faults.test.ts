// What people who ran the library met, by kind. The letters are explained in test/README.md.
// Elsewhere: A10 test/wire/oddities.test.ts; A12 test/wire/probe.test.ts, test/servers/frozen.test.ts;
// B11 test/wire/own-dialect.test.ts; C1, C3 test/wire/memory.test.ts; C2 test/wire/component/turns.test.ts;
// C4 test/wire/trickle.test.ts; C6 test/wire/jabberd2/bounds.test.ts.
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { Broker, NS, XMPP, xml, type BrokerError, type BrokerOptions, type Logger, type Ticket } from 'xmpp-broker';
import { LoopbackServer } from 'xmpp-broker/testing';
import { CLIENT, welcome, welcomeBack } from '../wire/support/client.js';
import { COMPONENT, DOMAIN, header, SECRET } from '../wire/support/component.js';
import type { Conversation } from '../wire/support/conversation.js';
import { BIND, features, OPENING } from '../wire/support/elements.js';
import { LEGACY_CLIENT } from '../wire/support/legacy.js';
import { brokerOptions, useRig, type Ready, type RigDialect, type Said } from '../wire/support/rig.js';
import { SERVICE } from '../wire/support/service.js';
import type { ScriptedPeer } from '../wire/support/scripted-peer.js';

const AT_ONCE: BrokerOptions['reconnect'] = { firstDelayMs: 1, maxDelayMs: 1, resumeDelayMs: 1 };
/** Servers that do not close are not waited for. */
const again = { reconnect: AT_ONCE, timeouts: { close: 20 } } satisfies Partial<BrokerOptions>;

const state = ({ state: is, possibleDuplicate }: Ticket): string => `${is}${possibleDuplicate ? '?' : ''}`;
const message = (id: string) => xml('message', { to: `a@${DOMAIN}`, id }, xml('body', {}, id));

const CONDITIONS = [
  ...['bad-format', 'bad-namespace-prefix', 'connection-timeout', 'host-gone', 'host-unknown', 'improper-addressing'],
  ...['internal-server-error', 'invalid-from', 'invalid-namespace', 'invalid-xml', 'not-well-formed'],
  ...['policy-violation', 'remote-connection-failed', 'reset', 'resource-constraint', 'restricted-xml'],
  ...['system-shutdown', 'undefined-condition', 'unsupported-encoding', 'unsupported-feature'],
  ...['unsupported-stanza-type', 'unsupported-version', 'made-up'],
];

const errorOf = (inside: string): string => `<stream:error>${inside}</stream:error></stream:stream>`;
const named = (condition: string): string => errorOf(`<${condition} xmlns='${NS.STREAMS}'/>`);

/** The ways in which a server ends a ready link, and should see us again. */
const ENDS: readonly (readonly [string, (server: Conversation) => unknown])[] = [
  ...CONDITIONS.map((name) => [name, (server: Conversation) => server.send(named(name))] as const),
  ['an empty error', (server) => server.send(errorOf(''))],
  ['an error with a text only', (server) => server.send(errorOf(`<text xmlns='${NS.STREAMS}'>go</text>`))],
  ['a condition in a wrong namespace', (server) => server.send(errorOf("<conflict xmlns='urn:other'/>"))],
  ['the end of the stream', (server) => server.send('</stream:stream>')],
  ['FIN', (server) => server.end()],
  ['RST', (server) => server.reset()],
  ['XML that is none', (server) => server.send('<a></b>')],
  ['FIN within a stanza', (server) => server.send('<message><bo').then(() => server.end())],
];

/** A client of a server without stream management: nothing is resumed. */
const WITHOUT_SESSION: RigDialect<Said> = {
  ...CLIENT,
  letIn: (server, said) => welcome(server, { ...said, after: features(BIND), enabled: null }),
};

const DIALECTS: readonly (readonly [string, RigDialect<Said>])[] = [
  ['a client', WITHOUT_SESSION],
  ['jabber:iq:auth', LEGACY_CLIENT],
  ['a component', COMPONENT],
  ['the router', SERVICE],
];

describe.each(DIALECTS)('A1: %s is dialled again', (_, dialect) => {
  const rig = useRig(dialect);

  it.each(ENDS)('behind %s', async (_name, end) => {
    const { broker, server, peer } = await rig.ready(again);
    const back = broker.events.once('PCJ_READY');
    await end(server);
    const next = await peer.accept();
    await dialect.letIn(next);
    await back;
    expect(broker.state).toBe('ready');
  });

  it.each(['conflict', 'not-authorized'])('and not behind %s', async (condition) => {
    const { broker, server } = await rig.ready(again);
    await server.send(named(condition));
    expect((await broker.closed).error).toMatchObject({ condition, retryable: false });
    expect(broker.state).toBe('disconnected');
  });
});

describe('A2: a server that is half up', () => {
  const rig = useRig(COMPONENT);

  it.each(['host-unknown', 'invalid-namespace', 'not-authorized'])(
    'says %s to a component that it served a minute ago: a few times, then it is believed',
    async (condition) => {
      const { broker, server, peer } = await rig.ready(again);
      const refuse = async (): Promise<void> => {
        const next = await peer.accept();
        await next.expect(OPENING);
        await next.send(header(condition === 'host-unknown' ? '' : 'S2') + named(condition));
        next.end();
      };
      server.reset();
      await refuse();
      await refuse();
      const back = broker.events.once('PCJ_READY');
      await COMPONENT.letIn(await peer.accept());
      await back;
      peer.conversations.at(-1)?.reset();
      for (let times = 0; times < 5; times++) await refuse();
      expect((await broker.closed).error).toMatchObject({ condition, retryable: false });
    },
  );

  it('the first attempt believes it at once', async () => {
    const { server, connected } = await rig.dialled({ reconnect: { initial: true, firstDelayMs: 1 } });
    await server.expect(OPENING);
    await server.send(header('') + named('host-unknown'));
    server.end();
    await expect(connected).rejects.toMatchObject({ condition: 'host-unknown', retryable: false });
  });
});

describe('sessions', () => {
  const rig = useRig(CLIENT);

  /** A client whose link was reset with stanzas unacknowledged. */
  async function cut(count: number, options: Partial<BrokerOptions> = {}): Promise<Ready & { tickets: Ticket[] }> {
    const ready = await rig.ready({ ...again, ...options });
    const tickets = Array.from({ length: count }, (_, k) => ready.broker.output(message(`m${String(k)}`)));
    await ready.server.expect(`id='m${String(count - 1)}'`);
    await Promise.all(tickets.map(({ sent }) => sent));
    ready.server.reset();
    return { ...ready, tickets };
  }

  const NOT_RESUMED: readonly (readonly [string, (server: Conversation) => unknown])[] = [
    ['a stream error', (server) => server.send(named('undefined-condition'))],
    ['a final condition', (server) => server.send(named('not-authorized'))],
    ['the end of the stream', (server) => server.send('</stream:stream>')],
    ['XML that is none', (server) => server.send('<resumed></b>')],
    ['a message of its own before', (server) => server.send(`<message/>`).then(() => server.send(named('bad-format')))],
  ];

  it.each(NOT_RESUMED)(
    'A3: <resume/> answered by %s: given up, bound anew, held as a possible duplicate',
    async (_, say) => {
      const { broker, peer, tickets } = await cut(1);
      const server = await peer.accept();
      await welcomeBack(server);
      await say(server);
      server.end();
      const back = broker.events.once('PCJ_READY');
      const next = await peer.accept();
      await welcome(next, { enabled: "resume='true' id='session-2'" });
      expect(await back).toMatchObject({ resumed: false });
      expect(next.received.toString()).not.toContain('<resume');
      expect(tickets.map(state)).toEqual(['queued?']);
    },
  );

  it('A3: a bare loss behind <resume/> is tried once more, and a loss before it keeps the session', async () => {
    const { broker, peer, tickets } = await cut(1);
    (await peer.accept()).reset();
    for (let times = 0; times < 2; times++) {
      const server = await peer.accept();
      await welcomeBack(server);
      server.reset();
    }
    const back = broker.events.once('PCJ_READY');
    const next = await peer.accept();
    await welcome(next);
    expect(await back).toMatchObject({ resumed: false });
    expect(tickets.map(state)).toEqual(['queued?']);
  });

  it('A4: a stanza that makes the server drop the link costs a few links, and is held', async () => {
    const { broker, peer, tickets } = await cut(1);
    let resumptions = 0;
    for (;;) {
      const server = await peer.accept();
      await server.expect(OPENING);
      await server.send(clientHeader());
      await server.expect('</auth>');
      await server.send(`<success xmlns='${NS.SASL}'/>`);
      await server.expect(OPENING);
      await server.send(
        clientHeader('2') + `<stream:features><bind xmlns='${NS.BIND}'/><sm xmlns='${NS.SM}'/></stream:features>`,
      );
      const said = await server.expect(/<resume [^>]*\/>|<iq .*?<\/iq>/s);
      if (!said.includes('<resume')) break;
      resumptions += 1;
      await server.send(`<resumed xmlns='${NS.SM}' previd='session-1' h='0'/>`);
      await server.expect("id='m0'");
      server.reset();
    }
    expect(resumptions).toBeLessThanOrEqual(4);
    broker.halt();
    expect(tickets[0]?.possibleDuplicate).toBe(true);
  });

  // From five stanzas on, what is sent again asks for an acknowledgement by itself.
  // That takes five seconds, so they are side by side.
  it('A11: a resumed session that swallows 2, 5 or 40 stanzas is given up within seconds', async () => {
    const givenUp = async (count: number): Promise<void> => {
      const { broker, peer, tickets } = await cut(count);
      const server = await peer.accept();
      await welcomeBack(server);
      await server.send(`<resumed xmlns='${NS.SM}' previd='session-1' h='1'/>`);
      await server.expect(new RegExp(`id='m${String(count - 1)}'.*<r [^>]*/>`, 's'));
      const back = broker.events.once('PCJ_READY');
      const next = await peer.accept({ timeoutMs: 30_000 });
      await welcome(next);
      await back;
      expect(next.received.toString()).not.toContain('<resume');
      expect(tickets.map(state)).toEqual(['acked', ...tickets.slice(1).map(() => 'queued?')]);
    };
    await Promise.all([2, 5, 40].map(givenUp));
  });

  it.each(['not-well-formed', 'policy-violation', 'bad-format'])(
    'A11: a resumed session whose server finds fault with our bytes (%s) is not resumed again',
    async (condition) => {
      const { broker, peer, tickets } = await cut(1);
      const server = await peer.accept();
      await welcomeBack(server);
      await server.send(`<resumed xmlns='${NS.SM}' previd='session-1' h='0'/>`);
      await server.expect("id='m0'");
      await server.send(named(condition));
      const back = broker.events.once('PCJ_READY');
      const next = await peer.accept();
      await welcome(next);
      await back;
      expect(next.received.toString()).not.toContain('<resume');
      expect(tickets.map(state)).toEqual(['queued?']);
    },
  );

  it('B1: ten thousand stanzas are all sent again', async () => {
    const count = 10_000;
    const { broker, peer } = await cut(count);
    const server = await peer.accept();
    await welcomeBack(server);
    const back = broker.events.once('PCJ_READY');
    await server.send(`<resumed xmlns='${NS.SM}' previd='session-1' h='10'/>`);
    await back;
    const said = await server.expect(`id='m${String(count - 1)}'`, { timeoutMs: 30_000 });
    expect(said.match(/<message/g)).toHaveLength(count - 10);
  }, 60_000);

  it('B2: what comes to rest has no stanza that is sent and not acknowledged', async () => {
    const { broker, peer, tickets } = await cut(3);
    const server = await peer.accept();
    await server.expect(OPENING);
    await server.send(clientHeader());
    await server.expect('</auth>');
    await server.send(`<failure xmlns='${NS.SASL}'><account-disabled/></failure>`);
    for (let more = 0; more < 4; more++) {
      const next = await peer.accept();
      await next.expect(OPENING);
      await next.send(clientHeader());
      await next.expect('</auth>');
      await next.send(`<failure xmlns='${NS.SASL}'><account-disabled/></failure>`);
    }
    await broker.closed;
    expect(tickets.map(state)).toEqual(['queued?', 'queued?', 'queued?']);
    expect(broker.queue.size).toBe(3);
  });

  it('B7: nothing follows SHUTDOWN_FINISH', async () => {
    const { broker, server, recorded } = await rig.ready();
    const asked = broker.request(xml('iq', { type: 'get', to: 'a@b' }, xml('q', { xmlns: 'urn:a' })));
    await server.expect('</iq>');
    const closing = broker.shutdown();
    await server.expect('</stream:stream>');
    await server.send('</stream:stream>');
    await closing;
    await expect(asked).rejects.toMatchObject({ code: 'RTS_DISCONNECTED' });
    expect(recorded.short.at(-1)).toBe('SHUTDOWN_FINISH');
    expect(recorded.short).toContain('RTS_FAIL');
  });

  it('D7: a stream error that comes into a shutdown is told, and not clean', async () => {
    const { broker, server } = await rig.ready();
    const closing = broker.shutdown();
    await server.expect('</stream:stream>');
    const app = `<handled-count-too-high xmlns='${NS.SM}' h='9' send-count='8'/>`;
    await server.send(errorOf(`<undefined-condition xmlns='${NS.STREAMS}'/>${app}`));
    server.end();
    await closing;
    const { clean, error } = await broker.closed;
    expect(clean).toBe(false);
    expect(error?.message).toContain('handled-count-too-high');
  });
});

describe('A7: the cause behind a faulty header', () => {
  const rig = useRig(CLIENT);

  it.each([
    ["id=''", 'system-shutdown', true],
    ["id=''", 'host-unknown', false],
    ["id='1' version='0.9'", 'system-shutdown', true],
    ["id='1' from='other.example' version='1.0'", 'host-unknown', false],
    ['', 'internal-server-error', true],
  ])('%s, then %s', async (attributes, condition, retryable) => {
    const { server, connected } = await rig.dialled();
    await server.expect(OPENING);
    await server.send(
      `<stream:stream xmlns='jabber:client' xmlns:stream='${NS.STREAM}' ${attributes}>${named(condition)}`,
    );
    server.end();
    await expect(connected).rejects.toMatchObject({ code: 'STREAM_ERROR', condition, retryable });
  });

  it('nothing behind it: the fault of the header', async () => {
    const { server, connected } = await rig.dialled();
    await server.expect(OPENING);
    await server.send(`<stream:stream xmlns='jabber:client' xmlns:stream='${NS.STREAM}' version='1.0'>`);
    const error = (await connected.catch((failed: unknown) => failed)) as BrokerError;
    expect(error.code).toBe('STREAM_NO_ID');
  });
});

const clientHeader = (id = '1'): string =>
  `<stream:stream xmlns='jabber:client' xmlns:stream='${NS.STREAM}' id='${id}' from='localhost' version='1.0'>` +
  (id === '1'
    ? `<stream:features><mechanisms xmlns='${NS.SASL}'><mechanism>PLAIN</mechanism></mechanisms></stream:features>`
    : '');

describe('A5: an address that a server named', () => {
  const rig = useRig(CLIENT);

  it('a fault there is not final: the next attempt is at the target', async () => {
    const other: ScriptedPeer = await rig.listen('plain');
    const ready = await rig.ready(again, {
      enabled: `resume='true' id='session-1' location='127.0.0.1:${String(other.port)}'`,
    });
    const broker: Broker = ready.broker;
    ready.server.reset();
    const there = await other.accept();
    // No TLS there: that would be final at the target.
    await there.expect(/./s);
    await there.send('HTTP/1.1 400 Bad Request\r\n\r\n');
    there.end();
    const back = broker.events.once('PCJ_READY');
    const server = await ready.peer.accept();
    await welcomeBack(server);
    await server.send(`<resumed xmlns='${NS.SM}' previd='session-1' h='0'/>`);
    expect(await back).toMatchObject({ resumed: true });
    await expect.poll(() => broker.state === 'ready').toBe(true);
  });
});

/** Everything that was logged: the level, the message, and what came with it. */
function recordingLogger(): { logger: Logger; lines: string[]; facts: Record<string, unknown>[] } {
  const lines: string[] = [];
  const facts: Record<string, unknown>[] = [];
  const at = (level: string) => (given: object, text: string) => {
    lines.push(`${level} ${text}`);
    facts.push(given as Record<string, unknown>);
  };
  const logger = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  return { logger, lines, facts };
}

describe('D: the log', () => {
  const rig = useRig(COMPONENT);

  it('D1 D2: an error of a handler is told with its stack and its event, whoever counts faults', async () => {
    const { logger, lines, facts } = recordingLogger();
    const { broker, server } = await rig.ready({ logger });
    broker.subscribe('PCJ_HANDLERERROR', () => undefined);
    broker.subscribe('PCJ_NODERECEIVED', () => {
      throw new TypeError('oops');
    });
    await server.send(`<message from='a@b' to='${DOMAIN}'/>`);
    await expect.poll(() => lines.length === 1).toBe(true);
    expect(lines).toEqual(['error a handler of PCJ_NODERECEIVED failed: oops']);
    expect(facts[0]).toMatchObject({ event: 'PCJ_NODERECEIVED', err: expect.any(TypeError) as unknown });
  });

  it.each<[string, () => unknown]>([
    ['an object without prototype', () => Object.create(null) as object],
    ['a text', () => 'oops'],
    ['nothing', () => undefined],
    [
      'an error whose message cannot be read',
      () => Object.defineProperty(new Error(), 'message', { get: () => 1n / 0n }),
    ],
  ])('D1: a handler that throws %s is told, too, and the event is published', async (_, thrown) => {
    const { logger, lines } = recordingLogger();
    const { broker, server } = await rig.ready({ logger });
    const failed = broker.events.once('PCJ_HANDLERERROR');
    broker.subscribe('PCJ_NODERECEIVED', () => {
      throw thrown();
    });
    await server.send(`<message from='a@b' to='${DOMAIN}'/>`);
    await failed;
    expect(lines).toEqual([expect.stringMatching(/^error a handler of PCJ_NODERECEIVED failed: /)]);
  });

  it('D3: a lost link says what happened and what follows, in one line', async () => {
    const { logger, lines } = recordingLogger();
    const { broker, server, peer } = await rig.ready({ logger, ...again });
    const back = broker.events.once('PCJ_READY');
    await server.send('</stream:stream>');
    await COMPONENT.letIn(await peer.accept());
    await back;
    expect(lines).toEqual([
      expect.stringMatching(
        /^warn lost the connection to 127\.0\.0\.1:\d+: the server closed the stream \(STREAM_CLOSED\); attempt 1 follows in \d+ ms$/,
      ),
      expect.stringMatching(/^info connected to 127\.0\.0\.1:\d+ again$/),
    ]);
  });

  it('D3: the last line says that nobody dials any more', async () => {
    const { logger, lines } = recordingLogger();
    const { broker, server } = await rig.ready({ logger, ...again });
    await server.send(named('conflict'));
    await broker.closed;
    expect(lines.at(-1)).toMatch(/^error lost the connection to .*conflict.*\(STREAM_ERROR\); it is not dialled again/);
  });

  it('D4: what is held is told at READY', async () => {
    const { logger, lines } = recordingLogger();
    const peer = await rig.listen();
    const { broker } = rig.broker(peer, { logger });
    for (const id of ['1', '2', '3']) broker.output(message(id));
    const connected = broker.connect();
    await COMPONENT.letIn(await peer.accept());
    await connected;
    await expect
      .poll(() => lines)
      .toEqual([
        expect.stringMatching(
          /^warn 3 stanzas are held since \d+ m?s; queue\.send\(\) sends them, queue\.onReady decides$/,
        ),
      ]);
    await broker.shutdown();
    expect(lines.slice(1)).toEqual([
      expect.stringMatching(
        /^warn 3 stanzas are held since \d+ m?s; queue\.send\(\) after a next connect\(\) sends them/,
      ),
    ]);
  });

  it('D4: nothing is said when they are sent as soon as connect() resolves, or dropped', async () => {
    const { logger, lines } = recordingLogger();
    const peer = await rig.listen();
    const { broker } = rig.broker(peer, { logger });
    broker.output(message('1'));
    const connected = broker.connect();
    const letIn = peer.accept().then((server) => COMPONENT.letIn(server));
    await connected;
    broker.queue.send();
    await letIn;
    await new Promise((resolve) => setImmediate(resolve));
    await broker.shutdown();
    expect(lines).toEqual([]);
  });

  it('C5: of twenty thousand faults of a kind there are a few lines, and the count of the rest', async () => {
    const { logger, lines } = recordingLogger();
    const { server, broker } = await rig.ready({ logger });
    const foreign = `<message from='a@b' to='x@elsewhere.example'/>`.repeat(1_000);
    for (let times = 0; times < 20; times++) await server.send(foreign);
    await server.send(`<presence from='a@b' to='${DOMAIN}'/>`);
    await broker.events.once('PCJ_NODERECEIVED');
    expect(lines.length).toBeLessThan(20);
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    await server.send(`<message from='a@b' to='x@elsewhere.example'/>`);
    await expect.poll(() => lines.at(-1)?.includes('like it before') === true).toBe(true);
  });

  it('D8: a reset is told once', async () => {
    const { server, broker } = await rig.ready();
    server.reset();
    const { error } = await broker.closed;
    expect(error?.message.match(/ECONNRESET/g)?.length ?? 0).toBeLessThanOrEqual(1);
  });
});

describe('E11', () => {
  it.each<[string, RigDialect<Said>, number]>([
    ['a client', CLIENT, 60_000],
    ['jabber:iq:auth', LEGACY_CLIENT, 60_000],
    ['a component', COMPONENT, 1_000],
    ['the router', SERVICE, 1_000],
  ])('%s has a first delay of its own', (_, dialect, firstDelayMs) => {
    const given = { ...brokerOptions(dialect, 5222), reconnect: true };
    expect(new Broker(given).config.reconnect).toMatchObject({ firstDelayMs });
    expect(new Broker({ ...given, reconnect: { firstDelayMs: 5 } }).config.reconnect).toMatchObject({
      firstDelayMs: 5,
    });
  });
});

describe('B10: answers without from', () => {
  const rig = useRig(CLIENT);

  it.each([
    ['our domain', 'localhost', true],
    ['our account', 'alice@localhost', true],
    ['our full address', 'alice@localhost/desk', true],
    ['nobody', null, true],
    ['somebody else', 'bob@localhost', false],
    ['another domain', 'example.net', false],
  ])('to a request to %s', async (_, to, accepted) => {
    const { broker, server } = await rig.ready();
    const asked = broker.request(xml('iq', { type: 'get', id: 'q1', to }, xml('q', { xmlns: 'urn:a' })), {
      timeout: accepted ? 60_000 : 300,
    });
    await server.expect("id='q1'");
    await server.send("<iq type='result' id='q1'/>");
    const outcome = await asked.then(
      () => 'answered',
      (error: unknown) => (error as BrokerError).code,
    );
    expect(outcome).toBe(accepted ? 'answered' : 'RTS_TIMEOUT');
  });
});

describe('A8: an error in place of a header', () => {
  const rig = useRig(CLIENT);

  it.each([
    ['with the prefix', `<stream:error xmlns:stream='${NS.STREAM}'>`, '</stream:error>'],
    ['bare, of the streams', `<error xmlns='${NS.STREAM}'>`, '</error>'],
    ['bare, of the conditions', `<error xmlns='${NS.STREAMS}'>`, '</error>'],
    ['bare, in no namespace', '<error>', '</error>'],
  ])('%s: condition and text are in the error', async (_, open, close) => {
    const { server, connected } = await rig.dialled();
    await server.expect(OPENING);
    const inside = `<host-unknown xmlns='${NS.STREAMS}'/><text xmlns='${NS.STREAMS}'>nobody here</text>`;
    await server.send(open + inside + close);
    server.end();
    await expect(connected).rejects.toMatchObject({ condition: 'host-unknown', text: 'nobody here' });
  });
});

describe('B: what a handler does in the middle of a change', () => {
  const rig = useRig(COMPONENT);
  const ask = () => xml('iq', { type: 'get', to: `a@${DOMAIN}` }, xml('q', { xmlns: 'urn:a' }));
  const outcomeOf = (promise: Promise<unknown>): Promise<string> =>
    promise.then(
      () => 'resolved',
      (error: unknown) => (error as BrokerError).code,
    );

  /** A ready component that holds three stanzas. */
  async function holding(): Promise<Ready & { tickets: Ticket[] }> {
    const peer = await rig.listen();
    const { broker, recorded } = rig.broker(peer);
    const tickets = ['q1', 'q2', 'q3'].map((id) => broker.output(message(id)));
    const connected = broker.connect();
    const server = await peer.accept();
    await COMPONENT.letIn(server);
    await connected;
    return { broker, recorded, peer, server, tickets };
  }

  it('B3: halt() in PCJ_NODESENT during a purge: every ticket ends, nothing is held', async () => {
    const { broker, tickets } = await holding();
    broker.subscribe('PCJ_NODESENT', () => {
      broker.halt();
    });
    broker.purgeQueue();
    await Promise.allSettled(tickets.map(({ sent }) => sent));
    expect(broker.queue.size).toBe(0);
    expect(tickets.map(({ state: is }) => is)).not.toContain('queued');
  });

  it('B3: halt() in PCJ_RTS_START: the request and its ticket end, nothing is held', async () => {
    const { broker } = await rig.ready();
    broker.subscribe('PCJ_RTS_START', () => {
      broker.halt();
    });
    expect(await outcomeOf(broker.request(ask()))).toBe('BROKER_HALTED');
    expect([broker.pending.size, broker.queue.size]).toEqual([0, 0]);
  });

  it('B4: what is output in PCJ_NODESENT during a purge lines up behind it', async () => {
    const { broker, server } = await holding();
    const later = broker.subscribe('PCJ_NODESENT', () => {
      later.cancel();
      broker.output(message('LATER'));
    });
    broker.purgeQueue();
    const said = await server.expect("id='LATER'");
    expect([...said.matchAll(/id='(\w+)'/g)].map(([, id]) => id)).toEqual(['q1', 'q2', 'q3', 'LATER']);
  });

  it.each(['PCJ_RTS_START', 'PCJ_NODEQUEUED'] as const)(
    'B5: an abort in %s of the request itself, offline',
    async (event) => {
      const { broker } = rig.broker(await rig.listen());
      const abort = new AbortController();
      broker.subscribe(event, () => {
        abort.abort();
      });
      expect(await outcomeOf(broker.request(ask(), { signal: abort.signal }))).toBe('RTS_ABORTED');
      expect([broker.pending.size, broker.queue.size]).toEqual([0, 0]);
    },
  );

  it.each(['PCJ_RTS_START', 'PCJ_NODESENT'] as const)(
    'B5: an abort in %s of the request itself, ready',
    async (event) => {
      const { broker } = await rig.ready();
      const abort = new AbortController();
      broker.subscribe(event, () => {
        abort.abort();
      });
      expect(await outcomeOf(broker.request(ask(), { signal: abort.signal }))).toBe('RTS_ABORTED');
      expect(broker.pending.size).toBe(0);
    },
  );

  it('B6: a request that was made while ready has its deadline from the call, wherever its stanza is', async () => {
    const { broker, server } = await rig.ready({ timeouts: { request: 200, close: 150 } });
    server.pause();
    const big = 'x'.repeat(200_000);
    for (let k = 0; k < 100; k++) broker.output(xml('message', { to: `a@${DOMAIN}` }, xml('body', {}, big)));
    const asked = outcomeOf(broker.request(ask()));
    server.reset();
    await broker.closed;
    expect(broker.pending.size).toBe(1);
    expect(await asked).toBe('RTS_TIMEOUT');
  });
});

describe('A9: the function that gives the password', () => {
  const rig = useRig(COMPONENT);

  it('may fail while a lost link is dialled again, and is asked anew', async () => {
    let calls = 0;
    const { broker, server, peer } = await rig.ready({
      ...again,
      password: () => {
        calls += 1;
        return calls === 2 ? Promise.reject(new Error('the vault is locked')) : SECRET;
      },
    });
    const back = broker.events.once('PCJ_READY');
    server.reset();
    const refused = await peer.accept();
    await refused.expect(OPENING);
    await refused.send(header());
    refused.end();
    await COMPONENT.letIn(await peer.accept());
    await back;
    expect(calls).toBe(3);
  });

  it('is believed at the first attempt', async () => {
    const { connected, server } = await rig.dialled({
      ...again,
      password: () => Promise.reject(new Error('the vault is locked')),
    });
    await server.expect(OPENING);
    await server.send(header());
    await expect(connected).rejects.toMatchObject({ code: 'USAGE_PASSWORD', retryable: false });
  });
});

describe('E: the test server and the command', () => {
  it('E9: text with stanzas that is injected counts for stream management', async () => {
    await using server = await LoopbackServer.start({ accounts: { juliet: 'r0m30' } });
    const broker = new Broker({
      connectionType: XMPP,
      host: server.host,
      port: server.ports.client,
      domain: server.domain,
      username: 'juliet',
      password: 'r0m30',
      tls: { ca: server.ca },
      logger: false,
    });
    const seen: string[] = [];
    broker.subscribe('PCJ_NODERECEIVED', (node) => seen.push(node.getAttribute('id') ?? ''));
    await broker.connect();
    server.inject(broker.jid ?? '', "<message id='1'><body>one</body></message><message id='2'/>");
    await expect.poll(() => seen.length === 2).toBe(true);
    const { clean } = await broker.shutdown().then(() => broker.closed);
    expect([seen, clean]).toEqual([['1', '2'], true]);
    broker.halt();
  });

  it('E12: the ports of a server without a router side can be shown', async () => {
    await using server = await LoopbackServer.start({ components: { 'a.example.org': 'secret' } });
    expect(JSON.stringify(server.ports)).toContain('"component"');
    expect(inspect(server.ports)).not.toContain('router');
    expect(() => server.ports.router).toThrow(/router/);
  });
});
