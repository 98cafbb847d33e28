import { CDATA_CLASS, CLOSE_BRACKET, CR, GT, LF, SPECIAL } from './characters.js';
import type { Collected } from './collected.js';
import { malformed, shownByte } from './fault.js';
import { bytes } from './window.js';

const OPENING = 0; // in 'CDATA['
const CONTENT = 1;
const AFTER_CR = 2; // a following LF belongs to the CR
const BRACKETS = 3; // behind one or more ']'

const KEYWORD = [...Buffer.from('CDATA[')];

/** A CDATA section from behind its `<![` (XML 1.0 §2.7). What it holds is text like any other. */
export class CdataSection {
  private state = OPENING;
  /** Bytes of the keyword, or brackets, that were seen. */
  private count = 0;
  /** Whether the `]]>` is still to come. */
  open = false;

  constructor(private readonly collected: Collected) {}

  begin(): void {
    this.state = OPENING;
    this.count = 0;
    this.open = true;
  }

  /** Reads from `i`, up to `end` or behind the `]]>`. `text` is the window as a string, `base` its offset. */
  scan(i: number, end: number, text: string, base: number): number {
    while (i !== end && this.open) {
      const byte = bytes[i] as number;
      switch (this.state) {
        case OPENING:
          if (byte !== KEYWORD[this.count]) throw malformed('"<![" without "CDATA["', base + i);
          i++;
          if (++this.count === KEYWORD.length) this.state = CONTENT;
          break;
        case CONTENT:
          i = this.content(i, end, text, base);
          break;
        case AFTER_CR:
          if (byte === LF) i++;
          this.state = CONTENT;
          break;
        case BRACKETS:
          if (byte === CLOSE_BRACKET) {
            this.count++;
            i++;
          } else if (byte === GT && this.count >= 2) {
            this.addBrackets(this.count - 2);
            this.open = false;
            i++;
          } else {
            this.addBrackets(this.count);
            this.state = CONTENT;
          }
      }
    }
    return i;
  }

  private content(start: number, end: number, text: string, base: number): number {
    let i = start;
    let high = 0;
    let kind: number;
    while ((kind = CDATA_CLASS[bytes[i] as number] as number) < SPECIAL) {
      high |= kind;
      i++;
    }
    if (i === end) {
      this.collected.keep(start, i);
      return i;
    }
    if (i > start) this.collected.add(high === 0 ? text.slice(start, i) : bytes.toString('utf8', start, i));
    const byte = bytes[i] as number;
    if (byte === CLOSE_BRACKET) {
      this.count = 1;
      this.state = BRACKETS;
    } else if (byte === CR) {
      this.collected.add('\n');
      this.state = AFTER_CR;
    } else {
      throw malformed(`${shownByte(byte)} in a CDATA section`, base + i);
    }
    return i + 1;
  }

  private addBrackets(count: number): void {
    if (count > 0) this.collected.add(']'.repeat(count));
  }
}
