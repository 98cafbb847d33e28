import { expect, it } from 'vitest';
import { endpoint, hostName } from '../../../src/dial/host-name.js';

it('A-FLOW-6: what is longer than a JID may be is not looked into', () => {
  expect(() => hostName('ü.'.repeat(512))).toThrow(/it is too long/);
  expect(() => hostName('a'.repeat(1_023))).toThrow(/it is no domain name/);
});

it.each(['/', '\\', '?', '#', '@', ':', '%41', '[', ']', '<', '>', '^', '|', ' ', '\u0001', '\u007f'])(
  'A-NEG: what means something in a URL ends no name: %j',
  (character) => {
    for (const domain of [`example.org${character}evil.test`, `b\u00fccher.example${character}evil.test`]) {
      expect(() => hostName(domain)).toThrow(/it has characters no name can have/);
    }
  },
);

it.each([
  ['example.org', 5222, 'example.org:5222'],
  ['192.0.2.1', 5222, '192.0.2.1:5222'],
  ['::1', 5222, '[::1]:5222'],
  ['unix:/run/xmpp.sock', 0, 'unix:/run/xmpp.sock'],
])('%s and port %i in a message', (host, port, text) => {
  expect(endpoint(host, port)).toBe(text);
});
