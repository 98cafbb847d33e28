// Domain parts: RFC 7622 §3.2, with IDNA2008 labels (RFC 5890 to 5893).
import { isIPv6 } from 'node:net';
import { domainToASCII, domainToUnicode } from 'node:url';
import { isRightToLeft, obeysBidiRule } from './bidi.js';
import { firstProblem, mapWidth, nameOf, type Problem } from './precis.js';

/** Letters, digits, hyphens. An underscore is tolerated: names of containers and test hosts have it. */
const PLAIN_LABEL = /^[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?$/;
/** ASCII that is in no label. What reads URLs would give it a meaning. */
const DELIMITER = /[\0-,/:-@[-^`{-\x7f]/;
/** Characters that RFC 5892 §2.4 excludes beyond what the PRECIS identifier class does. */
const SYMBOL_MARKS = /[\u20d0-\u20ff\u{1d100}-\u{1d1ff}\u{1d200}-\u{1d24f}]/u;

const Code = { Hyphen: 45, Dot: 46, Zero: 48, Nine: 57, A: 97, Z: 122 } as const;

/** Whether a domain is a name of lower-case ASCII labels, which preparation leaves as it is. One pass, no regular expression. */
export function isPlainDomain(text: string): boolean {
  if (text.length > 253 || text.includes('xn--')) return false;
  let previous: number = Code.Dot;
  let length = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === Code.Dot) {
      if (previous === Code.Dot || previous === Code.Hyphen) return false;
      length = 0;
    } else if (code === Code.Hyphen) {
      if (previous === Code.Dot) return false;
      length++;
    } else if ((code >= Code.A && code <= Code.Z) || (code >= Code.Zero && code <= Code.Nine)) {
      length++;
    } else {
      return false;
    }
    if (length > 63) return false;
    previous = code;
  }
  return previous !== Code.Dot && previous !== Code.Hyphen;
}

/**
 * The domain as it is compared and sent: IP literals canonical, names in lower case without the final dot, labels
 * as U-labels.
 */
export function prepareDomain(text: string): string | Problem {
  if (text.startsWith('[')) return prepareLiteral(text);
  const mapped = lowerCase(mapWidth(text).replaceAll('\u3002', '.')).normalize('NFC');
  const name = mapped.endsWith('.') ? mapped.slice(0, -1) : mapped;
  if (name === '') return { offset: 0, reason: 'it is empty' };

  const labels: string[] = [];
  let start = 0;
  let asciiLength = -1;
  for (const label of name.split('.')) {
    const prepared = prepareLabel(label);
    if (typeof prepared !== 'string') return { offset: start + prepared.offset, reason: prepared.reason };
    const ascii = isAscii(prepared) ? prepared : domainToASCII(prepared);
    if (ascii === '') return { offset: start, reason: `the label ${label} cannot be written in ASCII` };
    if (ascii.length > 63) {
      return { offset: start, reason: `a label is ${ascii.length} bytes long in ASCII, 63 are allowed` };
    }
    labels.push(prepared);
    start += label.length + 1;
    asciiLength += ascii.length + 1;
  }
  if (asciiLength > 253) return { offset: 0, reason: `it is ${asciiLength} bytes long in ASCII, 253 are allowed` };
  if (labels.some(isRightToLeft) && !labels.every(obeysBidiRule)) {
    return { offset: 0, reason: 'it mixes writing directions in a way that RFC 5893 forbids' };
  }
  return labels.join('.');
}

/** In lower case as labels have it: of Cherokee the letters that are "small" since Unicode 8 are in none (RFC 5892 §2.8). */
function lowerCase(text: string): string {
  return text.toLowerCase().replace(/[\u13f8-\u13fd\uab70-\uabbf]/g, (letter) => letter.toUpperCase());
}

/** The name that is looked up for a domain, also for one with symbols that only the older rules allow; or null. */
export function comparableDomain(text: string): string | null {
  const prepared = prepareDomain(text);
  if (typeof prepared === 'string') return isAscii(prepared) ? prepared : domainToASCII(prepared);
  const name = text.endsWith('.') ? text.slice(0, -1) : text;
  return isAscii(name) || DELIMITER.test(name) ? null : domainToASCII(name) || null;
}

function prepareLiteral(text: string): string | Problem {
  const address = text.slice(1, -1);
  if (!text.endsWith(']') || address.includes('%') || !isIPv6(address)) {
    return { offset: 0, reason: 'what stands in brackets is not an IPv6 address' };
  }
  return new URL(`http://${text}`).hostname;
}

function prepareLabel(label: string): string | Problem {
  if (label === '') return { offset: 0, reason: 'a label is empty' };
  if (isAscii(label) && !label.startsWith('xn--')) {
    if (PLAIN_LABEL.test(label)) return label;
    const offset = label.search(/[^a-z0-9_-]/);
    return offset < 0
      ? { offset: 0, reason: 'a label begins or ends with a hyphen' }
      : { offset, reason: `${nameOf(label.charAt(offset))} is not allowed` };
  }
  if (!isAscii(label)) return checkUnicodeLabel(label) ?? (isStable(label) ? label : unstable(label));

  const decoded = PLAIN_LABEL.test(label) ? domainToUnicode(label) : '';
  const valid = !isAscii(decoded) && domainToASCII(decoded) === label && checkUnicodeLabel(decoded) === null;
  return valid ? decoded : { offset: 0, reason: `${label} is not an internationalized label` };
}

/** Whether it is the same when it is read out of its ASCII form: RFC 5892 §2.2 excludes other characters. */
function isStable(label: string): boolean {
  const ascii = domainToASCII(label);
  return ascii === '' || domainToUnicode(ascii) === label;
}

function unstable(label: string): Problem {
  let offset = 0;
  for (const character of label) {
    if (!isStable(`a${character}`)) return { offset, reason: `${nameOf(character)} is not allowed` };
    offset += character.length;
  }
  return { offset: 0, reason: `${label} is not an internationalized label` };
}

/** The rules of RFC 5891 §4.2 for a U-label. */
function checkUnicodeLabel(label: string): Problem | null {
  const symbol = label.search(DELIMITER);
  if (symbol >= 0) return { offset: symbol, reason: `${nameOf(label.charAt(symbol))} is not allowed` };
  const excluded = label.search(SYMBOL_MARKS);
  if (excluded >= 0) return { offset: excluded, reason: `${nameOf(label.slice(excluded))} is never allowed` };
  if (/^[-\p{M}]/u.test(label) || label.endsWith('-')) {
    return { offset: 0, reason: 'a label begins with a mark, or begins or ends with a hyphen' };
  }
  if (label.slice(2, 4) === '--') return { offset: 2, reason: 'a label has hyphens in its third and fourth place' };
  return firstProblem(label, 'identifier');
}

function isAscii(text: string): boolean {
  return /^[\0-\x7f]*$/.test(text);
}
