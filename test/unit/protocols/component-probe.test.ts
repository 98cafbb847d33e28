import { expect, test } from 'vitest';
import { componentProbe, isForeignProbe } from '../../../src/protocols/component-probe.js';
import { xml } from '../../../src/xml/builder.js';

const anybody = () => true;
const nobody = () => false;

test('S-PING-2: a question of another connection is one that an address of our name asks', () => {
  const probe = componentProbe('1', 'comp.example.org');
  expect(isForeignProbe(probe, anybody)).toBe(true);
  expect(isForeignProbe(probe, nobody)).toBe(false);
  probe.removeAttribute('from');
  expect(isForeignProbe(probe, anybody)).toBe(false);
  expect(
    isForeignProbe(xml('iq', { from: 'comp.example.org' }, xml('ping', { xmlns: 'urn:xmpp:ping' })), anybody),
  ).toBe(false);
});
