import { Fault, malformed } from './fault.js';
import { checkUtf8 } from './utf8.js';

/**
 * Bytes that are looked at together. Strings cut out of a window keep that window alive, so it is small: a program
 * that keeps one value of a large read does not keep the read.
 */
const SIZE = 8192;
/** Room behind the window for comparisons that read ahead. */
export const READ_AHEAD = 256;

/**
 * The one place that is scanned: copying into it costs little, and a constant buffer with a zero behind the data lets
 * the inner loops run without a test for the end. All tokenizers use it in turn.
 */
export const bytes: Buffer = Buffer.alloc(SIZE + READ_AHEAD + 8);
export const view: DataView = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
let user: Window | null = null;

/** Bytes that a UTF-16 code unit may become; only of ASCII it is one. */
const MOST_BYTES = 3;

const NOTHING: Uint8Array = new Uint8Array(0);

/** The part of the input that is being scanned: whole characters of valid UTF-8, checked before anything reads them. */
export class Window {
  /** Offset in the stream of the first byte. */
  base = 0;
  /** The next byte to scan. */
  at = 0;
  /** Where to stop. The byte there is 0. */
  end = 0;
  /** The window as a string with one character for each byte. */
  text = '';
  /** What is wrong with the character at the end, if the window ends because of it. */
  problem: Fault | null = null;
  /** The beginning of a character whose rest has not arrived: in front of the next chunk. */
  partial: Uint8Array = NOTHING;
  private cut: Uint8Array = NOTHING;
  private chunk: Uint8Array = NOTHING;
  private from = 0;
  /** The end before it was moved by {@link stopAt}, and the byte that is there now. */
  private fullEnd = 0;
  private hidden = 0;

  /** Offset in the stream of the next byte to scan. */
  get offset(): number {
    return this.base + this.at;
  }

  /** The byte at the end if there is a {@link problem}. */
  get stopByte(): number {
    return this.chunk[this.from + this.end - this.partial.length] ?? 0;
  }

  /** What has arrived of the chunk and is not scanned. */
  get rest(): Uint8Array {
    return this.chunk.subarray(Math.max(0, this.from + this.at - this.partial.length));
  }

  /** Takes the next bytes of a chunk, behind the {@link partial} character of the last. */
  load(chunk: Uint8Array, from: number): void {
    this.chunk = chunk;
    this.from = from;
    const loaded = this.fill();
    const check = checkUtf8(bytes, loaded);
    const last = from + loaded - this.partial.length === chunk.length;
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
    this.at = 0;
    this.fullEnd = this.end;
    bytes[this.end] = 0;
  }

  /**
   * Takes the whole of a text. False: it is too long, or not ASCII, and has to be loaded as bytes. What is ASCII needs no
   * check, and is the window as a string already. What another tokenizer overwrites is not restored.
   */
  loadText(text: string): boolean {
    // So there is room for all of it, whatever it is.
    if (text.length * MOST_BYTES > SIZE) return false;
    claim(this);
    const length = bytes.write(text, 0, SIZE, 'utf8');
    if (length !== text.length) return false;
    this.text = text;
    this.problem = null;
    this.at = 0;
    this.end = this.fullEnd = length;
    bytes[length] = 0;
    return true;
  }

  /** Moves the end to an offset of the stream, if that is in the window. */
  stopAt(offset: number): void {
    const end = offset - this.base;
    if (end >= this.end) return;
    this.hidden = bytes[end] as number;
    this.end = end;
    bytes[end] = 0;
  }

  /** Whether the end was moved. */
  get stopsEarly(): boolean {
    return this.end !== this.fullEnd;
  }

  /** Moves the end back. */
  unstop(): void {
    if (this.end === this.fullEnd) return;
    bytes[this.end] = this.hidden;
    this.end = this.fullEnd;
  }

  /** Makes the window what it was, in case another tokenizer ran meanwhile. */
  restore(): void {
    if (user === this) return;
    this.fill();
    bytes[this.end] = 0;
  }

  /** Ends the work on the window. Gives the place in the chunk to go on from. */
  leave(): number {
    const whole = this.at === this.end && this.problem === null;
    const next = this.from + this.at - this.partial.length + (whole ? this.cut.length : 0);
    this.partial = whole ? this.cut : NOTHING;
    this.cut = this.chunk = NOTHING;
    this.text = '';
    this.base += this.at;
    this.at = this.end = this.fullEnd = 0;
    return next;
  }

  private fill(): number {
    claim(this);
    const { chunk, from, partial } = this;
    const taken = Math.min(chunk.length - from, SIZE - partial.length);
    if (partial.length > 0) bytes.set(partial);
    bytes.set(taken === chunk.length ? chunk : chunk.subarray(from, from + taken), partial.length);
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
