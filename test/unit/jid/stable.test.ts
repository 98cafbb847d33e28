import { domainToASCII } from 'node:url';
import { expect, it } from 'vitest';
import { JID } from 'xmpp-broker';

/** What an address becomes; null if there is none. */
function prepared(text: string): string | null {
  try {
    return JID.parse(text).toString();
  } catch {
    return null;
  }
}

it('A-XML-15: a domain with any character stays the same when it is read again, also out of its ASCII form', () => {
  const wrong: string[] = [];
  for (let code = 0x80; code < 0x30000; code += 1) {
    if (code >= 0xd800 && code < 0xe000) continue;
    const character = String.fromCodePoint(code);
    // Nothing happens to the rest, and there is much of it.
    if ([character.toLowerCase(), character.toUpperCase(), character.normalize('NFKC')].every((is) => is === character))
      continue;
    const domain = `a${character}`;
    const once = prepared(domain);
    if (once === null) continue;
    const ascii = domainToASCII(once);
    if (prepared(once) !== once || prepared(ascii) !== once) wrong.push(`${domain} ${code.toString(16)}`);
  }
  expect(wrong).toEqual([]);
});

it('Cherokee is written with the letters that labels have', () => {
  expect(prepared('\uabbb\uabbb')).toBe('\u13eb\u13eb');
  expect(prepared('xn--bceamle')).toBe('ᏫᏫᏳᏲᏯ');
  expect(prepared('ᏫᏫᏳᏲᏯ')).toBe('ᏫᏫᏳᏲᏯ');
});
