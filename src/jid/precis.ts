// PRECIS string classes: RFC 8264 §4, §8 and §9; context rules: RFC 5892 appendix A.
import { joins } from './joining.js';

/** The two string classes of RFC 8264 §4. Everything an identifier may hold, free text may hold too. */
export type StringClass = 'identifier' | 'freeform';

/** What RFC 8264 §8 derives for a code point. */
type Derived = 'valid' | 'freeform' | 'contextj' | 'contexto' | 'disallowed' | 'unassigned';

/** Where a string breaks a rule, as UTF-16 offset, and why. */
export interface Problem {
  offset: number;
  reason: string;
}

// RFC 8264 §9.6
const EXCEPTION_VALID = /^[\u00df\u03c2\u06fd\u06fe\u0f0b\u3007]$/u;
const EXCEPTION_CONTEXT = /^[\u00b7\u0375\u05f3\u05f4\u30fb\u0660-\u0669\u06f0-\u06f9]$/u;
const EXCEPTION_DISALLOWED = /^[\u302e\u302f\u0640\u07fa\u3031-\u3035\u303b]$/u;
const UNASSIGNED = /^(?!\p{Noncharacter_Code_Point})\p{Cn}$/u;
const OLD_HANGUL_JAMO = /^[\u1100-\u11ff\ua960-\ua97c\ud7b0-\ud7fb]$/u;
const IGNORABLE = /^[\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}]$/u;
const LETTER_DIGIT = /^[\p{Ll}\p{Lu}\p{Lo}\p{Nd}\p{Lm}\p{Mn}\p{Mc}]$/u;
const FREEFORM = /^[\p{Lt}\p{Nl}\p{No}\p{Me}\p{Zs}\p{S}\p{P}]$/u;

/** The derived property of one code point, in the order of RFC 8264 §8, by the Unicode version of the runtime. */
function derive(character: string): Derived {
  if (EXCEPTION_VALID.test(character)) return 'valid';
  if (EXCEPTION_CONTEXT.test(character)) return 'contexto';
  if (EXCEPTION_DISALLOWED.test(character)) return 'disallowed';
  if (UNASSIGNED.test(character)) return 'unassigned';
  if (character >= '!' && character <= '~') return 'valid';
  if (/^\p{Join_Control}$/u.test(character)) return 'contextj';
  if (OLD_HANGUL_JAMO.test(character)) return 'disallowed';
  if (IGNORABLE.test(character)) return 'disallowed';
  if (character.normalize('NFKC') !== character) return 'freeform';
  if (LETTER_DIGIT.test(character)) return 'valid';
  if (FREEFORM.test(character)) return 'freeform';
  // Controls, too: they are in none of the classes above.
  return 'disallowed';
}

/** How a message shows a character: its code point, and the character itself where that is safe to print. */
export function nameOf(character: string): string {
  const code = `U+${(character.codePointAt(0) as number).toString(16).toUpperCase().padStart(4, '0')}`;
  return /^[\p{L}\p{N}\p{P}\p{S}]$/u.test(character) ? `${code} (${character})` : code;
}

/** The first code point of `text` that the class does not allow, or null. */
export function firstProblem(text: string, stringClass: StringClass): Problem | null {
  let offset = 0;
  for (const character of text) {
    const reason = judge(character, text, offset, stringClass);
    if (reason !== null) return { offset, reason };
    offset += character.length;
  }
  return null;
}

function judge(character: string, text: string, offset: number, stringClass: StringClass): string | null {
  switch (derive(character)) {
    case 'valid':
      return null;
    case 'freeform':
      return stringClass === 'freeform' ? null : `${nameOf(character)} is not a letter or digit in its basic form`;
    case 'contextj':
    case 'contexto':
      return contextAllows(character, text, offset) ? null : `${nameOf(character)} is not allowed at this place`;
    case 'unassigned':
      return `${nameOf(character)} is not assigned in Unicode ${process.versions.unicode ?? ''}`.trimEnd();
    case 'disallowed':
      return `${nameOf(character)} is never allowed`;
  }
}

/** The rules of RFC 5892 appendix A. */
function contextAllows(character: string, text: string, offset: number): boolean {
  const before = text.slice(0, offset);
  const after = text.slice(offset + character.length);
  switch (character) {
    case '\u200c':
    case '\u200d':
      return joins(character, before, after);
    case '\u00b7':
      return before.endsWith('l') && after.startsWith('l');
    case '\u0375':
      return /^\p{Script=Greek}/u.test(after);
    case '\u05f3':
    case '\u05f4':
      return /\p{Script=Hebrew}$/u.test(before);
    case '\u30fb':
      return /[\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Han}]/u.test(text);
    default:
      return character < '\u06f0' ? !/[\u06f0-\u06f9]/.test(text) : !/[\u0660-\u0669]/.test(text);
  }
}

/** Width mapping (RFC 8264 §5.2.1): the characters with such mappings are those of one block. */
export function mapWidth(text: string): string {
  return text.replace(/[\u3000\uff01-\uffee]/g, (character) => character.normalize('NFKC'));
}

/**
 * Applies `rules` until nothing changes, as RFC 8264 §7 asks, and null when four rounds are not enough.
 */
export function stabilize(text: string, rules: (text: string) => string): string | null {
  let current = text;
  for (let round = 0; round < 4; round++) {
    const next = rules(current);
    if (next === current) return current;
    current = next;
  }
  return null;
}
