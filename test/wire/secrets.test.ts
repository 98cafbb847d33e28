import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { Broker, COMPONENT, Element, JABBERD20_COMPONENT, LEGACY, XMPP, xml, type BrokerOptions } from 'xmpp-broker';
import { LoopbackServer, type LoopbackOptions, type LoopbackPort } from 'xmpp-broker/testing';
import { trace } from '../support/trace.js';

/** With everything in it that some writing of it changes. */
const SECRET = 'Kr&t <ü>/+"x\' 7?%41~Zq';
const WRONG = 'Fa+l <ß>/&"y\' 3?%42~Vw';

/** What RFC 6750 allows in a token. */
const TOKEN = 'Kr-t._~+/aZq0123456789==';
const WRONG_TOKEN = 'Fa-l._~+/bVw9876543210==';

interface Case {
  readonly port: LoopbackPort;
  readonly server: Partial<LoopbackOptions>;
  readonly options: Partial<BrokerOptions> & Pick<BrokerOptions, 'connectionType'>;
  readonly right?: string;
  readonly wrong?: string;
}

const CLEAR: Partial<BrokerOptions> = { tls: { policy: 'disabled' } };

const client = (mechanism: string, port: LoopbackPort = 'client', more: Partial<BrokerOptions> = {}): Case => ({
  port,
  server: { mechanisms: [mechanism], websocket: port === 'websocketTls' },
  options: { connectionType: XMPP.with({ mechanisms: [mechanism as 'PLAIN'] }), username: 'alice', ...more },
});

const legacy = (method: 'password' | 'digest' | 'zero-k', more: Partial<BrokerOptions> = {}): Case => ({
  port: 'client',
  server: { legacy: { methods: [method === 'zero-k' ? '0k' : method] } },
  options: {
    connectionType: LEGACY.with({ methods: [method], insist: true }),
    ...{ username: 'alice', resource: 'desk', ...more },
  },
});

const component = (port: 'component' | 'componentDirectTls', more: Partial<BrokerOptions> = {}): Case => ({
  port,
  server: { components: { 'echo.localhost': '' }, tls: {} },
  options: { connectionType: COMPONENT, domain: 'echo.localhost', ...more },
});

const router = (more: Partial<BrokerOptions>): Case => ({
  port: 'router',
  server: { routerUsers: { jabberd: '' } },
  options: { connectionType: JABBERD20_COMPONENT, domain: 'svc.localhost', username: 'jabberd', ...more },
});

const HASHES = ['SCRAM-SHA-1', 'SCRAM-SHA-256', 'SCRAM-SHA-512'];

const CASES: Readonly<Record<string, Case>> = {
  ...Object.fromEntries(
    ['PLAIN', 'DIGEST-MD5', ...HASHES, ...HASHES.map((hash) => `${hash}-PLUS`)].map((name) => [name, client(name)]),
  ),
  OAUTHBEARER: { ...client('OAUTHBEARER'), right: TOKEN, wrong: WRONG_TOKEN },
  'PLAIN, direct TLS': client('PLAIN', 'clientDirectTls', { tls: { policy: 'direct' } }),
  'PLAIN, WebSocket': client('PLAIN', 'websocketTls'),
  'PLAIN, SASL2': { ...client('PLAIN'), server: { mechanisms: ['PLAIN'], sasl2: {} } },
  'SCRAM-SHA-256, in clear': client('SCRAM-SHA-256', 'client', CLEAR),
  'legacy password': legacy('password'),
  'legacy digest': legacy('digest'),
  'legacy digest, in clear': legacy('digest', CLEAR),
  'legacy zero-k, in clear': legacy('zero-k', CLEAR),
  component: component('component'),
  'component, direct TLS': component('componentDirectTls', { tls: { policy: 'direct' } }),
  'router, STARTTLS': router({ tls: { servername: 'localhost' } }),
  'router, in clear': router(CLEAR),
};

/** Every way in which a secret may be written, by name. */
function writings(secret: string): Readonly<Record<string, string>> {
  const bytes = Buffer.from(secret);
  const hex = bytes.toString('hex');
  // Whatever stands before it shifts its base64 by none, one or two bytes; what depends on the neighbours is left out.
  const shifted = [0, 1, 2].map((by) =>
    Buffer.concat([Buffer.alloc(by), bytes.subarray(0, bytes.length - ((bytes.length + by) % 3))])
      .toString('base64')
      .slice(by === 0 ? 0 : 4),
  );
  return {
    'as it is': secret,
    'as JSON': JSON.stringify(secret).slice(1, -1),
    'as inspected': inspect([secret]).slice(3, -3),
    'as XML': xml('x', {}, secret)
      .toString()
      .replaceAll(/^<x[^>]*>|<\/x>$/g, ''),
    'as XML in an attribute': /a='([^']*)'/.exec(xml('x', { a: secret }).toString())?.[1] ?? '',
    'percent-encoded': encodeURIComponent(secret),
    'as hex': hex,
    'as HEX': hex.toUpperCase(),
    'as bytes': hex.replaceAll(/..(?=.)/g, '$& '),
    ...Object.fromEntries(shifted.map((text, by) => [`as base64, ${String(by)}`, text])),
    ...Object.fromEntries(
      shifted.map((text, by) => [`as base64url, ${String(by)}`, text.replaceAll('+', '-').replaceAll('/', '_')]),
    ),
  };
}

/** In which writings secrets are to be seen. */
const seen = (text: string, ...secrets: readonly string[]): string[] =>
  secrets.flatMap((secret) =>
    Object.entries(writings(secret))
      .filter(([, writing]) => text.includes(writing))
      .map(([name]) => name),
  );

/** A wire that keeps every byte of both directions. */
async function tapped(port: number) {
  const bytes: Buffer[] = [];
  const sockets = new Set<Socket>();
  const listener = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined).on('data', (chunk: Buffer) => bytes.push(chunk));
    }
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  return {
    port: (listener.address() as AddressInfo).port,
    bytes: () => Buffer.concat(bytes),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => listener.close(resolve));
    },
  };
}

/** Elements in which a secret, or what proves that it is known, goes to the server. */
const PROVING = new Set(['auth', 'response', 'initial-response', 'handshake', 'password', 'digest', 'hash']);

const proofsIn = (element: Element): string[] => {
  const text = PROVING.has(element.localName) ? [element.textContent].filter((one) => one !== '') : [];
  return [...text, ...element.children.flatMap(proofsIn)];
};

const depth = { depth: 12, showHidden: true, maxArrayLength: null, maxStringLength: null } as const;
const shown = (value: unknown): string => (value instanceof Element ? value.toString() : inspect(value, depth));

/** Everything that there is to be seen of one life with that secret. */
async function life({ port, server: given, options }: Case, known: string, used: string) {
  const users = Object.fromEntries(
    (['components', 'routerUsers'] as const).flatMap((side) =>
      given[side] === undefined
        ? []
        : [[side, Object.fromEntries(Object.keys(given[side]).map((name) => [name, known]))]],
    ),
  );
  await using server = await LoopbackServer.start({ accounts: { alice: known }, ...given, ...users });
  await using wire = await tapped(server.ports[port]);
  const proofs: string[] = [];
  server.subscribe('received', ({ element }) => proofs.push(...proofsIn(element)));
  const lines: unknown[] = [];
  const note = (...line: unknown[]) => void lines.push(line);
  const broker = new Broker({
    domain: server.domain,
    ...(port === 'websocketTls'
      ? { websocket: `wss://localhost:${String(wire.port)}/` }
      : { host: '127.0.0.1', port: wire.port }),
    password: used,
    reconnect: false,
    logger: { debug: note, info: note, warn: note, error: note },
    ...options,
    tls: { ...(options.tls?.policy === 'disabled' || port === 'component' ? {} : { ca: server.ca }), ...options.tls },
  });
  const recorded = trace(broker);
  const error: unknown = await broker.connect().then(
    () => null,
    (thrown: unknown) => thrown,
  );
  const ready = [shown(broker), shown(broker.config), JSON.stringify(broker.config), JSON.stringify(broker.stats())];
  if (error === null) broker.output(xml('message', { to: 'nobody@localhost' }, xml('body', {}, 'hello')));
  await broker.shutdown();
  const text = [...ready, shown(lines), ...recorded.payloads.map(shown), shown(error), shown(broker)];
  if (error instanceof Error) text.push(String(error.stack), JSON.stringify(error));
  return { error, text: text.join('\n'), bytes: wire.bytes(), proofs };
}

describe('no secret is to be seen', () => {
  it.each(Object.entries(CASES))('S-SASL-16 S-TLS-2: %s', async (_, one) => {
    const { right = SECRET, wrong = WRONG } = one;
    const [good, bad] = await Promise.all([life(one, right, right), life(one, right, wrong)]);
    expect(good.error).toBeNull();
    expect(bad.error).toMatchObject({ phase: 'auth' });
    for (const { text, bytes, proofs } of [good, bad]) {
      expect(proofs).not.toEqual([]);
      expect(proofs.filter((proof) => text.includes(proof))).toEqual([]);
      expect(text.length).toBeGreaterThan(1_000);
      expect(seen(text, right, wrong)).toEqual([]);
      // Outside TLS, and as far as that goes, inside.
      expect(seen(bytes.toString(), right, wrong)).toEqual([]);
    }
  });

  it('or this test would see it, however it is written', () => {
    const around = (text: string) => ['', 'x', 'xy', 'xyz'].map((before) => Buffer.from(`${before}${text}\0z`));
    for (const bytes of around(SECRET)) {
      for (const encoding of ['base64', 'base64url', 'hex'] as const)
        expect(seen(bytes.toString(encoding), SECRET)).not.toEqual([]);
      expect(seen(inspect({ bytes }, { maxArrayLength: null }), SECRET)).not.toEqual([]);
    }
    for (const text of [encodeURIComponent(SECRET), JSON.stringify({ SECRET }), inspect({ SECRET }), SECRET])
      expect(seen(text, SECRET)).not.toEqual([]);
    expect(seen(xml('message', { to: SECRET }).toString(), SECRET)).not.toEqual([]);
    expect(seen('nothing of it', SECRET, WRONG)).toEqual([]);
  });
});
