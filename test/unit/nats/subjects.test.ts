import fc from 'fast-check';
import { expect, it } from 'vitest';
import { fromHeader, headerText } from '../../../src/nats/headers.js';
import { prefixCheck, Subjects, subjectToken } from '../../../src/nats/subjects.js';

it.each([
  ['echo', 'echo'],
  ['A-z_0', 'A-z_0'],
  ['echo.example.org', 'echo=2Eexample=2Eorg'],
  ['a@b', 'a=40b'],
  ['*', '=2A'],
  ['>', '=3E'],
  ['=', '=3D'],
  ['é', '=C3=A9'],
  ['', ''],
])('the token of %j is %s', (text, token) => {
  expect(subjectToken(text)).toBe(token);
});

it('tokens are legal, short enough for names, and no two texts share one', () => {
  const text = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.stringMatching(/^[a-z.=@-]{0,12}$/),
    fc.string({ minLength: 170, maxLength: 400 }),
  );
  fc.assert(
    fc.property(text, text, (a, b) => {
      const token = subjectToken(a);
      expect(token).toMatch(/^[A-Za-z0-9_=-]*$/);
      expect(token.length).toBeLessThanOrEqual(180);
      expect(token === subjectToken(b)).toBe(a === b);
    }),
  );
});

it('long texts that begin alike have different tokens', () => {
  const start = 'x'.repeat(300);
  expect(subjectToken(`${start}1`)).not.toBe(subjectToken(`${start}2`));
  expect(subjectToken('y'.repeat(180))).toBe('y'.repeat(180));
});

it('names below a prefix', () => {
  const subjects = new Subjects();
  expect(subjects.out('a.b')).toBe('xmpp.out.a=2Eb');
  expect(subjects.shardOut('fleet', 7, 'a.b')).toBe('xmpp.out.fleet.7.a=2Eb');
  expect(subjects.shardOut('fleet', 7, '*')).toBe('xmpp.out.fleet.7.*');
  expect(subjects.in('a.b', 'PCJ_NODERECEIVED', 3)).toBe('xmpp.in.a=2Eb.PCJ_NODERECEIVED.3');
  expect(subjects.dead('q')).toBe('xmpp.dead.q');
  expect(subjects.ticket('p 1')).toBe('xmpp.ticket.p=201');
  expect(subjects.cmd('q')).toBe('xmpp.cmd.q');
  expect(subjects.ask('q')).toBe('xmpp.ask.q');
  expect(new Subjects('chat').outStream).toBe('CHAT_OUT');
});

it.each([['Chat'], ['a.b'], ['*'], [''], ['x'.repeat(33)], [1], [null]])('%j is no prefix', (prefix) => {
  expect(prefixCheck(prefix)).toMatch(/lower-case/);
});

it('a text comes back from a header, whatever it is', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (text) => {
      const value = headerText(text);
      expect(value).toMatch(/^[ -~]+$/);
      expect(value.trim()).toBe(value);
      expect(fromHeader(value)).toBe(text);
    }),
  );
  expect(fromHeader('%zz')).toBeNull();
});
