/** What moves the cursor, or turns the direction of writing: but for the end of a line, which we write ourselves. */
const UNFIT = /[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/**
 * What others sent, so that it does not change what is on the screen. JSON stays what it is: JSON.stringify leaves most of
 * these characters as they are, and writes what it escapes in the same way.
 */
export function escaped(text: string): string {
  return text.replace(UNFIT, (c) => (c === '\n' ? c : `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`));
}
