import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { Element, NS, XMPP, type BrokerOptions } from 'xmpp-broker';
import { CLIENT, greet, iqId, JID, PASSWORD } from './support/client.js';
import {
  BIND,
  type Conversation,
  type Dialled,
  failure,
  features,
  mechanisms,
  OPENING,
  streamHeader,
  TAIL,
  useRig,
} from './support/index.js';

const rig = useRig(CLIENT);

const base64 = (text: string) => Buffer.from(text).toString('base64');
const sasl = (name: string, content = '') => `<${name} xmlns='${NS.SASL}'>${content}</${name}>`;
const FAILED = ['AUTHFAIL', ...TAIL];

/** A client at the point of choosing a mechanism. */
async function offered(offer: string, options: Partial<BrokerOptions> = {}): Promise<Dialled> {
  const client = await rig.dialled({ connectionType: XMPP.with({}), ...options });
  await greet(client.server, offer, { id: 'a' });
  return client;
}

/** The text of the next element of the exchange. */
async function said(server: Conversation, name: string): Promise<{ mechanism: string; text: string }> {
  const [, attributes = '', content = ''] = await server.match(new RegExp(`<${name}([^>]*)>([^<]*)</${name}>`));
  return {
    mechanism: / mechanism='([^']+)'/.exec(attributes)?.[1] ?? '',
    text: Buffer.from(content, 'base64').toString(),
  };
}

/** Plays SCRAM-SHA-256 up to the client's proof; `signature` is what the server has to answer with. */
async function scram(server: Conversation, password = PASSWORD): Promise<{ signature: string; proven: boolean }> {
  const { text } = await said(server, 'auth');
  const bare = text.replace(/^[^,]*,[^,]*,/, '');
  const nonce = `${/r=(.*)$/.exec(bare)?.[1] ?? ''}server`;
  const salt = Buffer.from('a salt of the server');
  const first = `r=${nonce},s=${salt.toString('base64')},i=4096`;
  await server.send(sasl('challenge', base64(first)));
  const { text: final } = await said(server, 'response');
  const [withoutProof = '', proof = ''] = final.split(',p=');
  const message = `${bare},${first},${withoutProof}`;
  const salted = pbkdf2Sync(password, salt, 4096, 32, 'sha256');
  const hmac = (key: Buffer, data: string) => createHmac('sha256', key).update(data).digest();
  const clientKey = hmac(salted, 'Client Key');
  const signed = hmac(createHash('sha256').update(clientKey).digest(), message);
  const expected = Buffer.from(clientKey.map((byte, at) => byte ^ (signed[at] ?? 0))).toString('base64');
  return { signature: hmac(hmac(salted, 'Server Key'), message).toString('base64'), proven: proof === expected };
}

describe('a sign-in', () => {
  it('S-SASL-11: with SCRAM: proof, counterproof, then a new stream whose features count', async () => {
    const { server, connected, recorded } = await offered(features(mechanisms('PLAIN', 'SCRAM-SHA-256'), BIND));
    const { signature, proven } = await scram(server);
    expect(proven).toBe(true);
    await server.send(sasl('success', base64(`v=${signature}`)));
    await greet(server, features(BIND, mechanisms('PLAIN')), { id: 'b' });
    const id = await iqId(server);
    await server.send(`<iq type='result' id='${id}'><bind xmlns='${NS.BIND}'><jid>${JID}</jid></bind></iq>`);
    await connected;
    // Mechanisms that are offered behind success are not used.
    expect(server.received.toString().split('<auth ')).toHaveLength(2);
    expect(recorded.last('PCJ_AUTHSUCCESS')).toEqual({ mechanism: 'SCRAM-SHA-256', profile: 'sasl' });
  });

  it('S-SASL-6: the counterproof as a last challenge', async () => {
    const { server, connected, recorded } = await offered(features(mechanisms('SCRAM-SHA-256')));
    const { signature } = await scram(server);
    await server.send(sasl('challenge', base64(`v=${signature}`)));
    await server.expect(/<response [^>]*(\/>|><\/response>)/);
    await server.send(sasl('success'));
    await server.expect(OPENING);
    expect(recorded.short).toContain('AUTHSUCCESS');
    server.reset();
    await failure(connected);
  });

  it('S-SASL-12: no authorization identity unless one is wanted', async () => {
    const without = await offered(features(mechanisms('PLAIN')), {
      connectionType: XMPP.with({ mechanisms: ['PLAIN'] }),
    });
    expect((await said(without.server, 'auth')).text).toBe(`\0alice\0${PASSWORD}`);
    const wanted = await offered(features(mechanisms('PLAIN')), {
      connectionType: XMPP.with({ mechanisms: ['PLAIN'], authzid: 'boss@localhost' }),
    });
    expect((await said(wanted.server, 'auth')).text).toBe(`boss@localhost\0alice\0${PASSWORD}`);
  });

  it('S-SASL-16: neither events nor errors nor inspect show credentials', async () => {
    const { server, connected, broker, recorded } = await offered(features(mechanisms('PLAIN')), {
      connectionType: XMPP.with({ mechanisms: ['PLAIN'] }),
    });
    await server.expect('</auth>');
    await server.send(sasl('failure', '<not-authorized/>'));
    const error = await failure(connected);
    const shown =
      recorded.payloads
        .map((payload) => (payload instanceof Element ? payload.toString() : inspect(payload, { depth: 9 })))
        .join() +
      inspect(broker, { depth: 9, showHidden: true }) +
      inspect(error, { depth: 9 });
    expect(shown).not.toContain(PASSWORD);
    expect(shown).not.toContain(base64(`\0alice\0${PASSWORD}`));
    expect(recorded.short).toContain('NODESENT(auth)');
  });
});

describe('success games', () => {
  it.each([
    ['right behind the features', null, sasl('success')],
    ['behind <auth/>', '</auth>', sasl('success')],
    ['behind <auth/>, with data', '</auth>', sasl('success', base64('v=AAAA'))],
    ['in another namespace', '</auth>', "<success xmlns='jabber:client'/>"],
  ])('S-SASL-9 A-NEG-3: %s', async (_, after, bytes) => {
    const { server, connected, recorded } = await rig.dialled({ connectionType: XMPP.with({}) });
    await server.expect(OPENING);
    await server.send(streamHeader() + features(mechanisms('SCRAM-SHA-256')) + (after === null ? bytes : ''));
    if (after !== null) {
      await server.expect(after);
      await server.send(bytes);
    }
    const error = await failure(connected);
    expect(['SASL_SERVER_NOT_AUTHENTICATED', 'SASL_UNEXPECTED', 'SCRAM_SERVER_SIGNATURE']).toContain(error.code);
    expect(recorded.short.slice(-5)).toEqual(FAILED);
    expect(recorded.short).not.toContain('AUTHSUCCESS');
  });

  it.each([
    ['no signature', ''],
    ['a wrong signature', base64(`v=${Buffer.alloc(32).toString('base64')}`)],
    ['half a signature', base64('v=AAAA')],
    ['an error', base64('e=invalid-proof')],
  ])('S-SCRAM-6 S-SCRAM-7 A-NEG-3: success with %s: nothing is said on that stream any more', async (_, data) => {
    const { server, connected, recorded } = await offered(features(mechanisms('SCRAM-SHA-256')));
    await scram(server);
    await server.send(sasl('success', data));
    expect(await failure(connected)).toMatchObject({ layer: 'sasl', phase: 'auth' });
    expect(await server.expectEnd()).toBe('</stream:stream>');
    expect(recorded.short.slice(-5)).toEqual(FAILED);
  });

  it('A-NEG-3: a success with a whole new stream behind it is read when our header is out', async () => {
    const { server, connected } = await offered(features(mechanisms('PLAIN')), {
      connectionType: XMPP.with({ mechanisms: ['PLAIN'] }),
    });
    await server.expect('</auth>');
    await server.send(sasl('success') + streamHeader({ id: 'b' }) + features(BIND));
    await server.expect(OPENING);
    const id = await iqId(server);
    await server.send(`<iq type='result' id='${id}'><bind xmlns='${NS.BIND}'><jid>${JID}</jid></bind></iq>`);
    await connected;
  });
});

describe('failures', () => {
  it.each([
    ['not-authorized', false],
    ['account-disabled', false],
    ['credentials-expired', false],
    ['temporary-auth-failure', true],
    ['made-up', false],
  ])('S-SASL-8 S-CONN-9: %s', async (condition, retryable) => {
    const { server, broker, recorded } = await offered(features(mechanisms('SCRAM-SHA-1', 'PLAIN')), {
      reconnect: { initial: true, firstDelayMs: 60_000 },
    });
    await server.expect('</auth>');
    await server.send(sasl('failure', `<${condition}/><text>whatever not-authorized</text>`));
    await broker.events.once(retryable ? 'PCJ_RECONNECTING' : 'PCJ_SHUTDOWN_FINISH');
    expect(recorded.last('PCJ_AUTHFAIL')).toMatchObject({
      code: 'SASL_FAILURE',
      condition: condition === 'made-up' ? 'not-authorized' : condition,
      retryable,
    });
    // S-SASL-3: a refused SCRAM never leads to PLAIN in the same attempt.
    expect(server.received.toString().split('<auth ')).toHaveLength(2);
  });

  it.each([
    ['no mechanisms at all', features(BIND)],
    ['an empty list', features(mechanisms())],
    ['only unknown ones', features(mechanisms('X-GSSAPI', 'scram-sha-256', 'SCRAM-SHA-3'))],
    ['a thousand', features(mechanisms(...Array.from({ length: 1_000 }, (_, n) => `X-${String(n)}`)))],
    ['a name of 100 KiB', features(mechanisms(`X-${'A'.repeat(100_000)}`))],
  ])('S-SASL-13 S-SASL-14 A-NEG-8: %s: the stream is closed, nobody waits', async (_, offer) => {
    const { server, connected, recorded } = await offered(offer);
    expect(await failure(connected)).toMatchObject({ code: 'SASL_NO_ACCEPTABLE_MECHANISM', retryable: false });
    await server.expect('</stream:stream>');
    expect(server.received.toString()).not.toContain('<auth');
    expect(recorded.short.slice(-4)).toEqual(TAIL);
  });

  it('S-SASL-3 A-NEG-8: SCRAM stripped from a second offer: PLAIN is refused', async () => {
    const connectionType = XMPP.with({});
    const first = await offered(features(mechanisms('SCRAM-SHA-256', 'PLAIN')), { connectionType });
    const { signature } = await scram(first.server);
    await first.server.send(sasl('success', base64(`v=${signature}`)));
    await first.server.expect(OPENING);
    first.server.reset();
    await failure(first.connected);
    const second = await offered(features(mechanisms('PLAIN')), { connectionType });
    expect(await failure(second.connected)).toMatchObject({ code: 'SASL_DOWNGRADE', retryable: false });
    expect(second.server.received.toString()).not.toContain('<auth');
  });

  it('S-SASL-10 A-NEG-11: challenges without end', async () => {
    const { server, connected } = await offered(features(mechanisms('SCRAM-SHA-256')));
    await server.expect('</auth>');
    await server.send(sasl('challenge', base64('r=x')).repeat(1_000));
    expect(await failure(connected)).toMatchObject({ layer: 'sasl' });
    await server.expect('<abort');
  });

  it('A-NEG-9: an iteration count that would keep the processor busy is refused before anything is computed', async () => {
    const { server, connected } = await offered(features(mechanisms('SCRAM-SHA-256')));
    const { text } = await said(server, 'auth');
    const nonce = /r=(.*)$/.exec(text)?.[1] ?? '';
    await server.send(sasl('challenge', base64(`r=${nonce}x,s=${base64('salt')},i=2147483647`)));
    const before = process.cpuUsage();
    expect(await failure(connected)).toMatchObject({ code: 'SCRAM_ITERATIONS' });
    const { user, system } = process.cpuUsage(before);
    expect(user + system).toBeLessThan(2_000_000);
  });

  it('S-CB-4: each attempt has a connection of its own', async () => {
    const peer = await rig.listen();
    const { broker } = rig.broker(peer, {
      connectionType: XMPP.with({}),
      tls: { policy: 'direct' },
      reconnect: { initial: true, firstDelayMs: 1, maxDelayMs: 1, maxAttempts: 1 },
    });
    const connected = broker.connect();
    for (let attempt = 0; attempt < 2; attempt++) {
      const server = await peer.accept();
      await greet(server, features(mechanisms('SCRAM-SHA-256')));
      await server.expect('</auth>');
      await server.send(sasl('failure', '<temporary-auth-failure/>'));
      expect(await server.expectEnd()).toBe('</stream:stream>');
      server.end();
    }
    expect(await failure(connected)).toMatchObject({ condition: 'temporary-auth-failure' });
    expect(peer.conversations).toHaveLength(2);
  });

  it('a server that never answers', async () => {
    const { server, connected } = await offered(features(mechanisms('SCRAM-SHA-256')), {
      timeouts: { auth: 60, close: 50 },
    });
    await server.expect('</auth>');
    expect(await failure(connected)).toMatchObject({ code: 'SASL_TIMEOUT', phase: 'auth', retryable: true });
  });
});
