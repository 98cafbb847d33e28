import { expect, test } from 'vitest';
import { LoopbackServer } from 'xmpp-broker/testing';
import { failure } from '../../support/failure.js';
import { ACCOUNTS, RawClient } from './raw-client.js';

test('gives what clients and components have sent, and nothing of their sign-in', async () => {
  await using server = await LoopbackServer.start({ ...ACCOUNTS, services: { roster: false } });
  const alice = await RawClient.available(server, 'alice', 'desk');
  const bob = await RawClient.available(server, 'bob', 'sofa');
  const presence = await server.expect('/presence');
  expect(presence.hasAttribute('to')).toBe(false);
  await alice.send("<message to='bob@localhost/sofa' id='1'><body>hi</body></message>");
  const sent = await server.expect('/message[body="hi"]');
  expect(sent.getAttribute('id')).toBe('1');
  await bob.send("<iq type='get' id='p' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>");
  await server.expect('/iq/p:ping', { namespaces: { p: 'urn:xmpp:ping' } });
  const error = await failure(server.expect('/iq', { within: 1 }));
  expect(error.code).toBe('EXPECT_FAILED');
  expect(error.message).toMatch(/^nothing that matches \/iq arrived within 1 ms; these did:/);
  expect(error.message).not.toMatch(/<auth|bind/);
  for (const client of [alice, bob]) client.close();
});

test('ends when the server stops', async () => {
  const server = await LoopbackServer.start(ACCOUNTS);
  const waiting = failure(server.expect('/message'));
  await server.stop();
  expect((await waiting).message).toContain('arrived before the server stopped; nothing else did');
});

test('keeps the last 500 for those who ask later', async () => {
  await using server = await LoopbackServer.start(ACCOUNTS);
  const alice = await RawClient.bound(server, 'alice', 'desk');
  const all = Array.from({ length: 501 }, (_, n) => `<message to='alice@localhost/desk' id='m${String(n)}'/>`);
  await alice.send(all.join(''));
  await alice.expect("id='m500'");
  expect((await server.expect('/message')).getAttribute('id')).toBe('m1');
  alice.close();
});

test.each([
  [(server: LoopbackServer) => server.expect('/message['), 'USAGE_XPATH_SYNTAX'],
  [(server: LoopbackServer) => server.expect(1 as never), 'USAGE_FILTER'],
  [(server: LoopbackServer) => server.expect('/p:x'), 'USAGE_XPATH_PREFIX'],
  [(server: LoopbackServer) => server.expect('/x', { within: -1 }), 'USAGE_LOOPBACK'],
])('a wrong call is refused: %s', async (call, code) => {
  await using server = await LoopbackServer.start();
  expect((await failure(call(server))).code).toBe(code);
});
