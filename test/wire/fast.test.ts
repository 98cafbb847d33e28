import { createHmac } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import {
  Element,
  NS,
  PCJ_READY,
  XMPP,
  type BrokerOptions,
  type FastToken,
  type TokenMechanism,
  type TokenStore,
} from 'xmpp-broker';
import { CLIENT, PASSWORD } from './support/client.js';
import { failure, TAIL, useRig, type Conversation } from './support/index.js';
import { AFTER, authenticating, enabled, resumed, success } from './support/sasl2.js';

const rig = useRig(CLIENT);

const SECRET = 'secret-token:fast-x';
const AGENT = '0e5b4d8a-6bc5-4f6a-9d3a-2f9f6ab0c3de';
const SOON = () => new Date(Date.now() + 86_400_000).toISOString();
const NONE: readonly TokenMechanism[] = ['HT-SHA-256-NONE'];
const ALL = ['HT-SHA-256-NONE', 'HT-SHA-256-EXPR', 'HT-SHA-512-EXPR', 'HT-SHA-256-ENDP', 'HT-SHA-256-UNIQ'];

const token = (more: Partial<FastToken> = {}): FastToken => ({
  token: SECRET,
  mechanism: 'HT-SHA-256-NONE',
  expiry: SOON(),
  userAgentId: AGENT,
  ...more,
});

/** A store in memory, and what was asked of it. */
class Store implements TokenStore {
  readonly saved: [string, FastToken | null][] = [];
  constructor(public kept: FastToken | null = null) {}
  load(account: string): FastToken | null {
    expect(account).toMatch(/^\S+@localhost$/);
    return this.kept;
  }
  save(account: string, kept: FastToken | null): void {
    this.saved.push([account, kept]);
    this.kept = kept;
  }
}

let accounts = 0;
/** Options of an account that nobody has signed in with. */
const using = (store: TokenStore, mechanisms?: readonly TokenMechanism[]): Partial<BrokerOptions> => ({
  connectionType: XMPP.with({ mechanisms: ['PLAIN'], fast: { store, mechanisms } }),
  username: `tokens-${String(accounts++)}`,
});

const offer = (mechanisms: readonly string[] = ALL) => ({
  inline: `<fast xmlns='${NS.FAST}'>${mechanisms.map((name) => `<mechanism>${name}</mechanism>`).join('')}</fast>`,
});

const issued = (secret: string, expiry = SOON()) => `<token xmlns='${NS.FAST}' token='${secret}' expiry='${expiry}'/>`;
const data = (bytes: Buffer) => `<additional-data>${bytes.toString('base64')}</additional-data>`;
const refusal = (condition = 'not-authorized') =>
  `<failure xmlns='${NS.SASL2}'><${condition} xmlns='${NS.SASL}'/></failure>`;

/** What HT computes, written out: the key is the token, the message the side and the binding. */
const proof = (side: 'Initiator' | 'Responder', secret = SECRET, binding = Buffer.alloc(0), hash = 'sha256') =>
  createHmac(hash, secret)
    .update(Buffer.concat([Buffer.from(side), binding]))
    .digest();

async function begun(options: Partial<BrokerOptions>, said = offer()) {
  const client = await rig.dialled(options);
  return { ...client, ...(await asked(client.server, said)) };
}

/** The next `<authenticate/>`: its text, mechanism, and what the initial response says. */
async function asked(server: Conversation, said = offer()) {
  const request = await authenticating(server, said);
  const initial = Buffer.from(/<initial-response>([^<]*)</.exec(request)?.[1] ?? '', 'base64');
  const at = initial.indexOf(0);
  return {
    server,
    request,
    mechanism: / mechanism='([^']+)'/.exec(request)?.[1],
    name: initial.subarray(0, at).toString(),
    digest: initial.subarray(at + 1),
  };
}

const bare = (username: unknown) => `${String(username)}@localhost`;
/** Success of whoever the options name. */
const accepted = (options: Partial<BrokerOptions>, inner = '') => success(inner, bare(options.username)) + AFTER;

/** Binds whoever the options name. */
async function bind(server: Conversation, { username }: Partial<BrokerOptions>): Promise<void> {
  const [, id = ''] = await server.match(/<iq[^>]* id='([^']+)'[^>]*>.*?<\/iq>/);
  await server.send(`<iq type='result' id='${id}'><bind xmlns='${NS.BIND}'><jid>${bare(username)}/x</jid></bind></iq>`);
  await server.expect(/<enable [^>]*\/>/);
  await server.send(enabled());
}

const tokens = (recorded: { names: string[]; payloads: unknown[] }) =>
  recorded.payloads
    .filter((_, at) => recorded.names[at] === 'PCJ_TOKEN')
    .map((payload) => (payload as { what: string }).what);

describe('signing in with a token', () => {
  it('modern 4: the message, in the form of the servers; the password is not asked for', async () => {
    const options = using(new Store(token()), NONE);
    let askedFor = 0;
    const client = await begun({ ...options, password: () => String(++askedFor) });
    expect(client.mechanism).toBe('HT-SHA-256-NONE');
    expect(client.name).toBe(options.username);
    // Of OpenSSL: openssl dgst -sha256 -hmac secret-token:fast-x, of the words Initiator and Responder.
    expect(client.digest.toString('hex')).toBe('594b4d8a34c95c87618fb03eafa99291ab242906f8ca5f55dd06ac43717efcca');
    const answer = Buffer.from('31c579e85c520195c19262555fe0de4bab962804024d9ca63092699320eb38cc', 'hex');
    expect(client.request).toContain(`<user-agent id='${AGENT}'>`);
    expect(client.request).toContain(`<fast xmlns='${NS.FAST}'/>`);
    expect(client.request).not.toContain('request-token');
    await client.server.send(accepted(options, data(answer)));
    await bind(client.server, options);
    await client.connected;
    expect(askedFor).toBe(0);
    expect(tokens(client.recorded)).toEqual(['used']);
    expect(client.recorded.short.slice(client.recorded.short.indexOf('AUTHNEGOTIATE')).slice(0, 4)).toEqual([
      'AUTHNEGOTIATE',
      'NODESENT(authenticate)',
      'AUTHSUCCESS',
      'TOKEN',
    ]);
    expect(client.recorded.last('PCJ_AUTHSUCCESS')).toEqual({ mechanism: 'HT-SHA-256-NONE', profile: 'sasl2' });
  });

  it.each([
    ['HT-SHA-256-EXPR', 'sha256'],
    ['HT-SHA-512-EXPR', 'sha512'],
  ] as const)('modern 4: %s is bound to the connection', async (mechanism, hash) => {
    const options = using(new Store(token({ mechanism })));
    const client = await begun(options);
    expect(client.mechanism).toBe(mechanism);
    const binding = client.server.tls?.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0));
    expect(client.digest).toEqual(proof('Initiator', SECRET, binding, hash));
    await client.server.send(accepted(options, data(proof('Responder', SECRET, binding, hash))));
    await bind(client.server, options);
    await client.connected;
  });

  it.each([
    ['a wrong answer', data(Buffer.alloc(32))],
    ['a short answer', data(Buffer.alloc(5))],
    ['our own message as the answer', data(proof('Initiator'))],
    ['no answer', ''],
  ])('modern 4.7: %s fails: the server has not proved itself', async (_, inner) => {
    const store = new Store(token());
    const options = using(store, NONE);
    const { server, connected, recorded } = await begun(options);
    await server.send(accepted(options, inner));
    expect(await failure(connected)).toMatchObject({ code: 'SASL_SERVER_NOT_AUTHENTICATED' });
    expect(recorded.short.slice(-1 - TAIL.length)).toEqual(['AUTHFAIL', ...TAIL]);
    expect(store.saved).toEqual([]);
  });

  it('a challenge has no place', async () => {
    const { server, connected } = await begun(using(new Store(token()), NONE));
    await server.send(`<challenge xmlns='${NS.SASL2}'>QQ==</challenge>`);
    expect(await failure(connected)).toMatchObject({ code: 'SASL_UNEXPECTED' });
  });

  it('modern 4.1: one that is about to expire is not used, and forgotten', async () => {
    const store = new Store(token({ expiry: new Date(Date.now() + 30_000).toISOString() }));
    const options = using(store, NONE);
    const { mechanism, request, recorded } = await begun(options);
    expect(mechanism).toBe('PLAIN');
    expect(request).toContain(`<request-token xmlns='${NS.FAST}' mechanism='HT-SHA-256-NONE'/>`);
    expect(tokens(recorded)).toEqual(['expired']);
    expect(store.saved).toEqual([[bare(options.username), null]]);
  });

  it.each([
    ['the server does not offer', token(), ['HT-SHA-256-EXPR'], NONE],
    ['the options do not name', token(), ALL, undefined],
    ['this connection has no binding for', token({ mechanism: 'HT-SHA-256-UNIQ' }), ALL, ['HT-SHA-256-UNIQ'] as const],
  ] as const)(
    'modern 4.4: one that %s is kept, not used, and no other asked for',
    async (_, kept, offered, mechanisms) => {
      const store = new Store(kept);
      const { mechanism, request } = await begun(using(store, mechanisms), offer(offered));
      expect(mechanism).toBe('PLAIN');
      expect(request).not.toContain(NS.FAST);
      expect(store.kept).toBe(kept);
    },
  );

  it('modern 4.5: the id belongs to the token; one that the program gives is another user agent', async () => {
    const store = new Store(token());
    const id = 'ffffffff-6bc5-4f6a-9d3a-2f9f6ab0c3de';
    const connectionType = XMPP.with({ mechanisms: ['PLAIN'], fast: { store, mechanisms: NONE }, userAgent: { id } });
    const { mechanism, request } = await begun({ ...using(store), connectionType });
    expect(mechanism).toBe('PLAIN');
    expect(request).toContain(`<user-agent id='${id}'>`);
    expect(request).toContain('request-token');
  });

  it('S-S2-6: never in place of acting for another, and not without a checked certificate', async () => {
    const store = new Store(token());
    const fast = { store, mechanisms: NONE };
    const authzid = await begun({
      ...using(store),
      connectionType: XMPP.with({ mechanisms: ['PLAIN'], fast, authzid: 'boss@localhost' }),
    });
    expect(authzid.request).not.toContain(NS.FAST);
    const unchecked = await rig.dialled({
      ...using(store),
      connectionType: XMPP.with({ mechanisms: ['OAUTHBEARER', 'SCRAM-SHA-1'], fast }),
      tls: { insecureSkipVerify: true },
    });
    expect(await authenticating(unchecked.server, { ...offer(), mechanisms: ['SCRAM-SHA-1'] })).not.toContain(NS.FAST);
  });
});

describe('getting a token', () => {
  it('modern 4.3: the best that is offered and possible is asked for, saved and told', async () => {
    const store = new Store();
    const options = using(store);
    const { server, request, connected, recorded } = await begun(options);
    expect(request).toContain(`<request-token xmlns='${NS.FAST}' mechanism='HT-SHA-512-EXPR'/>`);
    const expiry = SOON();
    await server.send(accepted(options, issued('new', expiry)));
    await bind(server, options);
    await connected;
    const userAgentId = /<user-agent id='([^']+)'/.exec(request)?.[1];
    expect(store.saved).toEqual([
      [bare(options.username), { token: 'new', mechanism: 'HT-SHA-512-EXPR', expiry, userAgentId }],
    ]);
    expect(recorded.last('PCJ_TOKEN')).toEqual({ what: 'issued', mechanism: 'HT-SHA-512-EXPR', expiry });
  });

  it.each([
    ['nothing of ours', ['HT-SHA3-256-EXPR', 'HT-SHA-256-NONE']],
    ['nothing', []],
  ])('modern 4.3: none is asked for where %s is offered, and one that comes is dropped', async (_, offered) => {
    const store = new Store();
    const options = using(store);
    const { server, request, connected } = await begun(options, offer(offered));
    expect(request).not.toContain('request-token');
    await server.send(accepted(options, issued('unasked')));
    await bind(server, options);
    await connected;
    expect(store.saved).toEqual([]);
  });

  it.each([
    ['no date', issued('x', 'tomorrow')],
    ['no token', `<token xmlns='${NS.FAST}' expiry='${SOON()}'/>`],
    ['too long a token', issued('x'.repeat(5_000))],
  ])('modern 4.2: one with %s is dropped', async (_, said) => {
    const store = new Store();
    const options = using(store);
    const { server, connected } = await begun(options);
    await server.send(accepted(options, said));
    await bind(server, options);
    await connected;
    expect(store.saved).toEqual([]);
  });

  it('modern 4.2, 4.6: one that comes unasked takes the place of the one that was used, which is kept until it works', async () => {
    const store = new Store(token());
    const options = { ...using(store, NONE), reconnect: { resumeDelayMs: 1 } };
    const first = await begun(options);
    await first.server.send(accepted(options, data(proof('Responder')) + issued('second')));
    await bind(first.server, options);
    await first.connected;
    expect(store.kept).toMatchObject({ token: 'second', previous: SECRET, userAgentId: AGENT });
    const ready = first.broker.events.once(PCJ_READY);
    first.server.reset();
    // With the resumption, in one message each way.
    const again = await asked(await first.peer.accept());
    expect(again.digest).toEqual(proof('Initiator', 'second'));
    expect(again.request).toContain('<resume ');
    await again.server.send(success(data(proof('Responder', 'second')) + resumed(0), bare(options.username)));
    expect(await ready).toMatchObject({ resumed: true });
    expect(store.kept).toMatchObject({ token: 'second' });
    expect(store.kept?.previous).toBeUndefined();
  });

  it('modern 4: an account that had a bound token gets none without binding later', async () => {
    const store = new Store();
    const options = using(store, ['HT-SHA-256-EXPR', 'HT-SHA-256-NONE']);
    const first = await begun(options);
    await first.server.send(accepted(options, issued('bound')));
    await bind(first.server, options);
    await first.connected;
    store.kept = null;
    const second = await begun(options, offer(['HT-SHA-256-NONE']));
    expect(second.request).not.toContain('request-token');
  });
});

describe('a token that is refused', () => {
  it.each(['not-authorized', 'credentials-expired', 'malformed-request'])(
    'modern 4.1: by %s is forgotten, and the password used on another connection',
    async (condition) => {
      const store = new Store(token());
      const options = using(store, NONE);
      const first = await begun(options);
      await first.server.send(refusal(condition));
      const again = await asked(await first.peer.accept());
      expect(again.mechanism).toBe('PLAIN');
      expect(again.request).toContain('request-token');
      await again.server.send(accepted(options));
      await bind(again.server, options);
      await first.connected;
      expect(store.saved[0]).toEqual([bare(options.username), null]);
      expect(tokens(first.recorded)).toEqual(['refused']);
      expect(first.recorded.names).not.toContain('PCJ_AUTHFAIL');
      const { short } = first.recorded;
      const at = short.indexOf('TOKEN');
      expect(short.slice(at, at + 7)).toEqual(['TOKEN', ...TAIL, 'CONNECT', 'CONNECTING']);
    },
  );

  it('modern 4.6: the one before it is tried first', async () => {
    const store = new Store(token({ token: 'lost on the way', previous: SECRET }));
    const options = using(store, NONE);
    const first = await begun(options);
    expect(first.digest).toEqual(proof('Initiator', 'lost on the way'));
    await first.server.send(refusal());
    const again = await asked(await first.peer.accept());
    expect(again.digest).toEqual(proof('Initiator'));
    await again.server.send(accepted(options, data(proof('Responder'))));
    await bind(again.server, options);
    await first.connected;
    expect(tokens(first.recorded)).toEqual(['refused', 'used']);
  });

  it('without a password the attempt fails', async () => {
    const { server, connected, recorded } = await begun({ ...using(new Store(token()), NONE), password: undefined });
    await server.send(refusal());
    expect(await failure(connected)).toMatchObject({
      code: 'SASL_TOKEN_REFUSED',
      condition: 'not-authorized',
      retryable: false,
    });
    expect(recorded.short.slice(-2 - TAIL.length)).toEqual(['TOKEN', 'AUTHFAIL', ...TAIL]);
  });

  it('a failure that passes leaves it', async () => {
    const store = new Store(token());
    const { server, connected, recorded } = await begun(using(store, NONE));
    await server.send(refusal('temporary-auth-failure'));
    expect(await failure(connected)).toMatchObject({ code: 'SASL_FAILURE', condition: 'temporary-auth-failure' });
    expect(store.saved).toEqual([]);
    expect(recorded.names).toContain('PCJ_AUTHFAIL');
  });

  it('is not tried again though the store gives it again', async () => {
    const kept = token();
    const store: TokenStore = { load: () => kept, save: () => undefined };
    const first = await begun(using(store, NONE));
    await first.server.send(refusal());
    expect((await asked(await first.peer.accept())).mechanism).toBe('PLAIN');
  });

  it('a store that always knows another one does not dial for ever', async () => {
    let n = 0;
    const store: TokenStore = { load: () => token({ token: `t${String(n++)}` }), save: () => undefined };
    const first = await begun(using(store, NONE));
    let { mechanism, server } = first as { mechanism: string | undefined; server: Conversation };
    let refused = 0;
    while (mechanism === 'HT-SHA-256-NONE' && refused < 10) {
      refused += 1;
      await server.send(refusal());
      ({ mechanism, server } = await asked(await first.peer.accept()));
    }
    expect(mechanism).toBe('PLAIN');
    expect(refused).toBe(4);
  });

  it('an abort meanwhile ends it', async () => {
    const peer = await rig.listen();
    const { broker } = rig.broker(peer, { ...using(new Store(token()), NONE), tls: { policy: 'direct' } });
    const controller = new AbortController();
    const connected = broker.connect({ signal: controller.signal });
    const server = await peer.accept();
    await asked(server);
    broker.subscribe('PCJ_STREAMEND', () => {
      controller.abort();
    });
    await server.send(refusal());
    expect(await failure(connected)).toMatchObject({ code: 'CONNECT_ABORTED' });
    expect(broker.state).toBe('disconnected');
  });
});

describe('a store', () => {
  const fails = (what: unknown): TokenStore => ({
    load: () => {
      throw what;
    },
    save: () => {
      throw what;
    },
  });

  it.each([
    ['an error', new Error(`no room for ${SECRET}`), /it threw an error$/],
    ['an error of the system', Object.assign(new Error(SECRET), { code: 'ENOSPC' }), /ENOSPC$/],
    ['no error', SECRET, /something that is no error$/],
  ])('that throws %s is told, without its words; the attempt goes on', async (_, what, message) => {
    const options = using(fails(what), NONE);
    const { server, request, connected, recorded } = await begun(options);
    expect(request).toContain('request-token');
    await server.send(accepted(options, issued('new')));
    await bind(server, options);
    await connected;
    const told = recorded.payloads.filter(
      (payload) => (payload as { code?: string } | undefined)?.code === 'TOKEN_STORE',
    );
    expect(told).toHaveLength(2);
    for (const error of told as Error[]) expect(error.message).toMatch(message);
    expect(inspect(recorded.payloads, { depth: 9 })).not.toContain(SECRET);
  });

  it.each([
    [{}],
    ['x'],
    [{ ...token(), expiry: 'x' }],
    [{ ...token(), mechanism: 'PLAIN' }],
    [{ ...token(), token: 7 }],
  ])('that gives %j gives no token', async (kept) => {
    const { mechanism, recorded } = await begun(using(new Store(kept as FastToken), NONE));
    expect(mechanism).toBe('PLAIN');
    expect(recorded.last('PCJ_PROTOCOLERROR')).toMatchObject({ code: 'TOKEN_STORE' });
  });

  it('serves two brokers with an account each', async () => {
    const kept = new Map<string, FastToken | null>();
    const store: TokenStore = { load: (of) => kept.get(of) ?? null, save: (of, one) => void kept.set(of, one) };
    const both = [using(store, NONE), using(store, NONE)];
    for (const options of both) {
      const { server, connected } = await begun(options);
      await server.send(accepted(options, issued(`of ${String(options.username)}`)));
      await bind(server, options);
      await connected;
    }
    for (const options of both) {
      const { digest } = await begun(options);
      expect(digest).toEqual(proof('Initiator', `of ${String(options.username)}`));
    }
  });
});

describe('forgetToken()', () => {
  it('modern 4: signs in beside the link, invalidates, binds nothing, and clears the store', async () => {
    const store = new Store();
    const options = using(store, NONE);
    const { server, connected, broker, peer, recorded } = await begun(options);
    await server.send(accepted(options, issued(SECRET)));
    await bind(server, options);
    await connected;
    const forgotten = broker.forgetToken();
    const other = await asked(await peer.accept());
    expect(other.request).toContain(`<fast xmlns='${NS.FAST}' invalidate='true'/>`);
    expect(other.request).not.toMatch(/<bind|<resume|request-token/);
    await other.server.send(success(data(proof('Responder')), bare(options.username)) + AFTER);
    await other.server.expect('</stream:stream>');
    await other.server.send('</stream:stream>');
    await forgotten;
    expect(store.kept).toBeNull();
    expect(recorded.last('PCJ_TOKEN')).toMatchObject({ what: 'forgotten', mechanism: 'HT-SHA-256-NONE' });
    expect(broker.state).toBe('ready');
    await broker.forgetToken(); // nothing is left to do
  });

  it('clears the store whatever the server says', async () => {
    for (const [said, code] of [
      [refusal(), null],
      [refusal('temporary-auth-failure'), 'SASL_FAILURE'],
    ] as const) {
      const store = new Store(token());
      const peer = await rig.listen();
      const { broker } = rig.broker(peer, { ...using(store, NONE), tls: { policy: 'direct' } });
      const forgotten = broker.forgetToken();
      const { server } = await asked(await peer.accept());
      await server.send(said);
      if (code === null) await forgotten;
      else expect(await failure(forgotten)).toMatchObject({ code });
      expect(store.kept).toBeNull();
    }
  });

  it('says so when the token cannot be used there', async () => {
    const store = new Store(token({ mechanism: 'HT-SHA-256-UNIQ' }));
    const peer = await rig.listen();
    const { broker } = rig.broker(peer, { ...using(store, NONE), tls: { policy: 'direct' } });
    const forgotten = broker.forgetToken();
    await peer.accept().then(async (server) => {
      await server.expect('<stream:stream');
      await server.send(
        `<stream:stream xmlns:stream='${NS.STREAM}' xmlns='jabber:client' id='x' from='localhost' version='1.0'><stream:features/>`,
      );
    });
    expect(await failure(forgotten)).toMatchObject({ code: 'SASL_TOKEN_UNUSABLE' });
    expect(store.kept).toBeNull();
  });

  it('needs the option', async () => {
    const peer = await rig.listen();
    const { broker } = rig.broker(peer, {});
    expect(await failure(broker.forgetToken())).toMatchObject({ code: 'USAGE_FORGET_TOKEN' });
  });
});

it('S-SASL-16: neither token nor proofs in events, logs, errors or what is printed', async () => {
  const lines: unknown[] = [];
  const note = (...args: unknown[]) => void lines.push(args);
  const store = new Store(token({ previous: 'secret-previous' }));
  const options = {
    ...using(store, NONE),
    debug: true,
    logger: { debug: note, info: note, warn: note, error: note },
  };
  const { server, broker, recorded, connected, peer, digest } = await begun(options);
  await server.send(refusal());
  const again = await asked(await peer.accept());
  await again.server.send(accepted(options, data(proof('Responder', 'secret-previous')) + issued('secret-issued')));
  await bind(again.server, options);
  await connected;
  const shown = [
    inspect(lines, { depth: 9 }),
    recorded.payloads
      .map((payload) => (payload instanceof Element ? payload.toString() : inspect(payload, { depth: 9 })))
      .join(),
    inspect(broker, { depth: 9, showHidden: true }),
    inspect(broker.config, { depth: 9 }),
    JSON.stringify(broker.config),
  ].join('\n');
  expect(shown).toContain('authenticate');
  // Whoever has the broker finds no way to the store either.
  const { connectionType } = broker.config;
  expect(Object.values(connectionType).some((value) => typeof value === 'object' && !Array.isArray(value))).toBe(false);
  const secrets = [SECRET, 'secret-previous', 'secret-issued', PASSWORD, digest.toString('base64')];
  for (const secret of secrets) expect(shown).not.toContain(secret);
});
