import { Fault, malformed } from './fault.js';
import { checkUtf8 } from './utf8.js';

/**
 * Bytes that are looked at together. Strings cut out of a window keep that window alive, so it is small: a program
 * that keeps one value of a large read does not keep the read.
 */
const SIZE = 8192;

/**
 * The one place that is scanned: copying into it costs little, and a constant buffer with a zero behind the data lets
 * the inner loops run without a test for the end. All tokenizers use it in turn.
 */
export const bytes: Buffer = Buffer.from(new ArrayBuffer(SIZE + 8));
let user: Window | null = null;

const NOTHING: Uint8Array = new Uint8Array(0);

/** The part of the input that is being scanned: whole characters of valid UTF-8, checked before anything reads them. */
export class Window {
  /** How many bytes there are to scan. The byte behind the last is 0. */
  end = 0;
  /** The window as a string with one character for each byte. */
  text = '';
  /** What is wrong with the character at {@link end}, if the window ends because of it. */
  problem: Fault | null = null;
  /** The beginning of a character whose rest has not arrived: in front of the next chunk. */
  partial: Uint8Array = NOTHING;
  private cut: Uint8Array = NOTHING;
  private chunk: Uint8Array = NOTHING;
  private at = 0;

  /** Takes the next bytes of a chunk, behind the {@link partial} character of the last. */
  load(chunk: Uint8Array, at: number): void {
    this.chunk = chunk;
    this.at = at;
    const loaded = this.fill();
    const check = checkUtf8(bytes, loaded);
    const last = at + loaded - this.partial.length === chunk.length;
    this.cut =
      last && !check.bad && check.valid < loaded ? Uint8Array.from(bytes.subarray(check.valid, loaded)) : NOTHING;
    this.end = check.valid;
    this.problem = check.bad ? new Fault('XML_BAD_UTF8', 'invalid UTF-8') : null;
    this.text = bytes.toString('latin1', 0, check.valid);
    const noncharacter = indexOfNoncharacter(this.text);
    if (noncharacter >= 0) {
      this.end = noncharacter;
      this.problem = malformed('U+FFFE and U+FFFF are not characters of XML');
    }
    bytes[this.end] = 0;
  }

  /** Makes the window what it was, in case another tokenizer ran meanwhile. */
  restore(): void {
    if (user === this) return;
    this.fill();
    bytes[this.end] = 0;
  }

  /** The byte at {@link end} if there is a {@link problem}. */
  get stopByte(): number {
    return this.chunk[this.at + this.end - this.partial.length] ?? 0;
  }

  /** The bytes of the chunk behind the first `scanned` ones of the window. */
  rest(scanned: number): Uint8Array {
    return this.chunk.subarray(Math.max(0, this.at + scanned - this.partial.length));
  }

  /** Ends the work on the window, of which `scanned` bytes are done. Gives the place in the chunk to go on from. */
  leave(scanned: number): number {
    const whole = scanned === this.end && this.problem === null;
    const next = this.at + scanned - this.partial.length + (whole ? this.cut.length : 0);
    this.partial = whole ? this.cut : NOTHING;
    this.cut = this.chunk = NOTHING;
    this.text = '';
    return next;
  }

  private fill(): number {
    claim(this);
    const { chunk, at, partial } = this;
    const taken = Math.min(chunk.length - at, SIZE - partial.length);
    bytes.set(partial);
    if (taken < 32) {
      for (let k = 0; k < taken; k++) bytes[partial.length + k] = chunk[at + k] ?? 0;
    } else {
      bytes.set(chunk.subarray(at, at + taken), partial.length);
    }
    return partial.length + taken;
  }
}

function claim(window: Window): void {
  user = window;
}

/** Where EF BF BE or EF BF BF is in a string of bytes, or -1. */
function indexOfNoncharacter(text: string): number {
  let at = text.indexOf('\xef\xbf');
  while (at >= 0 && text.charCodeAt(at + 2) < 0xbe) at = text.indexOf('\xef\xbf', at + 2);
  return at;
}
