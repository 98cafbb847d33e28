import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { LoopbackServer } from 'xmpp-broker/testing';
import { describeServer } from '../../servers/harness/describe-server.js';
import { Slixmpp } from '../../support/slixmpp.js';

const folder = mkdtempSync(join(tmpdir(), 'xmpp-broker-slixmpp-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** What it takes to sign slixmpp in: it binds to TLS in a way that TLS 1.3 does not have. */
const WITHOUT_BINDING = ['SCRAM-SHA-256', 'SCRAM-SHA-1'];

async function signIn(server: LoopbackServer): Promise<Slixmpp> {
  const authority = join(folder, 'ca.pem');
  writeFileSync(authority, server.ca);
  return Slixmpp.online({
    host: server.host,
    port: server.ports.client,
    jid: 'alice@localhost/slixmpp',
    password: 'secret',
    authority,
  });
}

describeServer('slixmpp', 'a client of the loopback server', () => {
  test('E13: signs in where mechanisms with channel binding are left out', async () => {
    await using server = await LoopbackServer.start({ accounts: { alice: 'secret' }, mechanisms: WITHOUT_BINDING });
    const seen: string[] = [];
    server.subscribe('authenticated', ({ mechanism }) => seen.push(mechanism));
    await using client = await signIn(server);
    expect(client.jid).toBe('alice@localhost/slixmpp');
    expect(seen).toEqual(['SCRAM-SHA-256']);
    await client.ask('ping', { to: 'localhost' });
    expect(await client.ask('info', { to: 'localhost' })).toMatchObject({
      identities: [['server', 'im', null, 'Loopback server']],
    });
  });

  test.each([
    ['SASL', false, [], 'SCRAM-SHA-512'],
    ['SASL beside SASL2, which it does not know', {}, [], 'SCRAM-SHA-512'],
    ['SASL with the one channel binding that it knows', {}, ['tls-unique'], 'SCRAM-SHA-512-PLUS'],
  ] as const)('modern 1: signs in by %s', async (_, sasl2, channelBindings, mechanism) => {
    await using server = await LoopbackServer.start({
      accounts: { alice: 'secret' },
      sasl2,
      sasl: { channelBindings },
    });
    const signedIn = server.events.once('authenticated');
    await using client = await signIn(server);
    expect(client.jid).toBe('alice@localhost/slixmpp');
    expect(await signedIn).toMatchObject({ mechanism });
  });

  test('E13: is refused where they are offered, as RFC 5802 wants it', async () => {
    await using server = await LoopbackServer.start({ accounts: { alice: 'secret' } });
    await expect(signIn(server)).rejects.toThrow(/refusals: (?:malformed-request|not-authorized)/);
  });
});
