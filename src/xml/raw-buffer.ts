/**
 * A Buffer with what is behind its `toString()` and `write()`: those look at their arguments first, which for a short
 * text costs more than the work. Every release of Node since 4 has these methods, though its documentation leaves them out.
 */
export interface RawBuffer extends Buffer {
  utf8Slice(start: number, end: number): string;
  /** Writes the low byte of each UTF-16 code unit, as many as there is room for, and gives their number. */
  latin1Write(text: string): number;
}
