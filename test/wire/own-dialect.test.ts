// A dialect of the program: what the broker lends to it, and what it may not do.
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  Broker,
  JID,
  xml,
  type BrokerOptions,
  type Dialect,
  type Element,
  type Negotiation,
  type Ticket,
} from 'xmpp-broker';
import EVENTS, { type NegotiationEvent, type StatusEvent } from '../../src/events.js';
import { TestAuthority, type Identity } from '../support/certificates.js';
import { trace, type Trace } from '../support/trace.js';
import { ScriptedPeer, streamHeader, type Conversation } from './support/index.js';

const DOMAIN = 'localhost';
const XMLNS = 'urn:example:mine';

const brokers: Broker[] = [];
const peers: ScriptedPeer[] = [];
let authority: TestAuthority;
let identity: Identity;

beforeAll(async () => {
  authority = await TestAuthority.create();
  identity = await authority.issue();
});

afterEach(async () => {
  for (const broker of brokers.splice(0)) broker.halt();
  for (const peer of peers.splice(0)) await peer.close();
});

/** A dialect that opens the stream, and has nothing that it need not have. */
function dialect(more: Partial<Dialect> = {}, during: (session: Negotiation) => void = () => undefined): Dialect {
  return {
    name: 'MINE',
    xmlns: XMLNS,
    negotiate: async (session) => {
      const header = await session.open();
      during(session);
      return { jid: JID.parse(session.config.domain), sid: header.id ?? '' };
    },
    ...more,
  };
}

/** A broker that has dialled, and the peer's side of its connection, to which it has written its header. */
async function dialled(
  connectionType: Dialect,
  options: Partial<BrokerOptions> = {},
  tls?: Identity & { ALPNProtocols: string[] },
): Promise<{ broker: Broker; recorded: Trace; server: Conversation; connected: Promise<unknown> }> {
  const peer = await ScriptedPeer.listen({ tls });
  peers.push(peer);
  const broker = new Broker({
    connectionType,
    ...{ host: '127.0.0.1', port: peer.port, domain: DOMAIN, tls: { policy: 'disabled' } },
    ...{ reconnect: false, logger: false },
    ...options,
  });
  brokers.push(broker);
  const recorded = trace(broker);
  const connected = broker.connect();
  connected.catch(() => undefined);
  const server = await peer.accept();
  await server.expect(/<stream:stream[^>]*>/);
  return { broker, recorded, server, connected };
}

const HEADER = streamHeader({ xmlns: XMLNS, id: 'S1', from: DOMAIN, version: null });

const NAMES = Object.keys(EVENTS) as StatusEvent[];
const isReported = (name: StatusEvent): name is NegotiationEvent => 'dialect' in EVENTS[name];

describe('what a dialect may not do', () => {
  it('S-TLS-1: be ready in clear where TLS is required', async () => {
    const { server, connected, recorded } = await dialled(dialect(), { tls: { policy: 'required' } });
    await server.send(HEADER);
    await expect(connected).rejects.toMatchObject({ code: 'TLS_REQUIRED' });
    expect(recorded.short).not.toContain('READY');
  });

  it.each([
    ['an iq without id', (session: Negotiation) => session.request(xml('iq', { type: 'get' }, xml('q'))), 'USAGE_IQ'],
    [
      'an iq with an empty id',
      (session: Negotiation) => session.request(xml('iq', { type: 'get', id: '' })),
      'USAGE_IQ',
    ],
    ['no iq', (session: Negotiation) => session.request(xml('message', { id: '1' })), 'USAGE_IQ'],
    ['two reads at once', (session: Negotiation) => Promise.all([session.next(), session.next()]), 'USAGE_READ'],
  ])('ask for %s', async (_, ask, code) => {
    const negotiate: Dialect['negotiate'] = async (session) => {
      await session.open();
      await ask(session);
      return { jid: JID.parse(DOMAIN), sid: '' };
    };
    const { server, connected } = await dialled(dialect({ negotiate }));
    await server.send(HEADER);
    await expect(connected).rejects.toMatchObject({ code });
  });
});

describe('what a dialect publishes', () => {
  it('while it negotiates: nothing that the broker publishes itself, and nothing that does not exist', async () => {
    const codes = new Map<unknown, unknown>();
    const mine = dialect({}, (session) => {
      for (const name of [...NAMES.filter((one) => !isReported(one)), 'PCJ_NONE', 'toString', undefined]) {
        try {
          session.publish(name as 'PCJ_SSLNEGOTIATE');
          codes.set(name, 'accepted');
        } catch (error) {
          codes.set(name, (error as { code: string }).code);
        }
      }
    });
    const { server, connected, recorded } = await dialled(mine);
    recorded.clear();
    await server.send(HEADER);
    await connected;
    expect(codes.size).toBeGreaterThan(20);
    expect([...codes.values()].filter((code) => code !== 'USAGE_EVENT_RESERVED')).toEqual([]);
    expect(recorded.short).toEqual(['READY']);
  });

  it('what it may is published, and the step it begins decides what a failure becomes', async () => {
    const steps = [
      ['PCJ_AUTHNEGOTIATE', 'AUTHFAIL'],
      ['PCJ_BINDNEGOTIATE', 'BINDFAIL'],
      ['PCJ_SESSIONNEGOTIATE', 'SESSIONFAIL'],
      ['PCJ_SSLNEGOTIATE', 'SSLFAIL'],
      ['PCJ_AUTHSUCCESS', 'CONNECTFAIL'],
      ['PCJ_BINDSUCCESS', 'CONNECTFAIL'],
      ['PCJ_SESSIONSUCCESS', 'CONNECTFAIL'],
    ] as const;
    const attempts = steps.map(async ([name, fail]) => {
      const mine = dialect({}, (session) => {
        session.publish('PCJ_BINDNEGOTIATE');
        session.publish(name as 'PCJ_SSLNEGOTIATE');
        throw new Error('it has had enough');
      });
      const { server, connected, recorded } = await dialled(mine);
      recorded.clear();
      await server.send(HEADER);
      await expect(connected).rejects.toMatchObject({ code: 'DIALECT_FAILED' });
      expect(recorded.short.slice(0, 3)).toEqual(['BINDNEGOTIATE', name.slice('PCJ_'.length), fail]);
    });
    await Promise.all(attempts);
  });

  it('on a ready link: the same', async () => {
    const mine = dialect({
      unwrap: (element, link) => {
        link.publish(element.localName as 'PCJ_SM_ENABLED', { id: null, max: null, resumable: false });
        return undefined;
      },
    });
    const { broker, server, connected, recorded } = await dialled(mine);
    await server.send(HEADER);
    await connected;
    recorded.clear();
    const last = broker.events.once('PCJ_SM_ENABLED');
    await server.send('<PCJ_READY/><PCJ_SM_ENABLED/>');
    await last;
    expect(recorded.short).toEqual(['PROTOCOLERROR', 'SM_ENABLED']);
    expect(recorded.payloads[0]).toMatchObject({ code: 'USAGE_EVENT_RESERVED' });
  });
});

describe('faults A12: a question of its own for a sign of life', () => {
  const liveness = { intervalMs: 20, timeoutMs: 20 };

  it('is sent as it is, and no answer ends the link', async () => {
    const probe = (id: string) => xml('alive', { id });
    const { broker, server, connected, recorded } = await dialled(dialect({ probe }), { liveness });
    await server.send(HEADER);
    await connected;
    recorded.clear();
    const { closed } = broker;
    await server.expect(/<alive [^>]*id='[0-9a-f]+'[^>]*\/>/);
    expect(await closed).toMatchObject({ error: { code: 'LIVENESS_TIMEOUT' } });
    expect(recorded.short).toEqual(['SOCKETFAIL', 'SOCKETDISCONNECT']);
  });

  it.each<[string, () => Element | null]>([
    ['none', () => null],
    [
      'one that throws',
      () => {
        throw new TypeError('oops');
      },
    ],
    ['what is no element', () => 1 as never],
  ])('%s: TCP finds out, and a fault is told', async (name, probe) => {
    const { broker, server, connected, recorded } = await dialled(dialect({ probe }), { liveness });
    await server.send(HEADER);
    await connected;
    recorded.clear();
    if (name === 'none') await server.expect('    ');
    else await expect.poll(() => recorded.short.length).toBeGreaterThan(3);
    expect(broker.state).toBe('ready');
    expect(new Set(recorded.short)).toEqual(new Set(name === 'none' ? [] : ['PROTOCOLERROR']));
  });
});

describe('what a dialect says of itself', () => {
  it.each([
    ['mine/1', 'mine/1'],
    [undefined, false],
  ])('alpn %s: asked for when TLS begins at once', async (alpn, chosen) => {
    const options: Partial<BrokerOptions> = { tls: { policy: 'direct', ca: authority.ca } };
    const { server } = await dialled(dialect({ alpn }), options, { ...identity, ALPNProtocols: ['mine/1'] });
    expect(server.tls?.alpnProtocol).toBe(chosen);
  });

  it.each<[string, Partial<Dialect>, boolean]>([
    ['an account', {}, true],
    ['an account, and probe space', { probe: 'space' }, false],
    ['a domain', { addressing: 'domain' }, false],
    ['a domain, and probe ping', { addressing: 'domain', probe: 'ping' }, true],
  ])('%s: how silence is probed, and whether it ends the link', async (_, more, pings) => {
    const liveness = { intervalMs: 20, timeoutMs: 20 };
    const { broker, server, connected } = await dialled(dialect(more), { liveness });
    await server.send(HEADER);
    await connected;
    if (pings) {
      await server.expect('<ping');
      expect(await broker.closed).toMatchObject({ error: { code: 'LIVENESS_TIMEOUT' } });
    } else {
      await server.expect('     ');
      expect(broker.state).toBe('ready');
      expect(server.received.toString()).not.toContain('<iq');
    }
  });
});

const THROWN: readonly (readonly [string, () => unknown])[] = [
  ['an Error', () => new TypeError('oops')],
  ['a text', () => 'oops'],
  ['nothing', () => undefined],
  ['an object without prototype', () => Object.create(null) as object],
  ['what cannot be read', () => Object.defineProperty(new Error(), 'message', { get: () => 1n / 0n })],
  ['a revoked proxy', revoked],
];

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'resolved',
    (error: unknown) => (error as { code?: unknown }).code,
  );

describe.each(THROWN)('faults B11: a dialect that throws %s', (_, thrown) => {
  const fail = () => {
    throw thrown();
  };
  const ask = () => xml('iq', { type: 'get', id: 'q', to: 'a@b' }, xml('q', { xmlns: 'urn:a' }));
  const message = () => xml('message', { to: 'a@b' });
  const refusal = expect.objectContaining({ code: 'DIALECT_FAILED', sent: 'no' }) as unknown;

  async function ready(more: Partial<Dialect>, options: Partial<BrokerOptions> = {}) {
    const { server, connected, ...rest } = await dialled(dialect(more), options);
    await server.send(HEADER);
    await connected;
    return { server, ...rest };
  }

  it.each<[string, Partial<Dialect>]>([
    ['prepare', { prepare: fail }],
    ['wrap', { wrap: fail }],
    ['prepare that returns nothing', { prepare: () => undefined as never }],
    ['wrap that returns what is no element', { wrap: () => 1 as never }],
  ])('in %s: output() throws, a request rejects, nothing is left', async (_name, more) => {
    const { broker } = await ready(more);
    expect(() => broker.output(message())).toThrow(refusal);
    expect(() => broker.returnToSender('answered', ask())).toThrow(refusal);
    expect(await codeOf(broker.request(ask()))).toBe('DIALECT_FAILED');
    expect([broker.pending.size, broker.queue.size]).toEqual([0, 0]);
  });

  it('in wrap, of what was held or is output by the way: tickets and requests fail', async () => {
    let failing = false;
    const wrap = (stanza: Element) => (failing && stanza.getAttribute('id') !== 'ok' ? fail() : stanza);
    const { broker, server, connected } = await dialled(dialect({ wrap }));
    const ticket = broker.output(message());
    broker.output(xml('message', { to: 'a@b', id: 'ok' }));
    const asked = codeOf(broker.request(ask()));
    await server.send(HEADER);
    await connected;
    failing = true;
    const inside: Ticket[] = [];
    const sent = broker.subscribe('PCJ_NODESENT', () => {
      sent.cancel();
      inside.push(broker.output(message()));
    });
    broker.queue.send();
    expect(await asked).toBe('DIALECT_FAILED');
    expect([ticket.state, ...inside.map(({ state }) => state)]).toEqual(['failed', 'failed']);
    expect(await codeOf(inside[0]!.sent)).toBe('DIALECT_FAILED');
    expect([broker.pending.size, broker.queue.size]).toEqual([0, 0]);
  });

  it('in wrap, of a ping: nothing is left', async () => {
    const { broker } = await ready({ wrap: fail }, { liveness: { intervalMs: 5, timeoutMs: 20 } });
    await broker.closed;
    expect(broker.pending.size).toBe(0);
  });

  it.each<[string, Partial<Dialect>]>([
    ['unwrap', { unwrap: (element) => (element.getAttribute('id') === '1' ? fail() : element) }],
    [
      'unwrap that returns null',
      { unwrap: (element) => (element.getAttribute('id') === '1' ? (null as never) : element) },
    ],
  ])('in %s: it is told, and what follows is delivered', async (_name, more) => {
    const { broker, server } = await ready(more);
    const told = broker.events.once('PCJ_PROTOCOLERROR');
    const next = broker.events.once('PCJ_NODERECEIVED');
    await server.send(`<message id='1'/><message id='2'/>`);
    expect(await told).toMatchObject({ code: 'DIALECT_FAILED' });
    expect((await next).getAttribute('id')).toBe('2');
  });

  it.each<[string, Dialect['negotiate']]>([
    ['negotiate', () => fail()],
    ['negotiate, later', () => Promise.resolve().then(fail)],
    ['negotiate that returns nothing', () => Promise.resolve(undefined as never)],
    ['negotiate that returns no JID', () => Promise.resolve({ jid: 'a@b' as never, sid: '' })],
  ])('in %s: connect() rejects', async (_name, negotiate) => {
    const peer = await ScriptedPeer.listen({});
    peers.push(peer);
    const options = { host: '127.0.0.1', port: peer.port, domain: DOMAIN, tls: { policy: 'disabled' } } as const;
    const broker = new Broker({ connectionType: dialect({ negotiate }), ...options, reconnect: false, logger: false });
    brokers.push(broker);
    expect(await codeOf(broker.connect())).toBe('DIALECT_FAILED');
    expect(broker.state).toBe('disconnected');
  });
});
