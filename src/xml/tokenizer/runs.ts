// The inner loops. None of them tests for the end of the window: the zero behind it is no character of any run.
import {
  BYTE_CLASS,
  CDATA_CLASS,
  ENDS_NAME,
  IS_NAME,
  IS_NAME_START,
  PLAIN,
  SPECIAL,
  TEXT_CLASS,
  VALUE_CLASS,
} from '../characters.js';
import { bytes as windowBytes, view as windowView } from './window.js';

// Constants of this module and not of others: where these functions are inlined, the engine takes them for constant.
const bytes = windowBytes;
const view = windowView;
const markup = BYTE_CLASS;
const text = TEXT_CLASS;
const value = VALUE_CLASS;
const cdata = CDATA_CLASS;
const name = IS_NAME;
const nameStart = IS_NAME_START;
const nameEnd = ENDS_NAME;
const plain = PLAIN;
const special = SPECIAL;

/** Whether a name may begin at `i`. */
export function isNameStart(i: number): boolean {
  return ((markup[bytes[i] as number] as number) & nameStart) !== 0;
}

/** Whether the byte at `i` may stand behind a name in a start tag. */
export function endsName(i: number): boolean {
  return ((markup[bytes[i] as number] as number) & nameEnd) !== 0;
}

/** Where the characters of a name that begin at `i` end. */
export function endOfName(i: number): number {
  while (((markup[bytes[i] as number] as number) & name) !== 0) i = (i + 1) | 0;
  return i;
}

/*
 * Plain ASCII is looked for four bytes at a time: a byte that is not plain leaves its highest bit in `stops`, and
 * whatever spills over from it goes to the bytes behind it.
 */

/** Where text that is plain ASCII ends. */
export function endOfPlainText(i: number): number {
  for (;;) {
    const word = view.getInt32(i, true);
    // Above 0x7f, below 0x20, "&", "<" and ">".
    const amp = word ^ 0x26262626;
    const angle = (word & 0xfdfdfdfd) ^ 0x3c3c3c3c;
    const stops = (word | (word - 0x20202020) | (amp - 0x01010101) | (angle - 0x01010101)) & 0x80808080;
    if (stops === 0) {
      i = (i + 4) | 0;
      continue;
    }
    i = (i + ((31 - Math.clz32(stops & -stops)) >> 3)) | 0;
    if (text[bytes[i] as number] !== plain) return i;
    i = (i + 1) | 0;
  }
}

/** Where text ends that needs nothing but to be decoded. */
export function endOfText(i: number): number {
  while ((text[bytes[i] as number] as number) < special) i = (i + 1) | 0;
  return i;
}

/** Where an attribute value that is plain ASCII ends. */
export function endOfPlainValue(i: number): number {
  for (;;) {
    const word = view.getInt32(i, true);
    // Above 0x7f, "<", and below 0x28: what of that may stand in a value is rare in one.
    const less = word ^ 0x3c3c3c3c;
    const stops = (word | (word - 0x28282828) | (less - 0x01010101)) & 0x80808080;
    if (stops === 0) {
      i = (i + 4) | 0;
      continue;
    }
    i = (i + ((31 - Math.clz32(stops & -stops)) >> 3)) | 0;
    if (value[bytes[i] as number] !== plain) return i;
    i = (i + 1) | 0;
  }
}

/** Where an attribute value ends that needs nothing but to be decoded. */
export function endOfValue(i: number): number {
  while ((value[bytes[i] as number] as number) < special) i = (i + 1) | 0;
  return i;
}

/** Where the content of a CDATA section ends that needs nothing but to be decoded. */
export function endOfCdata(i: number): number {
  while ((cdata[bytes[i] as number] as number) < special) i = (i + 1) | 0;
  return i;
}
