import { AMP, CLOSE_BRACKET, CR, GT, LF, LT, OPEN_BRACKET } from '../characters.js';
import type { TokenBuffer } from './token-buffer.js';
import { malformed, shownByte } from './fault.js';
import { predefinedAt, Reference } from './references.js';
import { endOfCdata, endOfPlainText, endOfText } from './runs.js';
import { bytes, type Window } from './window.js';

type State =
  | 'text'
  | 'text-cr' // behind CR: a following LF belongs to it
  | 'reference' // behind '&'
  | 'keyword' // in 'CDATA['
  | 'cdata'
  | 'cdata-cr'
  | 'brackets'; // behind one or more ']'

const KEYWORD = [...Buffer.from('CDATA'), OPEN_BRACKET];

/**
 * The text between tags, with the CDATA sections in it (XML 1.0 §2.4, §2.7, §2.11). It is collected as one piece:
 * where it ends is known when a tag begins.
 */
export class CharacterData {
  private state: State = 'text';
  private readonly reference = new Reference();
  /** How many `]` stand directly before this place as written; bytes of the keyword that were seen. */
  private count = 0;

  constructor(
    private readonly window: Window,
    private readonly buffer: TokenBuffer,
  ) {}

  /** Whether a tag ended directly before this place, so that nothing has to be remembered. */
  get fresh(): boolean {
    // Any "]" that counts is in the buffer.
    return this.state === 'text' && this.buffer.empty;
  }

  /** Bytes put aside, about. */
  get kept(): number {
    return this.reference.length;
  }

  /** `<` was read, and what follows is not a CDATA section. */
  end(): void {
    this.count = 0;
  }

  /** `<![` was read. */
  beginCdata(): void {
    this.state = 'keyword';
    this.count = 0;
  }

  /** Goes on reading. Gives whether a `<` was read. */
  read(): boolean {
    const { window, buffer } = this;
    while (window.at !== window.end) {
      const byte = bytes[window.at] as number;
      switch (this.state) {
        case 'text':
          if (this.text()) return true;
          continue;
        case 'reference': {
          const char = this.reference.take(byte);
          if (char !== null) {
            buffer.add(char);
            this.state = 'text';
          }
          break;
        }
        case 'text-cr':
        case 'cdata-cr':
          this.state = this.state === 'text-cr' ? 'text' : 'cdata';
          if (byte !== LF) continue;
          break;
        case 'keyword':
          if (byte !== KEYWORD[this.count]) throw malformed('"<![" without "CDATA["');
          if (++this.count === KEYWORD.length) this.state = 'cdata';
          break;
        case 'cdata':
          this.cdata();
          continue;
        case 'brackets':
          if (byte === CLOSE_BRACKET) {
            this.count++;
          } else if (byte === GT && this.count >= 2) {
            buffer.add(']'.repeat(this.count - 2));
            this.count = 0;
            this.state = 'text';
          } else {
            buffer.add(']'.repeat(this.count));
            this.state = 'cdata';
            continue;
          }
      }
      window.at++;
    }
    return false;
  }

  /** Reads a run of text and what ends it. Gives whether that was a `<`. */
  private text(): boolean {
    const { window, buffer } = this;
    const start = window.at;
    const plain = endOfPlainText(start);
    const stop = (bytes[plain] as number) < 0x80 ? plain : endOfText(plain);
    window.at = stop;
    this.countBrackets(start, stop);
    if (stop === window.end) {
      if (stop === plain) buffer.add(window.text.slice(start, stop));
      else buffer.keep(start, stop);
      return false;
    }
    if (stop > start) {
      buffer.add(stop === plain ? window.text.slice(start, stop) : bytes.toString('utf8', start, stop));
    }
    switch (bytes[stop]) {
      case LT:
        break;
      case AMP:
        this.count = 0;
        this.ampersand();
        return false;
      case GT:
        if (this.count >= 2) throw malformed('"]]>" in text');
        this.count = 0;
        buffer.add('>');
        break;
      case CR:
        this.count = 0;
        buffer.add('\n');
        this.state = 'text-cr';
        break;
      default:
        throw malformed(`${shownByte(bytes[stop] as number)} in text`);
    }
    window.at++;
    return bytes[stop] === LT;
  }

  private ampersand(): void {
    const { window, buffer } = this;
    window.at++;
    const entity = predefinedAt(window.at);
    if (entity === null) {
      this.state = 'reference';
      return;
    }
    buffer.add(entity.char);
    window.at += entity.packed.length;
  }

  private cdata(): void {
    const { window, buffer } = this;
    const start = window.at;
    const stop = this.endOfRun(start);
    window.at = stop;
    if (stop === window.end) {
      buffer.keep(start, stop);
      return;
    }
    if (stop > start) buffer.add(bytes.toString('utf8', start, stop));
    const byte = bytes[stop] as number;
    if (byte === CLOSE_BRACKET) {
      this.count = 1;
      this.state = 'brackets';
    } else if (byte === CR) {
      buffer.add('\n');
      this.state = 'cdata-cr';
    } else {
      throw malformed(`${shownByte(byte)} in a CDATA section`);
    }
    window.at++;
  }

  /** Where the content of a CDATA section has to be looked at: brackets that cannot end it are content like any other. */
  private endOfRun(start: number): number {
    const { end } = this.window;
    let stop = endOfCdata(start);
    while (stop < end && bytes[stop] === CLOSE_BRACKET) {
      let behind = stop + 1;
      while (behind < end && bytes[behind] === CLOSE_BRACKET) behind++;
      if (behind === end || bytes[behind] === GT) break;
      stop = endOfCdata(behind);
    }
    return stop;
  }

  /** Counts the `]` at the end of text. */
  private countBrackets(start: number, stop: number): void {
    let first = stop;
    while (first > start && stop - first < 2 && bytes[first - 1] === CLOSE_BRACKET) first--;
    this.count = stop - first + (first === start ? this.count : 0);
  }
}
