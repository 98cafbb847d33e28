import { expect, it } from 'vitest';
import { hostName } from '../../../src/dial/host-name.js';

it('A-FLOW-6: what is longer than a JID may be is not looked into', () => {
  expect(() => hostName('ü.'.repeat(512))).toThrow(/it is too long/);
  expect(() => hostName('a'.repeat(1_023))).toThrow(/it is no domain name/);
});
