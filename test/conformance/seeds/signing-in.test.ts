import { describe, expect, test } from 'vitest';
import { Broker, JABBERD14_COMPONENT, LEGACY, NS, routeOf, XMPP, type Dialect } from 'xmpp-broker';
import { failure } from '../../support/failure.js';
import { TAIL, trace } from '../../support/trace.js';
import { bodies, received, say, SeedsSite, useSite } from './site.js';

const site = useSite();

describe('signing in', () => {
  test('row 54: STARTTLS is used, the stream begins anew inside, and the certificate is checked', async () => {
    const broker = site.client();
    const recorded = trace(broker);
    await broker.connect();
    expect(recorded.last('PCJ_SSLSUCCESS')).toMatchObject({ verified: true });
    expect(recorded.short.filter((name) => name === 'STREAMSTART')).toHaveLength(3);
    const stranger = site.client('alice', { tls: {} });
    expect(await failure(stranger.connect())).toMatchObject({ layer: 'tls' });
  });

  test("row 55: PLAIN and DIGEST-MD5 work; the choice is ours and not the server's order, and DIGEST-MD5 has to be asked for (RFC 6331 retired it)", async () => {
    await using own = await SeedsSite.start({ mechanisms: ['DIGEST-MD5', 'PLAIN', 'SCRAM-SHA-256'] });
    const used = async (dialect: Dialect) => {
      const broker = own.client('alice', { connectionType: dialect });
      const recorded = trace(broker);
      await broker.connect();
      return recorded.last('PCJ_AUTHSUCCESS');
    };
    expect(await used(XMPP)).toEqual({ mechanism: 'SCRAM-SHA-256', profile: 'sasl' });
    expect(await used(XMPP.with({ mechanisms: ['DIGEST-MD5'] }))).toEqual({ mechanism: 'DIGEST-MD5', profile: 'sasl' });
    expect(await used(XMPP.with({ mechanisms: ['PLAIN'] }))).toEqual({ mechanism: 'PLAIN', profile: 'sasl' });
  });

  test("row 56: a resource is bound, and the server's word on our address counts", async () => {
    await using own = await SeedsSite.start({ bind: { assigned: true } });
    const broker = await own.ready(own.client('alice', { resource: 'wanted' }));
    expect(broker.jid?.bare().toString()).toBe('alice@localhost');
    expect(broker.jid?.resource).not.toBe('wanted');
  });

  test("row 57: a taken resource is replaced; by the server's choice, a bounded number of times, and not by random ones without end", async () => {
    await using own = await SeedsSite.start({ bind: { conflict: 'refuse' } });
    const first = await own.ready(own.client('alice', { resource: 'taken' }));
    const second = await own.ready(own.client('alice', { resource: 'taken' }));
    expect(first.state).toBe('ready');
    expect(second.jid?.resource).not.toBe('taken');
  });

  test('row 58: a session is asked for if the server wants one', async () => {
    await using own = await SeedsSite.start({ bind: { session: 'required' } });
    const broker = own.client();
    const recorded = trace(broker);
    await broker.connect();
    expect(recorded.short).toContain('SESSIONNEGOTIATE');
    expect(recorded.short).toContain('SESSIONSUCCESS');
    expect(recorded.short.indexOf('SESSIONSUCCESS')).toBeLessThan(recorded.short.indexOf('READY'));
  });

  test('row 59: failures of TLS, authentication and binding are events of their own, with the reason, then an orderly close', async () => {
    const cases: [Broker, string, object][] = [
      [site.client('alice', { tls: {} }), 'SSLFAIL', { layer: 'tls' }],
      [site.client('alice', { password: 'wrong' }), 'AUTHFAIL', { condition: 'not-authorized' }],
      [site.legacy('alice', { password: 'wrong' }), 'AUTHFAIL', { condition: 'not-authorized' }],
      [site.component('comp.localhost', { password: 'wrong' }), 'AUTHFAIL', { condition: 'not-authorized' }],
    ];
    const holder = await site.ready(site.service('taken.localhost'));
    cases.push([site.service('taken.localhost'), 'BINDFAIL', { condition: 'conflict' }]);
    for (const [broker, event, facts] of cases) {
      const recorded = trace(broker);
      expect(await failure(broker.connect())).toMatchObject(facts);
      expect(recorded.short).toContain(event);
      // No XML goes out once a TLS handshake has begun, so there is no end of the stream then.
      const tail = event === 'SSLFAIL' ? TAIL.slice(1) : TAIL;
      expect(recorded.short.slice(recorded.short.indexOf(event) + 1)).toEqual(tail);
    }
    expect(holder.state).toBe('ready');
  });

  test('row 60: jabber:iq:auth with a digest; the password itself only over verified TLS, or when the option says so', async () => {
    const broker = site.legacy('alice', { connectionType: LEGACY.with({ methods: ['digest'] }) });
    const recorded = trace(broker);
    await broker.connect();
    expect(recorded.last('PCJ_AUTHSUCCESS')).toEqual({ mechanism: 'digest' });
    const plain = LEGACY.with({ methods: ['password'] });
    await site.ready(site.legacy('bob', { connectionType: plain }));
    const clear = site.legacy('bob', { connectionType: plain, tls: { policy: 'disabled' } });
    expect(await failure(clear.connect())).toMatchObject({ code: 'LEGACY_PLAINTEXT_REFUSED' });
    const allowed = plain.with({ allowPlaintextPassword: 'over-unverified-link' });
    await site.ready(site.legacy('bob', { connectionType: allowed, tls: { policy: 'disabled' } }));
  });

  test('row 61: the methods of jabber:iq:auth are asked for; zero-knowledge before digest before the password', async () => {
    const used: unknown[] = [];
    for (const methods of [['password', 'digest', '0k'], ['password', 'digest'], ['password']] as const) {
      await using own = await SeedsSite.start({ legacy: { methods } });
      const broker = own.legacy();
      const recorded = trace(broker);
      await broker.connect();
      used.push(recorded.last('PCJ_AUTHSUCCESS'));
    }
    expect(used).toEqual([{ mechanism: 'zero-k' }, { mechanism: 'digest' }, { mechanism: 'password' }]);
  });

  test('row 62: the handshake of a component; its address is its name, which is also the default sender', async () => {
    const { broker, peer } = await site.pair();
    expect(broker.jid?.toString()).toBe('comp.localhost');
    const arrived = received(peer, 1);
    broker.output(say('peer.localhost', 'x'));
    expect((await arrived)[0]?.getAttribute('from')).toBe('comp.localhost');
  });

  test('row 63: a service at the jabberd2 router: TLS, SASL, a name; stanzas arrive after that, and routes are made for them', async () => {
    const service = await site.ready(site.service());
    const peer = await site.ready(site.component('peer.localhost'));
    expect(service.jid?.toString()).toBe('svc.localhost');
    const [there, back] = [received(service, 1), received(peer, 1)];
    peer.output(say('svc.localhost', 'there'));
    service.output(say('peer.localhost', 'back'));
    const [stanza] = await there;
    expect([bodies(await there), bodies(await back)]).toEqual([['there'], ['back']]);
    expect(routeOf(stanza!)?.localName).toBe('route');
  });

  test('row 64: a dialect is a plug-in: namespace, version and one function', async () => {
    const noted: string[] = [];
    const mine: Dialect = {
      name: 'MINE',
      xmlns: NS.COMPONENT_ACCEPT,
      defaultTls: 'loopback',
      addressing: 'domain',
      negotiate: async (session) => {
        noted.push('mine');
        return JABBERD14_COMPONENT.negotiate(session);
      },
    };
    const broker = site.component('comp.localhost', { connectionType: mine });
    await broker.connect();
    await broker.reconnect();
    expect(noted).toEqual(['mine', 'mine']);
    expect(broker.state).toBe('ready');
  });
});
