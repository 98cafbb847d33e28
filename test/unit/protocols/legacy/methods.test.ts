import { describe, expect, it } from 'vitest';
import { parse } from 'xmpp-broker';
import {
  chooseMethod,
  LEGACY_METHODS,
  sha1,
  zeroKnowledge,
  type LegacyMethod,
} from '../../../../src/protocols/legacy/methods.js';

const query = (fields: string) => parse(`<query xmlns='jabber:iq:auth'><username/>${fields}<resource/></query>`);
const choose = (fields: string, methods: readonly LegacyMethod[] = LEGACY_METHODS, allowsPassword = false) =>
  chooseMethod(query(fields), methods, allowsPassword);
const proof = { sid: 'S1', password: 'pass' };
const ZERO_K = '<sequence>3</sequence><token>TOK</token>';

describe('the hashes', () => {
  it.each([
    ['S1r0m30', '81ab1149510891f8c63782b6b2bfd3ada00651cd'],
    ['S1pass', '9e9399f5c0936f5223415e91921242d4ce4d5b6f'],
    ['S1secret', '3d0ceb4ff4467f9a941ebdf56363558876998713'],
    ['3EE948B0Calli0pe', '48fc78be9ec8f86d8ce1c39c320c97c21d62334d'],
  ])('S-LEG-3: SHA-1 of %s', (text, hash) => {
    expect(sha1(text)).toBe(hash);
  });

  it('S-LEG-3: text is hashed as UTF-8, and not as it is written in XML', () => {
    expect(sha1('id&ü')).not.toBe(sha1('id&amp;ü'));
    expect(sha1('ü')).toBe('94a759fd37735430753c7b6b80684306d80ea16e');
  });

  it('zero-knowledge: password "pass", token "TOK", link 3', () => {
    expect(zeroKnowledge('pass', 'TOK', 3)).toBe('ce497dc326b7a8d3b221aea61b14737015f53537');
  });

  it('zero-knowledge: each link is the hash of the one before', () => {
    expect(zeroKnowledge('pass', 'TOK', 0)).toBe(sha1(sha1('pass') + 'TOK'));
    expect(zeroKnowledge('pass', 'TOK', 4)).toBe(sha1(zeroKnowledge('pass', 'TOK', 3)));
  });
});

describe('choosing a method', () => {
  it('takes the best that is offered: zero-k, digest, password', () => {
    expect(choose(`<password/><digest/>${ZERO_K}`).method).toBe('zero-k');
    expect(choose('<password/><digest/>').method).toBe('digest');
    expect(choose('<password/>', LEGACY_METHODS, true).method).toBe('password');
  });

  it.each([
    ['zero-k', ZERO_K, 'hash', 'ce497dc326b7a8d3b221aea61b14737015f53537'],
    ['digest', '<digest/>', 'digest', '9e9399f5c0936f5223415e91921242d4ce4d5b6f'],
    ['password', '<password/>', 'password', 'pass'],
  ])('%s fills in its own field', (method, fields, name, text) => {
    const chosen = choose(fields, LEGACY_METHODS, true);
    const field = chosen.field(proof);
    expect([chosen.method, field.localName, field.textContent]).toEqual([method, name, text]);
  });

  it('S-LEG-2: uses only what was offered', () => {
    expect(() => choose('')).toThrow(expect.objectContaining({ code: 'LEGACY_NO_METHOD' }));
    expect(() => choose('<password/>', ['digest'], true)).toThrow(
      expect.objectContaining({
        code: 'LEGACY_NO_METHOD',
        message: expect.stringContaining('Offered: password') as string,
      }),
    );
  });

  it('follows our own order when one is given', () => {
    expect(choose(`<digest/>${ZERO_K}`, ['digest', 'zero-k']).method).toBe('digest');
  });

  it('S-LEG-4: refuses the password itself unless the link allows it', () => {
    expect(() => choose('<password/>')).toThrow(
      expect.objectContaining({ code: 'LEGACY_PLAINTEXT_REFUSED', layer: 'sasl' }),
    );
  });

  it.each([
    ['no token', '<sequence>3</sequence>'],
    ['no sequence', '<token>TOK</token>'],
    ['an empty token', '<sequence>3</sequence><token/>'],
    ['a sequence that is no number', '<sequence>many</sequence><token>TOK</token>'],
    ['a negative sequence', '<sequence>-1</sequence><token>TOK</token>'],
    ['a sequence that would take long', '<sequence>10001</sequence><token>TOK</token>'],
    ['a sequence without end', `<sequence>${'9'.repeat(400)}</sequence><token>TOK</token>`],
  ])('zero-knowledge with %s is not used', (_, fields) => {
    expect(choose(`${fields}<digest/>`).method).toBe('digest');
  });

  it('fields of another namespace do not count', () => {
    expect(() => choose("<digest xmlns='urn:other'/>")).toThrow(expect.objectContaining({ code: 'LEGACY_NO_METHOD' }));
  });
});
