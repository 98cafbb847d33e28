// XML 1.0 (fifth edition) §2.2, §2.3; Namespaces in XML 1.0 §3.

export const TAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const BANG = 0x21;
export const QUOTE = 0x22;
export const HASH = 0x23;
export const AMP = 0x26;
export const APOSTROPHE = 0x27;
export const SLASH = 0x2f;
export const SEMICOLON = 0x3b;
export const LT = 0x3c;
export const EQUALS = 0x3d;
export const GT = 0x3e;
export const QUESTION = 0x3f;
export const OPEN_BRACKET = 0x5b;
export const CLOSE_BRACKET = 0x5d;

/** Bits of {@link BYTE_CLASS}. */
export const IS_NAME_START = 1;
export const IS_NAME = 2;
export const IS_SPACE = 4;
export const ENDS_NAME = 8;

/** Values of the content tables: below `SPECIAL` a byte is content as it stands. */
export const PLAIN = 0;
const HIGH = 1;
export const SPECIAL = 2;

/** Fills a table of 256 entries. */
function table(entry: (byte: number) => number): Uint8Array {
  return new Uint8Array(256).map((_, byte) => entry(byte));
}

const content = (byte: number, special: string): number => {
  if (byte >= 0x80) return HIGH;
  return byte < 0x20 || special.includes(String.fromCharCode(byte)) ? SPECIAL : PLAIN;
};

/** What a byte may be in markup. Bytes of 0x80 and above count as name characters until the whole name is seen. */
export const BYTE_CLASS = table((byte) => {
  const char = String.fromCharCode(byte);
  if (byte >= 0x80 || /[A-Za-z_:]/.test(char)) return IS_NAME_START | IS_NAME;
  if (/[-.0-9]/.test(char)) return IS_NAME;
  if (/[ \t\r\n]/.test(char)) return IS_SPACE | ENDS_NAME;
  return /[=/>]/.test(char) ? ENDS_NAME : 0;
});

/** Bytes of character data. Tab and line feed are plain; `>` is special because of `]]>`. */
export const TEXT_CLASS = table((byte) => (byte === TAB || byte === LF ? PLAIN : content(byte, '<&>')));

/** Bytes of an attribute value. Both quotes are special; white space but the blank is, because it becomes one. */
export const VALUE_CLASS = table((byte) => content(byte, `<&"'`));

/** Bytes of a CDATA section. */
export const CDATA_CLASS = table((byte) => (byte === TAB || byte === LF ? PLAIN : content(byte, ']')));

const START = String.raw`A-Z_a-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c\u200d\u2070-\u218f\u2c00-\u2fef\u3001-\ud7ff\uf900-\ufdcf\ufdf0-\ufffd\u{10000}-\u{effff}`;
const REST = String.raw`${START}\-.0-9\u00b7\u0300-\u036f\u203f\u2040`;

// eslint-disable-next-line no-misleading-character-class -- the ranges of the production, not characters to match as they look
const NCNAME = new RegExp(`^[${START}][${REST}]*$`, 'u');
const NOT_CHAR = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u;

/** Whether a string is a name without a colon. */
export function isNCName(name: string): boolean {
  return NCNAME.test(name);
}

/** Index of the first code unit that no XML document can hold (control, lone surrogate, U+FFFE, U+FFFF), or -1. */
export function indexOfForbidden(text: string): number {
  return text.search(NOT_CHAR);
}

/** Whether a byte, or a code unit, is white space to XML. */
export function isSpace(code: number): boolean {
  return code === 0x20 || code === TAB || code === LF || code === CR;
}

/** A text without white space around it. */
export function trimmed(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && isSpace(text.charCodeAt(start))) start += 1;
  while (end > start && isSpace(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

/** Whether a code point may stand in an XML document. */
export function isChar(code: number): boolean {
  return (
    (code >= 0x20 && code <= 0xd7ff) ||
    code === TAB ||
    code === LF ||
    code === CR ||
    (code >= 0xe000 && code <= 0xfffd) ||
    (code >= 0x10000 && code <= 0x10ffff)
  );
}
