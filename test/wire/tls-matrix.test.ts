import { beforeAll, describe, expect, it } from 'vitest';
import { BrokerError, NS, type BrokerOptions } from 'xmpp-broker';
import { CLIENT } from './support/client.js';
import { COMPONENT } from './support/component.js';
import {
  failure,
  features,
  mechanisms,
  OPENING,
  PROCEED,
  selfSigned,
  STARTTLS,
  streamHeader,
  TestAuthority,
  useRig,
  type Conversation,
  type Identity,
  type Rig,
  type ScriptedPeer,
} from './support/index.js';
import { LEGACY_CLIENT } from './support/legacy.js';
import { ROUTER, SERVICE } from './support/service.js';
import { WEBSOCKET } from './support/web-socket.js';
import { pinOf } from '../unit/tls/servers.js';

const DOMAIN = 'broker.test';
const DAY = 86_400_000;

const clients = useRig(CLIENT);
const components = useRig(COMPONENT);
const services = useRig(SERVICE);
const legacies = useRig(LEGACY_CLIENT);
const webSockets = useRig(WEBSOCKET);

/** A way into TLS: over which port, and what a server says in clear before it. */
interface Mode {
  readonly rig: Rig<never>;
  /** What comes in clear before `<starttls/>`; null for TLS from the first byte. */
  readonly offer: string | null;
  /** Default `broker.test`. */
  readonly domain?: string;
  readonly options?: (peer: ScriptedPeer) => Partial<BrokerOptions>;
}

const offered = streamHeader({ from: DOMAIN }) + features(STARTTLS);
const MODES: Readonly<Record<string, Mode>> = {
  'client, STARTTLS': { rig: clients, offer: offered },
  'client, direct': { rig: clients, offer: null },
  WebSocket: {
    rig: webSockets,
    offer: null,
    domain: 'localhost',
    options: ({ port }) => ({ host: undefined, port: undefined, websocket: `wss://localhost:${String(port)}/` }),
  },
  'component, direct': { rig: components, offer: null },
  'legacy client, STARTTLS': {
    rig: legacies,
    offer: streamHeader({ from: DOMAIN, version: null }),
  },
  'legacy client, direct': { rig: legacies, offer: null },
  'router, STARTTLS': {
    rig: services,
    offer: streamHeader({ xmlns: ROUTER, from: DOMAIN }) + features(STARTTLS),
  },
  'router, direct': { rig: services, offer: null },
};

type Trust = 'ca' | 'pin' | 'insecure';
type Verdict = string;

interface Row {
  readonly make: (authority: TestAuthority, domain: string) => Promise<Identity>;
  /** Trusted by its authority, by its pinned key alone, not at all. */
  readonly verdicts: Readonly<Record<Trust, Verdict>>;
}

const only = (ca: Verdict, pin: Verdict = 'verified', insecure: Verdict = 'not verified') => ({ ca, pin, insecure });

const CERTIFICATES: Readonly<Record<string, Row>> = {
  'a good one': { make: (authority) => authority.issue(), verdicts: only('verified') },
  'a good one, with its intermediate authority': {
    make: async (authority) => (await authority.intermediate({})).issue(),
    verdicts: only('verified'),
  },
  'without its intermediate authority': {
    make: async (authority) => {
      const identity = await (await authority.intermediate({})).issue();
      return { ...identity, cert: identity.cert.slice(0, identity.cert.indexOf('-----BEGIN', 1)) };
    },
    verdicts: only('TLS_CERT_UNTRUSTED'),
  },
  expired: {
    make: (authority) =>
      authority.issue({ notBefore: new Date(Date.now() - 2 * DAY), notAfter: new Date(Date.now() - DAY) }),
    verdicts: only('TLS_CERT_EXPIRED', 'TLS_CERT_EXPIRED'),
  },
  'not valid yet': {
    make: (authority) => authority.issue({ notBefore: new Date(Date.now() + DAY) }),
    verdicts: only('TLS_CERT_NOT_YET_VALID', 'TLS_CERT_NOT_YET_VALID'),
  },
  'for another name': {
    make: (authority) => authority.issue({ names: [{ dns: 'other.test' }] }),
    verdicts: only('TLS_CERT_HOST_MISMATCH'),
  },
  'for the address only': {
    make: (authority) => authority.issue({ names: [{ ip: '127.0.0.1' }] }),
    verdicts: only('TLS_CERT_HOST_MISMATCH'),
  },
  'for a wildcard above': {
    make: (authority) => authority.issue({ names: [{ dns: '*.test' }] }),
    verdicts: only('TLS_CERT_HOST_MISMATCH'),
  },
  'for an SRV-ID': {
    make: (authority, domain) => authority.issue({ commonName: '', names: [{ srv: `_xmpp-client.${domain}` }] }),
    verdicts: only('verified'),
  },
  'for an XmppAddr': {
    make: (authority, domain) => authority.issue({ commonName: '', names: [{ xmpp: domain }] }),
    verdicts: only('verified'),
  },
  'self-signed': { make: () => selfSigned(), verdicts: only('TLS_CERT_SELF_SIGNED') },
  'of an unknown authority': {
    make: async () => (await TestAuthority.create({ commonName: 'Nobody' })).issue(),
    verdicts: only('TLS_CERT_UNTRUSTED'),
  },
  'for clients only': {
    make: (authority) => authority.issue({ usages: ['clientAuth'] }),
    verdicts: only('TLS_CERT_PURPOSE', 'TLS_CERT_PURPOSE'),
  },
  'of an authority': { make: (authority) => authority.issue({ ca: true }), verdicts: only('TLS_CERT_PURPOSE') },
  'with a weak key': {
    make: (authority) => authority.issue({ key: 'rsa-768' }),
    verdicts: only('TLS_CERT_UNTRUSTED'),
  },
};

/** A broker that has dialled a server of that certificate. */
async function dial(
  { rig, offer, domain = DOMAIN, options }: Mode,
  identity: Identity,
  tls: NonNullable<BrokerOptions['tls']>,
) {
  const context = { ...identity, ALPNProtocols: ['http/1.1', 'xmpp-client'], ciphers: 'DEFAULT:@SECLEVEL=0' };
  const peer = await rig.listen(offer === null ? 'direct' : 'plain', context);
  const policy = offer === null ? ('direct' as const) : ('required' as const);
  const given: Partial<BrokerOptions> = { domain, ...options?.(peer) };
  const { broker, recorded } = rig.broker(peer, { ...given, tls: { policy, ...tls } });
  const connected = broker.connect();
  return { broker, recorded, peer, connected };
}

async function verdict(mode: Mode, identity: Identity, trust: Trust, ca: string): Promise<Verdict> {
  const tls = {
    ca: { ca },
    pin: { ca: undefined, pin: pinOf(identity), pinOnly: true },
    insecure: { ca: undefined, insecureSkipVerify: true },
  }[trust];
  const { broker, peer, connected } = await dial(mode, identity, tls);
  const secured = broker.events.once('PCJ_SSLSUCCESS');
  const outcome = Promise.race([
    secured.then(({ verified }) => (verified ? 'verified' : 'not verified')),
    connected.then(
      () => 'connected',
      (error: unknown) => (error instanceof BrokerError ? error.code : String(error)),
    ),
  ]);
  if (mode.offer !== null) await askedForTls(await peer.accept(), mode.offer, identity);
  const found = await outcome;
  const inside = peer.conversations.map(({ received }) => received.toString());
  if (found.startsWith('TLS_')) for (const text of inside) expect(text.replace(/^.*<starttls[^>]*>/s, '')).toBe('');
  broker.halt();
  await connected.catch(() => undefined);
  return found;
}

async function askedForTls(server: Conversation, offer: string, identity: Identity): Promise<void> {
  await server.expect(OPENING);
  await server.send(offer);
  await server.expect(/<starttls[^>]*>/);
  await server.send(PROCEED);
  void server.startTls({ ...identity, ciphers: 'DEFAULT:@SECLEVEL=0' }).catch(() => undefined);
}

describe('certificates in every way into TLS', () => {
  let authority: TestAuthority;
  const identities: Record<string, Record<string, Identity>> = {};
  beforeAll(async () => {
    authority = await TestAuthority.create();
    for (const domain of [DOMAIN, 'localhost']) {
      const made = Object.entries(CERTIFICATES).map(
        async ([name, { make }]) => [name, await make(authority, domain)] as const,
      );
      identities[domain] = Object.fromEntries(await Promise.all(made));
    }
  });

  // What is trusted without an authority is decided in one place, so two ways into TLS are enough to try it.
  const cells = Object.entries(MODES).flatMap(([way, mode]) => {
    const trusts: readonly Trust[] =
      way === 'client, STARTTLS' || way === 'WebSocket' ? ['ca', 'pin', 'insecure'] : ['ca'];
    return trusts.map((trust) => ({ way, mode, trust }));
  });
  it.each(cells)('S-CERT-2 A-NEG-7: $way, trusted by $trust', async ({ mode, trust }) => {
    const found: Record<string, Verdict> = {};
    await Promise.all(
      Object.entries(identities[mode.domain ?? DOMAIN] ?? {}).map(async ([name, identity]) => {
        found[name] = await verdict(mode, identity, trust, authority.ca);
      }),
    );
    expect(found).toEqual(
      Object.fromEntries(Object.entries(CERTIFICATES).map(([name, row]) => [name, row.verdicts[trust]])),
    );
  });
});

const INJECTED: Readonly<Record<string, string>> = {
  'a blank': ' ',
  'half a tag': '<',
  'an iq': "<iq type='result' id='1'/>",
  features: features(mechanisms('PLAIN')),
  'a whole stream': `${streamHeader({ id: 'fake' })}${features(mechanisms('PLAIN'))}<success xmlns='${NS.SASL}'/>`,
};

const upgraded = Object.entries(MODES).filter(([, { offer }]) => offer !== null);

describe('what a server says in clear', () => {
  const injections = upgraded.flatMap(([way, mode]) =>
    Object.entries(INJECTED).map(([what, bytes]) => ({ way, mode, what, bytes })),
  );
  it.each(injections)('S-TLS-4 A-NEG-5: $way: $what right behind <proceed/>', async ({ mode, bytes }) => {
    const { peer, connected, recorded } = await dial(mode, mode.rig.identity, {});
    const server = await peer.accept();
    await server.expect(OPENING);
    await server.send(mode.offer ?? '');
    await server.expect(/<starttls[^>]*>/);
    await server.send(PROCEED + bytes);
    expect(await failure(connected)).toMatchObject({ code: 'TLS_PLAINTEXT_INJECTION', retryable: false });
    // No ClientHello, no XML.
    expect(await server.expectEnd()).toBe('');
    expect(recorded.short).not.toContain('SSLSUCCESS');
  });

  const stripped = ['', features(), features(mechanisms('PLAIN', 'DIGEST-MD5')), features("<starttls xmlns='urn:x'/>")];
  const strippings = upgraded.flatMap(([way, mode]) => stripped.map((said, index) => ({ way, mode, said, index })));
  it.each(strippings)('S-TLS-2 A-NEG-4: $way: <starttls/> is left out, $index', async ({ mode, said }) => {
    const { peer, connected } = await dial(mode, mode.rig.identity, { policy: 'required' });
    const server = await peer.accept();
    await server.expect(OPENING);
    const [header = ''] = (mode.offer ?? '').split('<stream:features');
    await server.send(header + said);
    await server.send(`<failure xmlns='${NS.TLS}'/></stream:stream>`);
    server.end();
    expect(await failure(connected)).toBeInstanceOf(BrokerError);
    await server.ended;
    expect(server.received.toString()).not.toMatch(/<auth|<response|jabber:iq:auth|<handshake|<bind/);
  });

  const direct = Object.entries(MODES).filter(([, { offer }]) => offer === null);
  const answers = [streamHeader() + features(mechanisms('PLAIN')), 'HTTP/1.1 101 Switching Protocols\r\n\r\n'];
  const inClear = direct.flatMap(([way, mode]) => answers.map((said, index) => ({ way, mode, said, index })));
  it.each(inClear)('S-TLS-4 A-NEG-15: $way: no TLS where it has to be, $index', async ({ mode, said }) => {
    const peer = await mode.rig.listen('plain');
    const given: Partial<BrokerOptions> = { domain: mode.domain ?? DOMAIN, ...mode.options?.(peer) };
    const { broker } = mode.rig.broker(peer, { ...given, tls: { policy: 'direct' } });
    const connected = broker.connect();
    const server = await peer.accept();
    await server.send(said);
    expect(await failure(connected)).toMatchObject({ code: 'TLS_PROTOCOL', layer: 'tls' });
    await server.ended;
    // One record of a handshake, in which nothing is readable but the name that is asked for.
    expect(server.received[0]).toBe(0x16);
    expect(server.received.toString('latin1')).not.toMatch(/<\?xml|<stream|GET \//);
  });
});
