import { isUtf8 } from 'node:buffer';

/** The answer of {@link checkUtf8}. */
export interface Utf8Check {
  /** Bytes that are whole, valid characters. */
  valid: number;
  /** Whether the byte at `valid` begins a sequence that can never become valid; else it is merely incomplete. */
  bad: boolean;
}

/**
 * How much of `bytes[0, end)` is whole characters of strict UTF-8 (RFC 3629 §4: no overlong forms, no surrogates,
 * nothing above U+10FFFF).
 */
export function checkUtf8(bytes: Uint8Array, end: number): Utf8Check {
  let valid = wholeCharacters(bytes, end);
  if (isUtf8(bytes.subarray(0, valid))) {
    const rest = valid === end ? 0 : sequence(bytes, valid, end);
    return { valid, bad: rest < 0 };
  }
  valid = 0;
  while (valid < end) {
    const length = sequence(bytes, valid, end);
    if (length <= 0) return { valid, bad: length < 0 };
    valid += length;
  }
  return { valid, bad: false };
}

/** Where the last character begins if it may be incomplete, else `end`. */
function wholeCharacters(bytes: Uint8Array, end: number): number {
  for (let back = 1; back <= 3; back++) {
    const byte = bytes[end - back] ?? 0;
    if (byte < 0x80) return end;
    if (byte >= 0xc0) {
      const needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return needed > back ? end - back : end;
    }
  }
  return end;
}

/** Length of the character at `at`: 1 to 4, 0 if the bytes end inside it, -1 if it is invalid. */
function sequence(bytes: Uint8Array, at: number, end: number): number {
  const lead = bytes[at] as number;
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return -1;
  const length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  // The second byte rules out overlong forms, surrogates and what lies above U+10FFFF.
  const lowest = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const highest = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  for (let k = 1; k < length; k++) {
    if (at + k >= end) return 0;
    const byte = bytes[at + k] as number;
    if (byte < (k === 1 ? lowest : 0x80) || byte > (k === 1 ? highest : 0xbf)) return -1;
  }
  return length;
}
