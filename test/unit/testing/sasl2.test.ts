import { createHmac, randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import {
  Broker,
  NS,
  PCJ_NODERECEIVED,
  PCJ_READY,
  xml,
  XMPP,
  type BrokerOptions,
  type FastToken,
  type TokenStore,
} from 'xmpp-broker';
import { LoopbackServer, type LoopbackOptions } from 'xmpp-broker/testing';
import { trace } from '../../support/trace.js';
import { ACCOUNTS, RawClient } from './raw-client.js';

const SASL2: LoopbackOptions = { ...ACCOUNTS, sasl2: {} };

/** A client inside TLS that has said who it is, and its features. */
async function secured(server: LoopbackServer, from = 'alice@localhost'): Promise<RawClient> {
  const client = await RawClient.dial(server, server.ports.clientDirectTls);
  await client.wire.startTlsAsClient({ ca: server.ca, servername: server.domain });
  await client.send(RawClient.header('localhost').replace(/>$/, ` from='${from}'>`));
  client.features = await client.expect('</stream:features>');
  return client;
}

const plain = Buffer.from('\0alice\0secret').toString('base64');
const agent = (id: string) => `<user-agent id='${id}'/>`;

/** `<authenticate/>`, with what else is asked for. */
const authenticate = (inner = '', mechanism = 'PLAIN', initial = plain) =>
  `<authenticate xmlns='${NS.SASL2}' mechanism='${mechanism}'><initial-response>${initial}</initial-response>${inner}</authenticate>`;

/** Signs in and gives success. */
async function success(client: RawClient, ...asked: Parameters<typeof authenticate>): Promise<string> {
  await client.send(authenticate(...asked));
  return client.expect('</success>');
}

const options = (server: LoopbackServer, more: Partial<BrokerOptions> = {}): BrokerOptions => ({
  connectionType: XMPP,
  host: server.host,
  port: server.ports.client,
  domain: 'localhost',
  username: 'alice',
  password: 'secret',
  tls: { ca: server.ca },
  reconnect: { resumeDelayMs: 1, firstDelayMs: 1, maxDelayMs: 1 },
  logger: false,
  ...more,
});

describe('the offer', () => {
  test('modern 1: inside TLS only, and only when told', async () => {
    await using off = await LoopbackServer.start(ACCOUNTS);
    expect((await secured(off)).features).not.toContain(NS.SASL2);
    await using server = await LoopbackServer.start(SASL2);
    const clear = await RawClient.dial(server);
    expect(await clear.open()).not.toContain(NS.SASL2);
    const { features } = await secured(server);
    expect(features).toContain(
      `<inline><bind xmlns='${NS.BIND2}'><inline><feature var='${NS.SM}'/></inline></bind><sm xmlns='${NS.SM}'/><fast xmlns='${NS.FAST}'>`,
    );
    for (const name of ['HT-SHA-512-EXPR', 'HT-SHA-256-ENDP', 'HT-SHA-256-NONE']) expect(features).toContain(name);
    expect(features).not.toContain('UNIQ');
  });

  test.each([
    [{ bind2: false }, { streamManagement: { resume: false } }, '<inline><fast'],
    [{ fast: false }, { streamManagement: false }, `<inline><bind xmlns='${NS.BIND2}'><inline/></bind></inline>`],
    [{ fast: { mechanisms: ['HT-SHA-256-NONE'] } }, {}, '<mechanism>HT-SHA-256-NONE</mechanism></fast>'],
  ] as const)('%j', async (sasl2, more, expected) => {
    await using server = await LoopbackServer.start({ ...ACCOUNTS, sasl2, ...more });
    expect((await secured(server)).features).toContain(expected);
  });

  test('S-S2-6: tokens are for those who have said who they are', async () => {
    await using server = await LoopbackServer.start(SASL2);
    expect((await secured(server, 'localhost')).features).not.toContain('<fast');
  });
});

describe('a sign-in', () => {
  test('modern 1: success, then features on the same stream, then binding', async () => {
    await using server = await LoopbackServer.start(SASL2);
    const client = await secured(server);
    expect(await success(client)).toContain(
      `<success xmlns='${NS.SASL2}'><authorization-identifier>alice@localhost</authorization-identifier>`,
    );
    expect(await client.expect('</stream:features>')).toContain(NS.BIND);
    expect(await client.bind('desk')).toBe('alice@localhost/desk');
  });

  test.each([
    ['a wrong password', authenticate('', 'PLAIN', Buffer.from('\0alice\0no').toString('base64')), 'not-authorized'],
    ['a mechanism that is not offered', authenticate('', 'X-1'), 'invalid-mechanism'],
    ['a token without <fast/>', authenticate('', 'HT-SHA-256-NONE'), 'invalid-mechanism'],
    [
      '<fast/> without a user agent',
      authenticate(`<fast xmlns='${NS.FAST}'/>`, 'HT-SHA-256-NONE'),
      'invalid-mechanism',
    ],
    [
      'an unknown token',
      authenticate(`${agent('a')}<fast xmlns='${NS.FAST}'/>`, 'HT-SHA-256-NONE'),
      'malformed-request',
    ],
    ['no mechanism', `<authenticate xmlns='${NS.SASL2}'/>`, 'invalid-mechanism'],
  ])('%s fails, and leaves the stream for another try', async (_, said, condition) => {
    await using server = await LoopbackServer.start(SASL2);
    const client = await secured(server);
    await client.send(said);
    expect(await client.expect('</failure>')).toContain(
      `<failure xmlns='${NS.SASL2}'><${condition} xmlns='${NS.SASL}'/>`,
    );
    expect(await success(client)).toContain('alice@localhost');
  });

  test('<abort/>', async () => {
    await using server = await LoopbackServer.start(SASL2);
    const client = await secured(server);
    await client.send(`<authenticate xmlns='${NS.SASL2}' mechanism='PLAIN'/>`);
    await client.expect(/<challenge [^>]*\/>/);
    await client.send(`<abort xmlns='${NS.SASL2}'/>`);
    expect(await client.expect('</failure>')).toContain('<aborted ');
  });

  test('in clear it is no way to sign in', async () => {
    await using server = await LoopbackServer.start(SASL2);
    const client = await RawClient.dial(server);
    await client.open();
    await client.send(authenticate());
    await client.expect('<not-authorized');
  });

  test('modern 2: the resource begins with the tag and is that of the user agent; the older one is replaced', async () => {
    await using server = await LoopbackServer.start(SASL2);
    const bind = `<bind xmlns='${NS.BIND2}'><tag>desk</tag><enable xmlns='${NS.SM}' resume='true'/></bind>`;
    const addressed = async (id: string | null) => {
      const client = await secured(server);
      const said = await success(client, (id === null ? '' : agent(id)) + bind);
      expect(said).toMatch(/<bound [^>]*><enabled [^>]*resume='true'[^>]*\/><\/bound>/);
      expect(await client.expect('</stream:features>')).not.toContain(NS.BIND);
      return { client, resource: /\/([^<]+)<\/authorization/.exec(said)?.[1] ?? '' };
    };
    const id = randomUUID();
    const first = await addressed(id);
    expect(first.resource).toMatch(/^desk~/);
    expect((await addressed(id)).resource).toBe(first.resource);
    await first.client.expect('<conflict');
    expect((await addressed(randomUUID())).resource).not.toBe(first.resource);
    expect((await addressed(null)).resource).not.toBe((await addressed(null)).resource);
  });

  test('modern 2: a tag that can be in no address', async () => {
    await using server = await LoopbackServer.start(SASL2);
    const client = await secured(server);
    const said = await success(client, `<bind xmlns='${NS.BIND2}'><tag>${'x'.repeat(1100)}</tag></bind>`);
    expect(said).toContain(`<failed xmlns='${NS.BIND2}'/>`);
    expect(await client.expect('</stream:features>')).toContain(NS.BIND);
  });

  test('modern 3: resumes, sends again what was not acknowledged, and no features', async () => {
    await using server = await LoopbackServer.start(SASL2);
    const bind = `<bind xmlns='${NS.BIND2}'><enable xmlns='${NS.SM}' resume='true'/></bind>`;
    const first = await secured(server);
    const said = await success(first, bind);
    const id = /<enabled [^>]*id='([^']+)'/.exec(said)?.[1] ?? '';
    const jid = /identifier>([^<]+)</.exec(said)?.[1] ?? '';
    server.inject(jid, xml('message', { xmlns: NS.CLIENT, id: 'missed' }));
    server.cut(jid);
    const again = await secured(server);
    const resumed = await success(again, `<resume xmlns='${NS.SM}' previd='${id}' h='0'/>${bind}`);
    expect(resumed).toMatch(/^<success [^>]*><resumed [^>]*h='0'[^>]*\/><authorization-identifier>/);
    expect(resumed).toContain(jid);
    expect(resumed).not.toContain('<bound');
    expect(await again.expect(/<r [^>]*>/)).toMatch(/^<message [^>]*id='missed'[^>]*\/><r /);
    const unknown = await secured(server);
    expect(await success(unknown, `<resume xmlns='${NS.SM}' previd='none' h='0'/>${bind}`)).toMatch(
      /<failed xmlns='urn:xmpp:sm:3'><item-not-found [^>]*\/><\/failed><bound /,
    );
  });
});

describe('tokens', () => {
  const fast = `<fast xmlns='${NS.FAST}'/>`;
  const request = `<request-token xmlns='${NS.FAST}' mechanism='HT-SHA-256-NONE'/>`;
  const tokenIn = (said: string) => /<token [^>]*token='([^']+)'/.exec(said)?.[1] ?? null;
  const message = (token: string, side = 'Initiator') =>
    Buffer.concat([Buffer.from('alice\0'), createHmac('sha256', token).update(side).digest()]).toString('base64');

  async function tried(server: LoopbackServer, token: string, inner: string): Promise<string> {
    const client = await secured(server);
    await client.send(authenticate(inner, 'HT-SHA-256-NONE', message(token)));
    return client.expect(/<\/success>|<\/failure>/);
  }

  test('S-S2-6: issued, used, proved, rotated, expired and forgotten', async () => {
    await using server = await LoopbackServer.start({ ...ACCOUNTS, sasl2: { fast: { rotateSeconds: 0 } } });
    const me = agent('me');
    const issued = await success(await secured(server), me + request);
    const first = tokenIn(issued) ?? '';
    expect(first).toMatch(/^secret-token:/);
    expect(issued).toMatch(/ expiry='\d{4}-\d\d-\d\dT[\d:.]+Z'/);
    const used = await tried(server, first, me + fast);
    expect(used).toContain(
      `<additional-data>${createHmac('sha256', first).update('Responder').digest('base64')}</additional-data>`,
    );
    const second = tokenIn(used) ?? '';
    expect(second).not.toBe(first);
    // The old one is good until the new one was used.
    const third = tokenIn(await tried(server, first, me + fast)) ?? '';
    expect(await tried(server, second, me + fast)).toContain('<not-authorized');
    expect(tokenIn(await tried(server, third, me + fast))).not.toBeNull();
    expect(await tried(server, first, me + fast)).toContain('<not-authorized');
    expect(await tried(server, third, agent('you') + fast)).toContain('<not-authorized');
    const gone = await tried(server, third, `${me}<fast xmlns='${NS.FAST}' invalidate='true'/>`);
    expect(gone).toContain('alice@localhost');
    expect(tokenIn(gone)).toBeNull();
    expect(await tried(server, third, me + fast)).toContain('<not-authorized');
    const last = tokenIn(await success(await secured(server), me + request)) ?? '';
    server.setAccount('alice', 'secret');
    expect(await tried(server, last, me + fast)).toContain('<not-authorized');
  });

  test('S-S2-6: an expired token says so once', async () => {
    await using server = await LoopbackServer.start({ ...ACCOUNTS, sasl2: { fast: { seconds: 1 } } });
    const token = tokenIn(await success(await secured(server), agent('me') + request)) ?? '';
    await expect
      .poll(() => tried(server, token, agent('me') + fast), { timeout: 10_000, interval: 300 })
      .toContain('<credentials-expired');
    expect(await tried(server, token, agent('me') + fast)).toContain('<not-authorized');
  });

  test('S-S2-6: none without a user agent, and none for a mechanism that is not offered', async () => {
    await using server = await LoopbackServer.start(SASL2);
    expect(tokenIn(await success(await secured(server), request))).toBeNull();
    const other = `<request-token xmlns='${NS.FAST}' mechanism='HT-SHA-256-UNIQ'/>`;
    expect(tokenIn(await success(await secured(server), agent('me') + other))).toBeNull();
  });
});

describe('a broker', () => {
  test.each([
    ['new', {}, 'SCRAM-SHA-512-PLUS'],
    ['with Bind 2', { connectionType: XMPP.with({ bind2: 'on' }) }, 'SCRAM-SHA-512-PLUS'],
    ['by direct TLS', { tls: 'direct' }, 'SCRAM-SHA-512-PLUS'],
  ] as const)('modern 1, 3: signs in %s and resumes, missing nothing', async (_, how, mechanism) => {
    await using server = await LoopbackServer.start({ ...SASL2, sasl: { signOffer: true } });
    const { tls, ...more } = { tls: undefined, ...how };
    const direct = { port: server.ports.clientDirectTls, tls: { ca: server.ca, policy: 'direct' as const } };
    await using broker = new Broker(options(server, { ...more, ...(tls === undefined ? {} : direct) }));
    const recorded = trace(broker);
    await broker.connect();
    expect(recorded.last('PCJ_AUTHSUCCESS')).toEqual({ mechanism, profile: 'sasl2' });
    const ready = broker.events.once(PCJ_READY);
    const arrived = broker.events.once(PCJ_NODERECEIVED);
    const jid = broker.jid?.toString() ?? '';
    const closed = server.events.once('closed');
    server.cut(jid);
    await closed;
    server.route(xml('message', { xmlns: NS.CLIENT, from: 'bob@localhost', to: jid, id: 'missed' }));
    expect(await ready).toMatchObject({ resumed: true });
    expect((await arrived).getAttribute('id')).toBe('missed');
    expect(recorded.names).not.toContain('PCJ_PROTOCOLERROR');
  });

  test('modern 4: signs in with tokens that the server rotates, and forgets them', async () => {
    await using server = await LoopbackServer.start({ ...ACCOUNTS, sasl2: { fast: { rotateSeconds: 0 } } });
    let kept: FastToken | null = null;
    const load = () => kept;
    const store: TokenStore = { load, save: (_, token) => void (kept = token) };
    await using broker = new Broker(options(server, { connectionType: XMPP.with({ fast: { store } }) }));
    const mechanisms: string[] = [];
    server.subscribe('authenticated', ({ mechanism }) => void mechanisms.push(mechanism));
    for (let times = 0; times < 3; times++) {
      await broker.connect();
      await broker.shutdown();
    }
    expect(mechanisms).toEqual(['SCRAM-SHA-512-PLUS', 'HT-SHA-512-EXPR', 'HT-SHA-512-EXPR']);
    expect(load()?.previous).not.toBe(load()?.token);
    await broker.forgetToken();
    expect(load()).toBeNull();
    await broker.connect();
    expect(mechanisms.slice(3)).toEqual(['HT-SHA-512-EXPR', 'SCRAM-SHA-512-PLUS']);
  });
});
