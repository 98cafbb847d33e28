import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { LoopbackServer, type LoopbackOptions } from 'xmpp-broker/testing';
import type { BindingPlan } from '../../../src/protocols/sasl/binding-plan.js';
import type { MechanismSettings } from '../../../src/protocols/sasl/mechanism.js';
import { makeOffer } from '../../../src/protocols/sasl/offer.js';
import { SCRAM } from '../../../src/protocols/sasl/scram.js';
import { MechanismRun } from '../protocols/sasl/support.js';
import { ACCOUNTS, RawClient } from './raw-client.js';

const b64 = (text: string) => Buffer.from(text).toString('base64');

/** A client before authentication, inside TLS. */
async function secured(server: LoopbackServer): Promise<RawClient> {
  const client = await RawClient.dial(server);
  await client.open();
  await client.starttls();
  await client.open();
  return client;
}

async function text(client: RawClient, element: 'challenge' | 'success'): Promise<string> {
  const [, data = ''] = await client.wire.match(new RegExp(`<${element} [^>]*>([^<]*)</${element}>`));
  return Buffer.from(data, 'base64').toString();
}

type Hash = 'sha1' | 'sha256' | 'sha512';
const NAMES: Record<Hash, string> = { sha1: 'SCRAM-SHA-1', sha256: 'SCRAM-SHA-256', sha512: 'SCRAM-SHA-512' };

/** What is said about channel binding: the flag, or the data of a type. */
type Binding = 'n' | 'y' | NonNullable<BindingPlan['chosen']>;

/** The library's own client, which checks the server's signature and what it signs of its offer. */
function scramClient(client: RawClient, hash: Hash, binding: Binding = 'n', own: Partial<MechanismSettings> = {}) {
  const plus = typeof binding !== 'string';
  const offered = (pattern: RegExp) => [...client.features.matchAll(pattern)].map(([, name = '']) => name);
  const types = client.features.includes('<sasl-channel-binding') ? offered(/ type='([^']+)'/g) : null;
  return new MechanismRun(
    SCRAM.find(({ name }) => name === NAMES[hash] + (plus ? '-PLUS' : ''))!,
    {
      domain: 'localhost',
      username: 'alice',
      password: 'secret',
      offer: makeOffer(offered(/<mechanism>([^<]+)</g), types),
      binding: { chosen: plus ? binding : null, flag: plus ? 'n' : binding, suspicious: false, lacks: null },
      ...own,
    },
  );
}

async function scram(...[client, ...how]: Parameters<typeof scramClient>): Promise<string> {
  const mechanism = scramClient(client, ...how);
  await client.auth(mechanism.name, (await mechanism.start())!.toString('base64'));
  for (;;) {
    const [, element = '', data = ''] = await client.wire.match(/<(challenge|success|failure) [^>]*>(.*?)<\/\1>/);
    const bytes = Buffer.from(data, 'base64');
    if (element === 'failure') return data;
    if (element === 'success') {
      await mechanism.success(bytes);
      return 'success';
    }
    await client.respond((await mechanism.challenge(bytes)).toString('base64'));
  }
}

describe('SCRAM', () => {
  test.each(['sha1', 'sha256', 'sha512'] as const)('with %s, in clear and with each channel binding', async (hash) => {
    await using server = await LoopbackServer.start({ ...ACCOUNTS, sasl: { signOffer: true } });
    const clear = await RawClient.dial(server);
    await clear.open();
    expect(await scram(clear, hash, 'n')).toBe('success');
    clear.close();

    const exporter = await secured(server);
    const authenticated = server.events.once('authenticated');
    const data = exporter.wire.tls!.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0));
    expect(await scram(exporter, hash, { type: 'tls-exporter', data })).toBe('success');
    expect(await authenticated).toMatchObject({ username: 'alice', mechanism: `${NAMES[hash]}-PLUS` });
    exporter.close();

    const endPoint = await secured(server);
    const certificate = createHash('sha256').update(endPoint.wire.tls!.getPeerX509Certificate()!.raw).digest();
    expect(await scram(endPoint, hash, { type: 'tls-server-end-point', data: certificate })).toBe('success');
    endPoint.close();
  });

  test('with tls-unique on TLS 1.2, when it is offered', async () => {
    await using server = await LoopbackServer.start({
      ...ACCOUNTS,
      tls: { maxVersion: 'TLSv1.2' },
      sasl: { channelBindings: ['tls-unique'], listChannelBindings: false },
    });
    const client = await RawClient.dial(server);
    await client.open();
    await client.starttls();
    const features = await client.open();
    expect(features).toContain('PLUS');
    expect(features).not.toContain('sasl-channel-binding');
    const data = client.wire.tls!.getFinished()!;
    expect(await scram(client, 'sha1', { type: 'tls-unique', data })).toBe('success');
    client.close();
  });

  test('refuses a wrong password, an unknown user and wrong channel bindings alike', async () => {
    await using server = await LoopbackServer.start(ACCOUNTS);
    const wrong = Buffer.alloc(32);
    const cases = [
      ['n', { password: 'other' }],
      ['n', { username: 'nobody' }],
      [{ type: 'tls-exporter', data: wrong }, {}],
      [{ type: 'tls-unique', data: wrong }, {}],
      // Somebody took -PLUS out of what the client saw.
      ['y', {}],
    ] as const;
    for (const [binding, account] of cases) {
      const client = await secured(server);
      expect(await scram(client, 'sha256', binding, account)).toContain('<not-authorized/>');
      // The stream stays open for another try.
      expect(await scram(client, 'sha256', 'n')).toBe('success');
      client.close();
    }
  });

  test('does not tell whether a user exists', async () => {
    await using server = await LoopbackServer.start(ACCOUNTS);
    const client = await RawClient.dial(server);
    await client.open();
    const salts = [];
    for (const name of ['nobody', 'nobody', 'alice']) {
      await client.auth('SCRAM-SHA-1', b64(`n,,n=${name},r=abc`));
      const challenge = await text(client, 'challenge');
      salts.push(/^r=abc[!-+\--~]{10,},s=([A-Za-z0-9+/]{22}==),i=4096$/.exec(challenge)?.[1]);
      await client.send("<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
      await client.expect('<aborted/>');
    }
    expect(salts[0]).toBe(salts[1]);
    expect(salts).not.toContain(undefined);
    client.close();
  });

  test('signs what was offered when told so', async () => {
    await using server = await LoopbackServer.start({
      ...ACCOUNTS,
      mechanisms: ['SCRAM-SHA-1-PLUS', 'SCRAM-SHA-1'],
      sasl: { signOffer: true, channelBindings: ['tls-server-end-point', 'tls-exporter'], iterations: 5000 },
    });
    const client = await secured(server);
    await client.auth('SCRAM-SHA-1', b64('n,,n=alice,r=abc'));
    // The vector of XEP-0474 §5.1.
    expect(await text(client, 'challenge')).toMatch(/,i=5000,h=G6k\/rBLDqgOhRRaCuuatSDFkJ08=$/);
    client.close();
  });

  test('puts its signature into a challenge when told so', async () => {
    await using server = await LoopbackServer.start({ ...ACCOUNTS, sasl: { finalData: 'challenge' } });
    const client = await RawClient.dial(server);
    await client.open();
    const mechanism = scramClient(client, 'sha256');
    await client.auth('SCRAM-SHA-256', (await mechanism.start())!.toString('base64'));
    await client.respond((await mechanism.challenge(Buffer.from(await text(client, 'challenge')))).toString('base64'));
    expect(await mechanism.challenge(Buffer.from(await text(client, 'challenge')))).toHaveLength(0);
    await client.respond('');
    await client.expect(/<success [^>]*\/>/);
    client.close();
  });

  test.each([
    ['no message', ''],
    ['no nonce', 'n,,n=alice'],
    ['a mandatory extension', 'n,,m=x,n=alice,r=abc'],
    ['a bad name', 'n,,n=al=ice,r=abc'],
    ['channel binding without -PLUS', 'p=tls-exporter,,n=alice,r=abc'],
    ['another identity', 'n,a=bob@localhost,n=alice,r=abc'],
  ])('refuses %s', async (_what, message) => {
    await using server = await LoopbackServer.start(ACCOUNTS);
    const client = await secured(server);
    await client.auth('SCRAM-SHA-1', message === '' ? '=' : b64(message));
    expect(await client.expect('</failure>')).toMatch(/<malformed-request\/>|<invalid-authzid\/>/);
    client.close();
  });

  test('refuses a proof for other messages', async () => {
    await using server = await LoopbackServer.start(ACCOUNTS);
    const client = await secured(server);
    for (const change of [
      (final: string) => final.replace('c=biws', 'c=eSws'),
      (final: string) => final.replace(/,r=/, ',r=x'),
      (final: string) => final.replace(/,p=.*/, ',p=AAAA'),
      (final: string) => final.replace(/,p=.*/, ''),
    ]) {
      const mechanism = scramClient(client, 'sha1');
      await client.auth('SCRAM-SHA-1', (await mechanism.start())!.toString('base64'));
      const final = (await mechanism.challenge(Buffer.from(await text(client, 'challenge')))).toString();
      await client.respond(b64(change(final)));
      await client.expect('</failure>');
    }
    client.close();
  });
});

describe('the other mechanisms', () => {
  test('PLAIN', async () => {
    await using server = await LoopbackServer.start({ accounts: { alice: 'pass wörd' }, mechanisms: ['PLAIN'] });
    const client = await RawClient.dial(server);
    // Said by name, it is offered in clear as well.
    expect(await client.open()).toContain('<mechanism>PLAIN</mechanism>');
    for (const [message, condition] of [
      ['\0alice\0wrong', 'not-authorized'],
      ['\0nobody\0pass wörd', 'not-authorized'],
      ['bob@localhost\0alice\0pass wörd', 'invalid-authzid'],
    ] as const) {
      await client.auth('PLAIN', b64(message));
      await client.expect(`<${condition}/></failure>`);
    }
    await client.auth('PLAIN', '');
    await client.expect(/<challenge [^>]*\/>/);
    await client.respond(b64('alice@localhost\0alice\0pass wörd'));
    await client.expect('<success');
    client.close();
  });

  test('ends the stream after too many failures', async () => {
    await using server = await LoopbackServer.start({ ...ACCOUNTS, sasl: { tries: 2 } });
    const client = await RawClient.dial(server);
    await client.open();
    await client.auth('NONE', '');
    await client.expect('<invalid-mechanism/></failure>');
    await client.auth('SCRAM-SHA-1', 'QUJD===');
    await client.expect('<incorrect-encoding/></failure>');
    await client.expect('<policy-violation');
    client.close();
  });

  test('DIGEST-MD5', async () => {
    await using server = await LoopbackServer.start({ ...ACCOUNTS, mechanisms: ['DIGEST-MD5'] });
    const client = await RawClient.dial(server);
    await client.open();
    for (const [password, change, expected] of [
      ['wrong', '', '<not-authorized/>'],
      ['secret', ',nc=00000002', '<malformed-request/>'],
      ['secret', ',qop=auth-int', '<malformed-request/>'],
      ['secret', '', 'success'],
    ] as const) {
      await client.auth('DIGEST-MD5', '');
      const challenge = await text(client, 'challenge');
      const nonce = /nonce="([^"]+)"/.exec(challenge)?.[1] ?? '';
      expect(challenge).toContain('realm="localhost"');
      const md5 = (data: string | Buffer) => createHash('md5').update(data).digest();
      const session = md5(Buffer.concat([md5(`alice:localhost:${password}`), Buffer.from(`:${nonce}:cn`)])).toString(
        'hex',
      );
      const response = (operation: string) =>
        md5(`${session}:${nonce}:00000001:cn:auth:${md5(`${operation}:xmpp/localhost`).toString('hex')}`).toString(
          'hex',
        );
      const fields = `username="alice",realm="localhost",nonce="${nonce}",cnonce="cn",nc=00000001,qop=auth,digest-uri="xmpp/localhost",response=${response('AUTHENTICATE')},charset=utf-8`;
      await client.respond(
        b64(change === '' ? fields : fields.replace(new RegExp(`,${change.slice(1, 3)}[^,]*`), change)),
      );
      if (expected === 'success') expect(await text(client, 'success')).toBe(`rspauth=${response('')}`);
      else await client.expect(expected);
    }
    client.close();
  });

  test('ANONYMOUS', async () => {
    await using server = await LoopbackServer.start({ mechanisms: ['ANONYMOUS'] });
    const client = await RawClient.dial(server);
    await client.open();
    await client.auth('ANONYMOUS', '=');
    await client.expect('<success');
    await client.open();
    expect(await client.bind('x')).toMatch(/^anonymous-[0-9a-f-]{36}@localhost\/x$/);
    client.close();
  });

  test('EXTERNAL', async () => {
    await using server = await LoopbackServer.start({ ...ACCOUNTS, mechanisms: ['EXTERNAL', 'PLAIN'] });
    const without = await secured(server);
    await without.auth('EXTERNAL', '=');
    await without.expect('<invalid-mechanism/>');
    without.close();
    const { cert, key } = await server.issueClientCertificate('alice');
    const certified = async () => {
      const client = await RawClient.dial(server);
      await client.open();
      await client.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
      await client.expect(/<proceed [^>]*>/);
      await client.wire.startTlsAsClient({ ca: server.ca, servername: 'localhost', cert, key });
      expect(await client.open()).toContain('<mechanism>EXTERNAL</mechanism>');
      return client;
    };
    const client = await certified();
    await client.auth('EXTERNAL', b64('bob@localhost'));
    await client.expect('<invalid-authzid/>');
    await client.auth('EXTERNAL', '=');
    await client.expect('<success');
    await client.open();
    expect(await client.bind('x')).toBe('alice@localhost/x');
    client.close();
  });

  test('OAUTHBEARER, with the password as the token', async () => {
    await using server = await LoopbackServer.start({ ...ACCOUNTS, mechanisms: ['OAUTHBEARER'] });
    const client = await RawClient.dial(server);
    await client.open();
    await client.auth('OAUTHBEARER', b64('n,a=alice@localhost,\x01auth=Bearer other\x01\x01'));
    expect(await text(client, 'challenge')).toContain('invalid_token');
    await client.respond('AQ==');
    await client.expect('<not-authorized/>');
    await client.auth('OAUTHBEARER', b64('n,a=alice@localhost,\x01auth=Bearer secret\x01\x01'));
    await client.expect('<success');
    client.close();
  });

  test('a changed password counts from now on', async () => {
    const options: LoopbackOptions = { accounts: { alice: 'secret' } };
    await using server = await LoopbackServer.start(options);
    const client = await secured(server);
    expect(await scram(client, 'sha1', 'n', { password: 'fresh' })).toContain('not-authorized');
    server.setAccount('alice', 'fresh');
    expect(await scram(client, 'sha1', 'n')).toContain('not-authorized');
    expect(await scram(client, 'sha1', 'n', { password: 'fresh' })).toBe('success');
    server.setAccount('alice', null);
    const other = await secured(server);
    expect(await scram(other, 'sha1', 'n', { password: 'fresh' })).toContain('not-authorized');
    client.close();
    other.close();
  });
});
