import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { BrokerError } from '../../../src/errors.js';
import { address, localPart } from '../../../src/jid/checks.js';
import { JID } from '../../../src/jid/jid.js';

function refusal(text: string): BrokerError {
  try {
    JID.parse(text);
  } catch (error) {
    expect(error).toBeInstanceOf(BrokerError);
    expect((error as BrokerError).code).toBe('USAGE_JID');
    return error as BrokerError;
  }
  throw new Error(`${JSON.stringify(text)} was accepted`);
}

describe('RFC 7622 §3.5, table 1: addresses', () => {
  const rows: [number, string, string | null, string, string | null][] = [
    [1, 'juliet@example.com', 'juliet', 'example.com', null],
    [2, 'juliet@example.com/foo', 'juliet', 'example.com', 'foo'],
    [3, 'juliet@example.com/foo bar', 'juliet', 'example.com', 'foo bar'],
    [4, 'juliet@example.com/foo@bar', 'juliet', 'example.com', 'foo@bar'],
    [5, 'foo\\20bar@example.com', 'foo\\20bar', 'example.com', null],
    [6, 'fussball@example.com', 'fussball', 'example.com', null],
    [7, 'fu\u00dfball@example.com', 'fu\u00dfball', 'example.com', null],
    [8, '\u03c0@example.com', '\u03c0', 'example.com', null],
    [9, '\u03a3@example.com/foo', '\u03c3', 'example.com', 'foo'],
    [10, '\u03c3@example.com/foo', '\u03c3', 'example.com', 'foo'],
    [11, '\u03c2@example.com/foo', '\u03c2', 'example.com', 'foo'],
    [12, 'king@example.com/\u265a', 'king', 'example.com', '\u265a'],
    [13, 'example.com', null, 'example.com', null],
    [14, 'example.com/foobar', null, 'example.com', 'foobar'],
    [15, 'a.example.com/b@example.net', null, 'a.example.com', 'b@example.net'],
  ];
  it.each(rows)('row %i: %s', (_row, text, local, domain, resource) => {
    const jid = JID.parse(text);
    expect([jid.local, jid.domain, jid.resource]).toEqual([local, domain, resource]);
  });

  it('rows 6 and 7, 9 and 11 are different addresses', () => {
    expect(JID.parse('fussball@example.com').equals('fu\u00dfball@example.com')).toBe(false);
    expect(JID.parse('\u03a3@example.com').equals('\u03c3@example.com')).toBe(true);
    expect(JID.parse('\u03a3@example.com').equals('\u03c2@example.com')).toBe(false);
  });
});

describe('RFC 7622 §3.5, table 2: what is no address', () => {
  it.each([
    [16, '"juliet"@example.com', 'local part', 'U+0022'],
    [17, 'foo bar@example.com', 'local part', 'U+0020'],
    [19, '@example.com/', 'local part', 'empty'],
    [20, 'henry\u2163@example.com', 'local part', 'U+2163'],
    [21, '\u265a@example.com', 'local part', 'U+265A'],
    [22, 'juliet@', 'domain', 'empty'],
    [23, '/foobar', 'domain', 'empty'],
  ])('row %i: %s', (_row, text, part, reason) => {
    const { message } = refusal(text);
    expect(message).toContain(part);
    expect(message).toContain(reason);
  });

  it('row 18 is accepted: OpaqueString allows a leading space', () => {
    expect(JID.parse('juliet@example.com/ foo').resource).toBe(' foo');
  });
});

describe('local part', () => {
  it('is put in lower case and in NFC', () => {
    expect(JID.parse('JULIET@example.com').local).toBe('juliet');
    expect(JID.parse('E\u0301@example.com').local).toBe('\u00e9');
    expect(JID.parse('\uff2a\uff35\uff2c\uff29\uff25\uff34@example.com').local).toBe('juliet');
  });

  it.each(['"', '&', "'", '/', ':', '<', '>', '@'])('may not hold %s', (character) => {
    expect(() => new JID(`a${character}b`, 'example.com')).toThrow(/local part is wrong at character 2/);
  });

  it.each([
    ['soft hyphen', 'a\u00adb'],
    ['zero-width space', 'a\u200bb'],
    ['control', 'a\u0007b'],
    ['right-to-left override', 'a\u202eb'],
    ['lone surrogate', 'a\ud800b'],
    ['noncharacter', 'a\ufffeb'],
    ['private use', 'a\ue000b'],
    ['unassigned', 'a\u0378b'],
    ['old jamo', 'a\u1100b'],
    ['arabic tatweel', '\u0627\u0640\u0628'],
    ['ligature', '\ufb01sh'],
    ['emoji', 'a\u{1f600}'],
    ['grapheme joiner', 'a\u034fb'],
    ['variation selector', 'a\ufe0fb'],
  ])('refuses %s', (_name, local) => {
    expect(() => new JID(local, 'example.com')).toThrow(/U\+[0-9A-F]{4}/);
  });

  it('says the character and its place', () => {
    const error = refusal('ab\u202ec@example.com');
    expect(error.offset).toBe(2);
    expect(error.message).toContain('character 3');
    expect(error.message).toContain('U+202E');
    expect(error.message).not.toContain('\u202e');
  });

  it.each([
    ['middle dot between two l', 'l\u00b7l', 'l\u00b7a'],
    ['middle dot behind an l, before another', 'll\u00b7l', 'a\u00b7l'],
    ['greek keraia before a greek letter', '\u0375\u03b1', '\u0375a'],
    ['geresh after a hebrew letter', '\u05d0\u05f3', '\u05f3\u05d0'],
    ['gershayim after a hebrew letter', '\u05d0\u05f4', '\u05f4\u05d0'],
    ['katakana middle dot with a kana', '\u30fb\u30a2', '\u30fba'],
    ['arabic-indic digits alone', '\u0627\u0661', '\u0627\u0661\u06f1'],
    ['extended arabic-indic digits alone', '\u0627\u06f1', '\u0627\u06f1\u0661'],
    ['joiner behind a virama', '\u0915\u094d\u200d', 'a\u200db'],
    ['non-joiner behind a virama', '\u0915\u094d\u200c', 'a\u200cb'],
    ['non-joiner between letters that join', '\u0628\u200c\u0628', '\u0627\u200c\u0628'],
    ['non-joiner, and no joiner, between letters that join', '\u0628\u200c\u0628', '\u0628\u200d\u0628'],
    ['non-joiner with marks between', '\u0628\u064e\u200c\u064e\u0627', '\u0628\u064e\u200c\u064ea'],
  ])('context rule: %s', (_name, allowed, refused) => {
    expect(new JID(allowed, 'example.com').local).toBe(allowed);
    expect(() => new JID(refused, 'example.com')).toThrow(/is not allowed at this place/);
  });

  it.each([
    ['right to left', '\u05d0\u05d1', true],
    ['right to left with digits', '\u05d01', true],
    ['right to left with a mark at the end', '\u0628\u064e', true],
    ['left letter inside', '\u05d0a\u05d1', false],
    ['left letter first', 'a\u05d0', false],
    ['digit first', '1\u05d0', false],
    ['both kinds of digits', '\u0627\u06611', false],
    ['punctuation at the end', '\u05d0-', false],
  ])('bidi rule: %s', (_name, local, allowed) => {
    const make = () => new JID(local, 'example.com');
    if (allowed) expect(make().local).toBe(local);
    else expect(make).toThrow(/writing directions|is not allowed/);
  });

  it.each(['\u3007', '\u06fd', '\u0f0b', '\u00e9#~'])('holds %j, which is no letter', (local) => {
    expect(new JID(local, 'example.com').local).toBe(local);
  });

  it('says of a character that there is none yet', () => {
    expect(() => new JID('a\u0378b', 'example.com')).toThrow(/U\+0378 is not assigned in Unicode \d/);
    expect(() => new JID('a\ue000b', 'example.com')).toThrow(/U\+E000 is never allowed/);
  });

  it('is 1 to 1023 bytes long', () => {
    expect(new JID('a'.repeat(1023), 'd').local).toHaveLength(1023);
    expect(() => new JID('a'.repeat(1024), 'd')).toThrow(/1024 bytes long, 1023 are allowed/);
    expect(new JID('\u00e4'.repeat(511), 'd').local).toHaveLength(511);
    expect(() => new JID('\u00e4'.repeat(512), 'd')).toThrow(/1024 bytes/);
    expect(() => new JID('', 'd')).toThrow(/local part .* empty/);
    expect(() => new JID('\u0628\u200c'.repeat(1_000_000), 'd')).toThrow(/bytes long/);
  });
});

describe('resource', () => {
  it('keeps case, maps other spaces to the space, and is put in NFC', () => {
    expect(new JID(null, 'd', 'Foo\u00a0Bar\u3000e\u0301').resource).toBe('Foo Bar \u00e9');
    expect(new JID(null, 'd', '\ufb01\uff21').resource).toBe('\ufb01\uff21');
  });

  it.each(['a\u0000', 'a\nb', '\u00e9\u0085', 'a\u034fb', '\u200b', '\ue000', '\ud800', '\u0378', '\u202e'])(
    'refuses %j',
    (resource) => {
      expect(() => new JID(null, 'd', resource)).toThrow(/resource is wrong/);
    },
  );

  it('is 1 to 1023 bytes long', () => {
    expect(new JID(null, 'd', 'r'.repeat(1023)).resource).toHaveLength(1023);
    expect(() => new JID(null, 'd', 'r'.repeat(1024))).toThrow(/1023 are allowed/);
    expect(() => JID.parse('a@d/')).toThrow(/resource .* empty/);
  });
});

describe('domain', () => {
  it.each([
    ['EXAMPLE.com', 'example.com'],
    ['example.com.', 'example.com'],
    ['b\u00fccher.example', 'b\u00fccher.example'],
    ['B\u00dcCHER.example', 'b\u00fccher.example'],
    ['xn--bcher-kva.example', 'b\u00fccher.example'],
    ['XN--BCHER-KVA.example', 'b\u00fccher.example'],
    ['stra\u00dfe.example', 'stra\u00dfe.example'],
    ['example\u3002com', 'example.com'],
    ['example\uff0ecom\uff0e', 'example.com'],
    ['\uff45xample.com', 'example.com'],
    ['192.0.2.1', '192.0.2.1'],
    ['[::1]', '[::1]'],
    ['[2001:DB8:0:0:0:0:0:1]', '[2001:db8::1]'],
    ['\u05d0\u05d1.example', '\u05d0\u05d1.example'],
    ['my_host', 'my_host'],
    ['sm', 'sm'],
  ])('%s is %s', (given, wanted) => {
    expect(JID.parse(given).domain).toBe(wanted);
  });

  it.each([
    'a..b',
    '.a',
    '-a',
    'a-',
    'a b',
    'a%41',
    'a\tb',
    'a:5222',
    'a?b',
    'a#b',
    '[::1',
    '[::g]',
    '[fe80::1%eth0]',
    '::1',
    'xn--a.example',
    'xn--bcher-kva-.example',
    'b\u20d2.example',
    'xn--zzzzzzzzzz9999.example',
    '\u265a.example',
    '\ufb01sh.example',
    'a\u200bb.example',
    '\u0301a.example',
    '\u00e4b--c.example'.replace('\u00e4b', '\u00e4a'),
    '1\u05d0.example',
    'a\ud800.example',
    `${'a'.repeat(64)}.example`,
    `${'\u00e4'.repeat(60)}.example`,
    `${'a.'.repeat(127)}a`,
  ])('refuses %j', (domain) => {
    expect(() => JID.parse(domain)).toThrow(/domain is wrong/);
  });

  it('takes 63 bytes a label and 253 in all', () => {
    const label = 'a'.repeat(63);
    const longest = `${label}.${label}.${label}.${'a'.repeat(61)}`;
    expect(JID.parse(longest).domain).toBe(longest);
    expect(() => JID.parse(`${longest}a`)).toThrow(/254 bytes/);
  });
});

describe('JID', () => {
  it('gives the bare address and other resources', () => {
    const jid = JID.parse('Juliet@Example.com/Balcony');
    expect(jid.bare().toString()).toBe('juliet@example.com');
    const bare = jid.bare();
    expect(bare.bare()).toBe(bare);
    expect(jid.withResource('garden').toString()).toBe('juliet@example.com/garden');
    expect(jid.withResource(null).equals(jid.bare())).toBe(true);
    expect(() => jid.withResource('')).toThrow(BrokerError);
  });

  it('is its text in JSON and templates', () => {
    const jid = JID.parse('a@b/c');
    expect(JSON.stringify({ jid })).toBe('{"jid":"a@b/c"}');
    expect(inspect(jid)).toBe('JID(a@b/c)');
    expect(inspect({ jid: new JID(null, 'b', '\u265a') })).toContain('b/\u265a');
  });

  it('compares with addresses and texts', () => {
    const jid = JID.parse('a@b/c');
    expect(jid.equals(JID.parse('A@B./c'))).toBe(true);
    expect(jid.equals('A@b/c')).toBe(true);
    expect(jid.equals('a@b/C')).toBe(false);
    expect(jid.equals('a@b')).toBe(false);
    expect(jid.equals('@@')).toBe(false);
    expect(jid.equals('\u0378@b/c')).toBe(false);
    expect(JID.parse('b').equals('B.')).toBe(true);
    expect(jid.equals(null)).toBe(false);
    expect(JID.parse('b').equals('@b')).toBe(false);
  });

  it.each([undefined, null, 7, {}, [], Object.create(null), Symbol('x')])('parse(%s) is a usage error', (value) => {
    expect(() => JID.parse(value as string)).toThrow(BrokerError);
    expect(() => new JID(value as string, value as string)).toThrow(BrokerError);
    expect(() => JID.escape(value as string)).toThrow(BrokerError);
    expect(() => JID.unescape(value as string)).toThrow(BrokerError);
  });

  it.each(['__proto__', 'constructor', 'prototype', 'hasownproperty', 'tostring', 'then', 'tojson'])(
    'A-STZ-10: %s is a name like any other',
    (name) => {
      const jid = JID.parse(`${name}@example.com/${name}`);
      expect([jid.local, jid.resource]).toEqual([name, name]);
      expect(JID.equivalent(jid, `${name}@example.com/${name}`)).toBe(true);
      expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    },
  );

  it('cuts what it repeats of a long text', () => {
    expect(refusal(`"${'x'.repeat(100_000)}@d`).message.length).toBeLessThan(400);
  });
});

describe('escaping (XEP-0106)', () => {
  it.each([
    ['space cadet', 'space\\20cadet'],
    ['call me "ishmael"', 'call\\20me\\20\\22ishmael\\22'],
    ['at&t guy', 'at\\26t\\20guy'],
    ["d'artagnan", 'd\\27artagnan'],
    ['/.fanboy', '\\2f.fanboy'],
    ['::foo::', '\\3a\\3afoo\\3a\\3a'],
    ['<foo>', '\\3cfoo\\3e'],
    ['user@host', 'user\\40host'],
    ['c:\\net', 'c\\3a\\net'],
    ['c:\\\\net', 'c\\3a\\\\net'],
    ['c:\\cool stuff', 'c\\3a\\cool\\20stuff'],
    ['c:\\5commas', 'c\\3a\\5c5commas'],
  ])('%s', (name, local) => {
    expect(JID.escape(name)).toBe(local);
    expect(JID.unescape(local)).toBe(name);
    expect(new JID(JID.escape(name), 'example.com').local).toBe(local);
  });

  it('leaves what is no escape, and spaces at the ends', () => {
    expect(JID.unescape('\\2plus\\2is\\4')).toBe('\\2plus\\2is\\4');
    expect(JID.unescape('\\20a\\20b\\20')).toBe('\\20a b\\20');
    expect(() => JID.escape(' a')).toThrow(BrokerError);
    expect(() => JID.escape('a ')).toThrow(BrokerError);
    expect(() => JID.escape('')).toThrow(BrokerError);
  });
});

describe('checks of options', () => {
  it('a local part is there, and is one', () => {
    expect([localPart('juliet'), localPart('d\u00fcrer')]).toEqual([null, null]);
    expect(localPart(null)).toBe('must be a string that is not empty');
    for (const wrong of ['', 'a@b', 7]) expect(localPart(wrong)).toMatch(/^is no local part of a JID: /);
  });

  it('an address is a JID, or text that is one', () => {
    expect([address(JID.parse('a@b')), address('a@b')]).toEqual([null, null]);
    expect(address('@')).toMatch(/is no JID/);
  });
});

describe('equivalent()', () => {
  it.each([
    ['romeo@example.net/orchard', 'romeo@example.net/orchard'],
    ['Romeo@Example.NET./orchard', 'romeo@example.net/orchard'],
    ['stra\u00dfe@d', 'strasse@d'],
    ['\ufb01sh@d', 'fish@d'],
    ['\u1e9e@d', 'ss@d'],
    ['\u03a3\u03c2@d', '\u03c3\u03c3@d'],
    ['a\u00adb@d', 'ab@d'],
    ['\u2163@d', 'iv@d'],
    ['\u265a@d', '\u265a@d'],
    ['a@d/\ufb01', 'a@d/fi'],
    ['a@d/\u2764\ufe0f', 'a@d/\u2764'],
    ['a@b\u00fccher.example', 'a@xn--bcher-kva.example'],
    ['a@\u2665.example', 'a@\u2665.example.'],
    ['sm', 'sm'],
  ])('%j and %j', (a, b) => {
    expect(JID.equivalent(a, b)).toBe(true);
    expect(JID.equivalent(b, a)).toBe(true);
  });

  it('takes JID objects too', () => {
    expect(JID.equivalent(JID.parse('a@b/c'), 'A@b/c')).toBe(true);
    expect(JID.equivalent(JID.parse('a@b/c'), JID.parse('a@b'))).toBe(false);
  });

  it.each([
    ['a@d', 'b@d'],
    ['a@d', 'a@e'],
    ['a@d', 'd'],
    ['a@d/r', 'a@d/R'],
    ['a@d/r', 'a@d'],
    ['admin@d', 'adm\u0131n@d'],
    ['admin@d', '\u0430dmin@d'],
    ['a@stra\u00dfe.example', 'a@strasse.example'],
    ['a@d/r', 'a@d/r\u0000'],
    ['a@d', 'a@d..'],
    ['a@ex\u0430mple', 'a@example'],
    ['a@\u2665%2eexample', 'a@\u2665.example'],
    ['a@\u2665\texample', 'a@\u2665example'],
    ['a@ex%41mple', 'a@example'],
    ['a@0x7f.1', 'a@127.0.0.1'],
    // Longer than what is looked at, even if little of it counts.
    ['a@d', `a${'\u00ad'.repeat(4_000)}@d`],
    ['a@d/b', `a@d/b${'\u00ad'.repeat(4_000)}`],
    ['a@d', `a@d${'\u00ad'.repeat(4_000)}`],
  ])('not %j and %j', (a, b) => {
    expect(JID.equivalent(a, b)).toBe(false);
    expect(JID.equivalent(b, a)).toBe(false);
  });

  it.each([
    '',
    '@',
    '@d',
    'a@',
    'a@d/',
    '/',
    'a b@d',
    'a@d/\ud800',
    '\ud800',
    'a@[::',
    `${'x'.repeat(1024)}@d`,
    'd.'.repeat(2_000),
  ])('garbage is equivalent to nothing: %j', (text) => {
    expect(JID.equivalent(text, text)).toBe(false);
    expect(JID.equivalent(text, 'a@d')).toBe(false);
  });

  it.each([null, undefined, 7, {}, []])('never throws: %j', (value) => {
    expect(JID.equivalent(value as string, 'a@d')).toBe(false);
    expect(JID.equivalent('a@d', value as string)).toBe(false);
  });

  it('folds no two characters together that Unicode keeps apart', () => {
    // The runtime's own simple case folding, by way of a case-insensitive match.
    for (let code = 0x80; code < 0x3000; code++) {
      const character = String.fromCodePoint(code);
      if (!/^\p{L}$/u.test(character) || character.normalize('NFKC') !== character) continue;
      const upper = character.toUpperCase();
      if (upper.length !== 1 || character.length !== 1) continue;
      for (const ascii of 'abcdefghijklmnopqrstuvwxyz') {
        if (!JID.equivalent(`x${character}@d`, `x${ascii}@d`)) continue;
        expect(character).toMatch(new RegExp(`^${ascii}$`, 'iu'));
      }
    }
  });
});
