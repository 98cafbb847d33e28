import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { LoopbackServer, type LoopbackLegacyOptions } from 'xmpp-broker/testing';
import { ACCOUNTS, RawClient } from './raw-client.js';

const sha1 = (text: string) => createHash('sha1').update(text).digest('hex');

const start = (legacy: LoopbackLegacyOptions | false = {}, accounts = ACCOUNTS) =>
  LoopbackServer.start({ ...accounts, legacy });

/** Opens a stream of before XMPP 1.0 and returns its id. */
async function old(server: LoopbackServer, version: string | null = null): Promise<{ client: RawClient; id: string }> {
  const client = await RawClient.dial(server);
  await client.send(RawClient.header('localhost', version));
  const [header, id = ''] = await client.wire.match(/<stream:stream id='([^']+)'[^>]*>/);
  expect(header).not.toContain(' version=');
  return { client, id };
}

const query = (fields: string) => `<query xmlns='jabber:iq:auth'>${fields}</query>`;

const set = (fields: string) =>
  `<iq type='set' id='s'>${query(`<username>alice</username><resource>desk</resource>${fields}`)}</iq>`;

/** The zero-knowledge hash of a password. */
function zeroKnowledge(password: string, token: string, sequence: number): string {
  let hash = sha1(sha1(password) + token);
  for (let times = 0; times < sequence; times++) hash = sha1(hash);
  return hash;
}

describe('jabber:iq:auth', () => {
  test.each([null, '0.9'])(
    'asks for the fields on a stream of version %s, which shows no features',
    async (version) => {
      await using server = await start({ sequence: 7, token: 'TOK' });
      const { client } = await old(server, version);
      await client.send(`<iq type='get' id='g' to='localhost'>${query('<username>alice</username>')}</iq>`);
      expect(await client.expect('</iq>')).toBe(
        "<iq type='result' id='g' from='localhost'><query xmlns='jabber:iq:auth'><username>alice</username><resource/><password/><digest/><sequence>7</sequence><token>TOK</token></query></iq>",
      );
      client.close();
    },
  );

  test('signs in with the password, and with a digest', async () => {
    await using server = await start();
    for (const [method, fields] of [
      ['password', () => '<password>secret</password>'],
      ['digest', (id: string) => `<digest>${sha1(`${id}secret`)}</digest>`],
    ] as const) {
      const { client, id } = await old(server);
      const authenticated = server.events.once('authenticated');
      await client.send(set(fields(id)));
      await client.expect("<iq type='result' id='s'/>");
      expect(await authenticated).toMatchObject({ username: 'alice', mechanism: method });
      await client.send("<message to='alice@localhost/desk' id='m'/>");
      await client.expect("<message to='alice@localhost/desk' id='m' from='alice@localhost/desk'/>");
      client.close();
    }
  });

  test('knows the vector of the zero-knowledge method, and counts down', async () => {
    await using server = await start({ sequence: 3, token: 'TOK' }, { accounts: { alice: 'pass' } });
    expect(zeroKnowledge('pass', 'TOK', 3)).toBe('ce497dc326b7a8d3b221aea61b14737015f53537');
    for (const sequence of [3, 2, 1, 3]) {
      const { client } = await old(server);
      await client.send(`<iq type='get' id='g'>${query('<username>alice</username>')}</iq>`);
      expect(await client.expect('</iq>')).toContain(`<sequence>${sequence}</sequence>`);
      // What was said before does not count again.
      if (sequence < 3) {
        await client.send(set(`<hash>${zeroKnowledge('pass', 'TOK', sequence + 1)}</hash>`));
        await client.expect('<not-authorized');
      }
      await client.send(set(`<hash>${zeroKnowledge('pass', 'TOK', sequence)}</hash>`));
      await client.expect("<iq type='result' id='s'/>");
      client.close();
    }
  });

  test('refuses what is wrong and what is missing, and takes another try', async () => {
    await using server = await start();
    const { client, id } = await old(server);
    for (const [fields, condition] of [
      ['<password>wrong</password>', "code='401'"],
      [`<digest>${sha1('secret')}</digest>`, "code='401'"],
      ['<hash>00</hash>', "code='401'"],
      ['', "code='406'"],
    ] as const) {
      await client.send(set(fields));
      expect(await client.expect('</iq>')).toContain(condition);
    }
    await client.send(set(`<digest>${sha1(`${id}secret`)}</digest>`));
    await client.expect("<iq type='result' id='s'/>");
    client.close();
  });

  test('writes errors of before XMPP 1.0 when told so', async () => {
    await using server = await start({ errors: 'code' });
    const { client } = await old(server);
    await client.send(set('<password>wrong</password>'));
    expect(await client.expect('</iq>')).toMatch(/^<iq type='error' id='s'><error code='401'>[^<]*<\/error><\/iq>$/);
    client.close();
  });

  test('offers only the methods it is told to', async () => {
    await using server = await start({ methods: ['password'], announced: false });
    const { client, id } = await old(server);
    await client.send(`<iq type='get' id='g'>${query('')}</iq>`);
    expect(await client.expect('</iq>')).not.toMatch(/digest|sequence/);
    await client.send(set(`<digest>${sha1(`${id}secret`)}</digest>`));
    expect(await client.expect('</iq>')).toContain('<not-acceptable');
    client.close();
    const modern = await RawClient.dial(server);
    expect(await modern.open()).not.toContain('iq-auth');
    modern.close();
  });

  test('may be switched off', async () => {
    await using server = await start(false);
    const { client } = await old(server);
    await client.send(`<iq type='get' id='g'>${query('<username>alice</username>')}</iq>`);
    await client.expect('<service-unavailable');
    client.close();
  });

  test('is announced on streams of version 1.0, and works there', async () => {
    await using server = await start();
    const client = await RawClient.dial(server);
    const features = await client.open();
    expect(features).toContain("<auth xmlns='http://jabber.org/features/iq-auth'/>");
    const id = / id='([^']+)'/.exec(features)?.[1] ?? '';
    await client.send(set(`<digest>${sha1(`${id}secret`)}</digest>`));
    await client.expect("<iq type='result' id='s'/>");
    client.close();
  });

  test('starts TLS on a stream without version', async () => {
    await using server = await LoopbackServer.start({ ...ACCOUNTS, tls: { starttls: 'required' } });
    const { client } = await old(server);
    await client.send(set('<password>secret</password>'));
    await client.expect('<not-acceptable');
    await client.starttls();
    await client.send(RawClient.header('localhost', null));
    await client.expect(/<stream:stream [^>]*>/);
    await client.send(set('<password>secret</password>'));
    await client.expect("<iq type='result' id='s'/>");
    client.close();
  });

  test('tells of a resource that is taken', async () => {
    await using server = await LoopbackServer.start({ ...ACCOUNTS, bind: { conflict: 'refuse' } });
    const first = await old(server);
    await first.client.send(set('<password>secret</password>'));
    await first.client.expect("<iq type='result' id='s'/>");
    const second = await old(server);
    await second.client.send(set('<password>secret</password>'));
    expect(await second.client.expect('</iq>')).toContain("code='409'");
    first.client.close();
    second.client.close();
  });
});
