// A dialect of the program: what the broker lends to it, and what it may not do.
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Broker, JID, type BrokerOptions, type Dialect, type Negotiation } from 'xmpp-broker';
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
