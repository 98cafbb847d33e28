import { client, xml, type ForeignClient } from '@xmpp/client';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { LoopbackServer } from 'xmpp-broker/testing';
import { parse } from '../../../src/xml/tokenizer/parse.js';
import { Proxy } from '../../servers/harness/index.js';
import { ACCOUNTS } from './raw-client.js';

afterEach(() => {
  vi.unstubAllEnvs();
});

function dial(server: LoopbackServer, service: string, username: 'alice' | 'bob', resource: string): ForeignClient {
  const password = { alice: 'secret', bob: 'hidden' }[username];
  // It gives up after two seconds, which is not long on a busy machine.
  const patience = { timeout: 15_000 };
  const dialled = client({ service, domain: server.domain, username, password, resource, ...patience });
  dialled.on('error', () => undefined);
  return dialled;
}

const next = (entity: ForeignClient) =>
  new Promise<string>((resolve) => {
    entity.on('stanza', (stanza) => {
      if (stanza.is('message')) resolve(stanza.getChildText('body') ?? '');
    });
  });

describe('an independent client', () => {
  test.each(['clear', 'STARTTLS', 'direct TLS'] as const)('signs in and talks, %s', async (way) => {
    await using server = await LoopbackServer.start({
      ...ACCOUNTS,
      tls: { starttls: way === 'clear' ? 'off' : 'required' },
    });
    // It can be told of no authority but by an environment variable before the process starts.
    if (way !== 'clear') vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    const { ports, host } = server;
    const service =
      way === 'direct TLS' ? `xmpps://${host}:${ports.clientDirectTls}` : `xmpp://${host}:${ports.client}`;
    const mechanisms: string[] = [];
    server.subscribe('authenticated', ({ mechanism }) => {
      mechanisms.push(mechanism);
    });
    const alice = dial(server, service, 'alice', 'one');
    const bob = dial(server, service, 'bob', 'two');
    await alice.start();
    await bob.start();
    expect(alice.jid?.toString()).toBe('alice@localhost/one');
    expect(mechanisms).toEqual(['SCRAM-SHA-1', 'SCRAM-SHA-1']);
    await bob.send(xml('presence'));
    const received = next(bob);
    await alice.send(xml('message', { to: 'bob@localhost/two' }, xml('body', {}, 'hello & <goodbye>')));
    expect(await received).toBe('hello & <goodbye>');
    const pong = await alice.iqCaller.request(
      xml('iq', { type: 'get', to: 'localhost' }, xml('ping', { xmlns: 'urn:xmpp:ping' })),
    );
    expect(pong.attrs.type).toBe('result');
    await alice.stop();
    await bob.stop();
  });

  test.each([
    ['SASL', false, ['SCRAM-SHA-1', 'SCRAM-SHA-1']],
    ['SASL2', { bind2: false, fast: false }, ['SCRAM-SHA-1', 'SCRAM-SHA-1']],
    ['SASL2 and Bind 2', { fast: false }, ['SCRAM-SHA-1', 'SCRAM-SHA-1']],
    ['SASL2, Bind 2 and FAST', {}, ['SCRAM-SHA-1', 'HT-SHA-256-NONE']],
  ] as const)('modern 1, 2, 4: signs in twice by %s', async (_, sasl2, mechanisms) => {
    await using server = await LoopbackServer.start({ ...ACCOUNTS, sasl2 });
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    const used: string[] = [];
    server.subscribe('authenticated', ({ mechanism }) => void used.push(mechanism));
    const headers: string[] = [];
    server.subscribe('received', ({ element }) => {
      if (element.localName === 'stream') headers.push(element.getAttribute('from') ?? 'nobody');
    });
    // It misses the server's header if that comes before its own is known to be written.
    const proxy = await Proxy.listen(server.ports.clientDirectTls, { delayMs: 20 });
    const alice = dial(server, `xmpps://${proxy.host}:${proxy.port}`, 'alice', 'one');
    for (let times = 0; times < 2; times++) {
      await alice.start();
      expect(alice.jid?.toString()).toMatch(/^alice@localhost\/one/);
      const pong = await alice.iqCaller.request(
        xml('iq', { type: 'get', to: 'localhost' }, xml('ping', { xmlns: 'urn:xmpp:ping' })),
      );
      expect(pong.attrs.type).toBe('result');
      await alice.stop();
    }
    expect(used).toEqual(mechanisms);
    expect(headers).toHaveLength(sasl2 === false ? 4 : 2);
    await proxy.close();
  });

  test('resumes its stream after a cut, and misses nothing', async () => {
    await using server = await LoopbackServer.start({ ...ACCOUNTS, tls: { starttls: 'off' } });
    const alice = dial(server, `xmpp://${server.host}:${server.ports.client}`, 'alice', 'one');
    await alice.start();
    await expect.poll(() => alice.streamManagement.enabled, { timeout: 15_000 }).toBe(true);
    const closed = server.events.once('closed');
    const resumed = server.events.once('session');
    const received = next(alice);
    server.cut('alice@localhost/one');
    await closed;
    server.route(parse("<message from='bob@localhost' to='alice@localhost/one'><body>missed</body></message>"));
    expect(await resumed).toMatchObject({ resumed: true });
    expect(await received).toBe('missed');
    await alice.stop();
  });

  test('hears of a wrong password', async () => {
    await using server = await LoopbackServer.start({ accounts: { alice: 'other' }, tls: { starttls: 'off' } });
    const alice = dial(server, `xmpp://${server.host}:${server.ports.client}`, 'alice', 'one');
    alice.reconnect.stop();
    await expect(alice.start()).rejects.toMatchObject({ condition: 'not-authorized' });
    await alice.stop();
  });
});
