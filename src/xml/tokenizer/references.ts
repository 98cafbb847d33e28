import { BYTE_CLASS, HASH, IS_NAME, isChar, SEMICOLON } from '../characters.js';
import { malformed, shown } from './fault.js';
import { PackedBytes } from './packed-bytes.js';

/** The longest reference that is read: nobody needs more leading zeros. */
const LONGEST = 64;

/** The entities that need no declaration (XML 1.0 §4.6), by what stands behind the `&`. */
const PREDEFINED = [
  ['amp;', '&'],
  ['lt;', '<'],
  ['gt;', '>'],
  ['apos;', "'"],
  ['quot;', '"'],
].map(([body, char]) => ({ packed: new PackedBytes(Buffer.from(body as string)), char: char as string }));

/** The reference in the window that begins at `i`, behind its `&`, if it is a predefined one and all there. */
export function predefinedAt(i: number): { packed: PackedBytes; char: string } | null {
  for (const entity of PREDEFINED) if (entity.packed.isAt(i)) return entity;
  return null;
}

/** A reference that is read byte by byte, from behind its `&`. */
export class Reference {
  private body = '';

  get length(): number {
    return this.body.length;
  }

  /** Takes the next byte. Gives the character when the reference is complete, else null. @throws Fault */
  take(byte: number): string | null {
    if (byte === SEMICOLON) {
      const char = resolve(this.body);
      if (char === null) throw malformed(`${shown(`&${this.body};`)} is neither a character nor a known entity`);
      this.body = '';
      return char;
    }
    const wanted = byte === HASH || (byte < 0x80 && ((BYTE_CLASS[byte] as number) & IS_NAME) !== 0);
    if (!wanted || this.body.length === LONGEST) throw malformed(`${shown(`&${this.body}`)} is not a reference`);
    this.body += String.fromCharCode(byte);
    return null;
  }
}

/**
 * What `&body;` stands for: a predefined entity or a character (XML 1.0 §4.1). Other entities need a DTD, which XMPP
 * does not have (RFC 6120 §11.1).
 */
function resolve(body: string): string | null {
  switch (body) {
    case 'lt':
      return '<';
    case 'gt':
      return '>';
    case 'amp':
      return '&';
    case 'apos':
      return "'";
    case 'quot':
      return '"';
  }
  const numeric = /^#(?:x0*([0-9a-fA-F]{1,6})|0*([0-9]{1,7}))$/.exec(body);
  if (numeric === null) return null;
  const code = numeric[1] === undefined ? Number(numeric[2]) : parseInt(numeric[1], 16);
  return isChar(code) ? String.fromCodePoint(code) : null;
}
