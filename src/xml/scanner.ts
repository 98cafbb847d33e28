import {
  AMP,
  APOSTROPHE,
  BANG,
  BYTE_CLASS,
  CLOSE_BRACKET,
  CR,
  EQUALS,
  GT,
  HASH,
  IS_NAME,
  IS_NAME_START,
  IS_SPACE,
  LF,
  LT,
  OPEN_BRACKET,
  QUESTION,
  QUOTE,
  REFERENCE_LENGTH,
  resolveReference,
  SEMICOLON,
  SLASH,
  SPACE,
  SPECIAL,
  TAB,
  TEXT_CLASS,
  VALUE_CLASS,
} from './characters.js';
import { CdataSection } from './cdata.js';
import { Collected } from './collected.js';
import type { Element } from './element.js';
import { Fault, malformed, restricted, shown, shownByte, tooMuch } from './fault.js';
import type { XmlLimits } from './limits.js';
import { hashByte, type Name, nameAt } from './names.js';
import { Prolog } from './prolog.js';
import { NO_NAMESPACE, Scope } from './scope.js';
import { Tree } from './tree.js';
import { bytes, type Window } from './window.js';

// Where the scanner is. Every state can be left and entered between any two characters.
const PROLOG = 0; // up to the '<' of the root element
const STREAM = 1; // in the root, between stanzas
const EPILOG = 2; // behind the root
const MARKUP = 3; // behind '<'
const DECLARATION = 4; // behind '<!'
const TAG_NAME = 5;
const IN_TAG = 6; // behind a name or value: an attribute needs white space first
const BEFORE_ATTRIBUTE = 7;
const ATTRIBUTE_NAME = 8;
const BEFORE_EQUALS = 9;
const BEFORE_VALUE = 10;
const VALUE = 11;
const VALUE_CR = 12; // behind CR: a following LF belongs to it
const EMPTY_TAG = 13; // behind '/'
const END_NAME = 14;
const END_TAG = 15; // behind the name
const TEXT = 16;
const TEXT_CR = 17;
const REFERENCE = 18; // behind '&'
const CDATA = 19;

/** What comes out of the scanner. {@link Scanner.stopped} may be set from within. */
export interface ScannerEvents {
  streamStart(header: Element): void;
  element(element: Element): void;
  streamEnd(): void;
  whitespace(): void;
}

/**
 * The state machine of XMPP's XML (RFC 6120 §11): a root element whose children are stanzas, no comments, processing
 * instructions or document type, no entities but the predefined ones. Each byte is looked at once; what is incomplete
 * at the end of a window is put aside, so time is linear however the bytes arrive.
 *
 * The loops over names, values and text need no test for the end of the window: the zero behind it is no character of
 * any of them.
 */
export class Scanner {
  /** Return before the next token. */
  stopped = false;
  /** Offset in the stream of the first byte of the window. */
  base = 0;
  /** Bytes of the window that are done, as of the last event. */
  done = 0;
  private state = PROLOG;
  private readonly collected = new Collected();
  private readonly prolog = new Prolog(this.collected);
  private readonly cdata = new CdataSection(this.collected);
  private readonly tree: Tree;
  /** Offset at which the header or stanza began, -1 between stanzas; and how long it may be. */
  private began = 0;
  private allowed: number;
  private inHeader = true;
  private clipped = -1;
  private clippedByte = 0;
  private hash = 0;
  private attribute: Name | null = null;
  private quote = 0;
  private valueBegan = 0;
  /** Bytes of an end tag's name that were seen. */
  private matched = 0;
  /** How many `]` stand directly before this place, as written. */
  private brackets = 0;
  private reference = '';
  private referenceIn = TEXT;

  constructor(
    private readonly window: Window,
    private readonly limits: XmlLimits,
    private readonly events: ScannerEvents,
    /** Start inside a root that is only thought of, with this in scope. */
    private readonly inside: Scope | null,
  ) {
    this.tree = new Tree(limits, inside ?? new Scope(NO_NAMESPACE));
    this.allowed = limits.headerBytes;
    if (inside === null) return;
    this.tree.enterRoot();
    this.state = STREAM;
    this.began = -1;
    this.inHeader = false;
  }

  /** Whether a stanza or the header has begun and is not complete. */
  get inStanza(): boolean {
    return this.began >= 0 && !(this.state === PROLOG && this.prolog.blank);
  }

  /** Bytes of the current token that are put aside, about. */
  get kept(): number {
    return this.collected.size + this.reference.length;
  }

  /** Lets go of everything that was built. */
  drop(): void {
    this.tree.drop();
    this.collected.take();
  }

  /** The fault of an invalid byte at this place, if it tells the encoding. */
  encodingFault(byte: number): Fault | null {
    return this.state === PROLOG ? this.prolog.encodingFault(byte) : null;
  }

  /**
   * Scans the window from its start. Gives how many bytes are done: all, or less when an event stopped it.
   * @throws Fault for everything that ends the stream
   */
  scan(): number {
    const { tree, collected, window, base } = this;
    const text = window.text;
    let state = this.state;
    let end = this.clip();
    let i = 0;
    try {
      while (i !== end) {
        const byte = bytes[i] as number;
        switch (state) {
          case TEXT: {
            const start = i;
            let high = 0;
            let kind: number;
            while ((kind = TEXT_CLASS[bytes[i] as number] as number) < SPECIAL) {
              high |= kind;
              i++;
            }
            if (bytes[i] === LT) {
              const next = bytes[i + 1] as number;
              i++;
              state = MARKUP;
              if (i - 1 === start) continue;
              const run = high === 0 ? text.slice(start, i - 1) : bytes.toString('utf8', start, i - 1);
              if (next !== BANG && next !== 0 && collected.empty) tree.text(run);
              else collected.add(run);
            } else if (i === end) {
              this.countBrackets(start, i);
              collected.keep(start, i);
            } else {
              if (i > start) collected.add(high === 0 ? text.slice(start, i) : bytes.toString('utf8', start, i));
              this.countBrackets(start, i);
              state = this.specialText(bytes[i] as number);
              i++;
            }
            continue;
          }

          case MARKUP:
            this.brackets = 0;
            if ((BYTE_CLASS[byte] as number) & IS_NAME_START) {
              if (!collected.empty) tree.text(collected.take());
              this.hash = 0;
              state = TAG_NAME;
            } else if (byte === SLASH) {
              if (!collected.empty) tree.text(collected.take());
              if (tree.openName === undefined) throw malformed('an end tag without a start tag');
              this.matched = 0;
              i++;
              state = END_NAME;
            } else if (byte === BANG) {
              i++;
              state = DECLARATION;
            } else {
              throw byte === QUESTION
                ? restricted('a processing instruction')
                : malformed(`${shownByte(byte)} behind "<"`);
            }
            continue;

          case TAG_NAME: {
            const start = i;
            let hash = this.hash;
            while ((BYTE_CLASS[bytes[i] as number] as number) & IS_NAME) hash = hashByte(hash, bytes[i++] as number);
            const name = this.name(start, i, end, hash);
            if (name === null) continue;
            tree.open(name);
            state = IN_TAG;
            continue;
          }

          case IN_TAG:
          case BEFORE_ATTRIBUTE:
            if ((BYTE_CLASS[byte] as number) & IS_SPACE) {
              i++;
              state = BEFORE_ATTRIBUTE;
            } else if (byte === GT) {
              i++;
              tree.opened();
              if (tree.depth > 1) {
                state = TEXT;
                continue;
              }
              this.state = state = STREAM;
              end = this.leave(i);
              this.events.streamStart(tree.closeHeader());
              if (this.stopped) return i;
              window.restore();
            } else if (byte === SLASH) {
              i++;
              state = EMPTY_TAG;
            } else if ((BYTE_CLASS[byte] as number) & IS_NAME_START) {
              if (state === IN_TAG) throw malformed('no white space in front of an attribute');
              this.hash = 0;
              state = ATTRIBUTE_NAME;
            } else {
              throw malformed(`${shownByte(byte)} in a tag`);
            }
            continue;

          case ATTRIBUTE_NAME: {
            const start = i;
            let hash = this.hash;
            while ((BYTE_CLASS[bytes[i] as number] as number) & IS_NAME) hash = hashByte(hash, bytes[i++] as number);
            const name = this.name(start, i, end, hash);
            if (name === null) continue;
            tree.attributeName(name);
            this.attribute = name;
            state = BEFORE_EQUALS;
            const quote = bytes[i + 1] as number;
            if (bytes[i] !== EQUALS || (quote !== APOSTROPHE && quote !== QUOTE)) continue;
            // Most often the whole value is here and is what it says.
            let high = 0;
            let kind: number;
            let last = i + 2;
            while ((kind = VALUE_CLASS[bytes[last] as number] as number) < SPECIAL) {
              high |= kind;
              last++;
            }
            if (bytes[last] !== quote || last - i - 2 > this.limits.attributeValueBytes) continue;
            const value = high === 0 ? text.slice(i + 2, last) : bytes.toString('utf8', i + 2, last);
            i = last;
            tree.attribute(name, value);
            i++;
            if (bytes[i] === SPACE && (BYTE_CLASS[bytes[i + 1] as number] as number) & IS_NAME_START) {
              i++;
              this.hash = 0;
              state = ATTRIBUTE_NAME;
            } else {
              state = IN_TAG;
            }
            continue;
          }

          case BEFORE_EQUALS:
            if (byte === EQUALS) state = BEFORE_VALUE;
            else if (((BYTE_CLASS[byte] as number) & IS_SPACE) === 0) throw malformed('an attribute without a value');
            i++;
            continue;

          case BEFORE_VALUE:
            i++;
            if ((BYTE_CLASS[byte] as number) & IS_SPACE) continue;
            if (byte !== APOSTROPHE && byte !== QUOTE)
              throw malformed('an attribute value without quotes', base + i - 1);
            this.quote = byte;
            this.valueBegan = base + i;
            state = VALUE;
            continue;

          case VALUE: {
            const start = i;
            let high = 0;
            let kind: number;
            while ((kind = VALUE_CLASS[bytes[i] as number] as number) < SPECIAL) {
              high |= kind;
              i++;
            }
            this.limitValue(i);
            if (i === end) {
              collected.keep(start, i);
              continue;
            }
            if (i > start) collected.add(high === 0 ? text.slice(start, i) : bytes.toString('utf8', start, i));
            state = this.specialValue(bytes[i] as number);
            i++;
            continue;
          }

          case VALUE_CR:
          case TEXT_CR:
            if (byte === LF) i++;
            state = state === VALUE_CR ? VALUE : TEXT;
            continue;

          case REFERENCE:
            if (this.readReference(byte)) state = this.referenceIn;
            i++;
            continue;

          case EMPTY_TAG:
            if (byte !== GT) throw malformed('"/" that does not end a tag');
            i++;
            tree.opened();
            if (tree.depth === 1) {
              this.leave(i);
              this.events.streamStart(tree.closeHeader());
              window.restore();
            }
            state = this.elementEnd(i);
            if (state === TEXT) continue;
            if (this.stopped) return i;
            end = window.end;
            continue;

          case END_NAME: {
            const name = (tree.openName as Name).bytes;
            let matched = this.matched;
            while (matched < name.length && bytes[i] === name[matched]) {
              matched++;
              i++;
            }
            this.matched = matched;
            if (matched === name.length) state = END_TAG;
            else if (i !== end) throw mismatch(tree.openName as Name);
            continue;
          }

          case END_TAG:
            i++;
            if (byte !== GT) {
              if ((BYTE_CLASS[byte] as number) & IS_SPACE) {
                this.matched = -1;
                continue;
              }
              i--;
              throw this.matched >= 0 && (BYTE_CLASS[byte] as number) & IS_NAME
                ? mismatch(tree.openName as Name)
                : malformed(`${shownByte(byte)} in an end tag`);
            }
            state = this.elementEnd(i);
            if (state === TEXT) continue;
            if (this.stopped) return i;
            end = window.end;
            continue;

          case STREAM: {
            const start = i;
            while ((BYTE_CLASS[bytes[i] as number] as number) & IS_SPACE) i++;
            if (i > start) {
              this.state = STREAM;
              this.done = i;
              this.events.whitespace();
              if (this.stopped) return i;
              window.restore();
            }
            if (i === end) continue;
            if (bytes[i] !== LT) throw streamText(bytes[i] as number);
            this.began = base + i;
            this.allowed = this.limits.stanzaBytes;
            end = this.clip();
            i++;
            state = MARKUP;
            continue;
          }

          case DECLARATION:
            if (byte !== OPEN_BRACKET) {
              throw byte === 0x2d || (BYTE_CLASS[byte] as number) & IS_NAME_START
                ? restricted(byte === 0x2d ? 'a comment' : 'a document type')
                : malformed(`${shownByte(byte)} behind "<!"`);
            }
            if (tree.depth < 2) throw tree.depth === 0 ? malformed('a CDATA section outside the root') : streamText(LT);
            this.cdata.begin();
            i++;
            state = CDATA;
            continue;

          case CDATA:
            i = this.cdata.scan(i, end, text, base);
            if (!this.cdata.open) state = TEXT;
            continue;

          case PROLOG:
            i = this.prolog.scan(i, end, base);
            if (this.prolog.done) state = MARKUP;
            continue;

          case EPILOG:
            if (((BYTE_CLASS[byte] as number) & IS_SPACE) === 0)
              throw malformed('something behind the end of the stream');
            i++;
        }
      }
      if (this.clipped >= 0) throw this.tooLong();
    } catch (error) {
      if (error instanceof Fault && error.offset < 0) error.offset = base + i;
      throw error;
    }
    this.state = state;
    return i;
  }

  /** An element's last byte was read. Gives the next state; on the outermost levels an event was fired. */
  private elementEnd(i: number): number {
    const { tree } = this;
    const element = tree.close();
    if (tree.depth > 1) return TEXT;
    this.state = tree.depth === 1 ? STREAM : EPILOG;
    this.leave(i);
    if (element !== null && tree.depth === 1) this.events.element(element);
    else this.events.streamEnd();
    this.window.restore();
    return this.state;
  }

  /** The header or a stanza is complete. */
  private leave(i: number): number {
    this.done = i;
    this.began = -1;
    this.inHeader = false;
    if (this.clipped >= 0) bytes[this.clipped] = this.clippedByte;
    this.clipped = -1;
    return this.window.end;
  }

  /** Where to stop in this window: at its end, or where the header or stanza is too long. */
  private clip(): number {
    const { end } = this.window;
    if (this.began < 0) return end;
    const last = this.began + this.allowed - this.base;
    if (last >= end) return end;
    this.clipped = last;
    this.clippedByte = bytes[last] as number;
    bytes[last] = 0;
    return last;
  }

  private tooLong(): Fault {
    return this.inHeader
      ? tooMuch('LIMIT_HEADER_BYTES', 'bytes before the end of the stream header', this.allowed)
      : tooMuch('LIMIT_STANZA_BYTES', 'bytes in a stanza', this.allowed);
  }

  /** The name that ends at `i`, or null if it goes on behind the window. */
  private name(start: number, i: number, end: number, hash: number): Name | null {
    const { collected, limits } = this;
    const length = collected.size + i - start;
    if (length > limits.nameBytes) {
      throw tooMuch('LIMIT_NAME_BYTES', 'bytes in a name', limits.nameBytes, this.base + i - length + limits.nameBytes);
    }
    if (i === end) {
      collected.keep(start, i);
      this.hash = hash;
      return null;
    }
    if (collected.empty) return nameAt(bytes, start, i, hash);
    collected.keep(start, i);
    const whole = Buffer.from(collected.take());
    return nameAt(whole, 0, whole.length, hash);
  }

  /** A byte of text that is not text. Gives the next state, behind it. */
  private specialText(byte: number): number {
    const { brackets } = this;
    if (byte === GT) {
      if (brackets >= 2) throw malformed('"]]>" in text');
      this.brackets = 0;
      this.collected.add('>');
      return TEXT;
    }
    this.brackets = 0;
    if (byte === CR) {
      this.collected.add('\n');
      return TEXT_CR;
    }
    if (byte !== AMP) throw malformed(`${shownByte(byte)} in text`);
    this.referenceIn = TEXT;
    return REFERENCE;
  }

  /** A byte of a value that ends it or means something else. Gives the next state, behind it. */
  private specialValue(byte: number): number {
    const { collected } = this;
    switch (byte) {
      case this.quote:
        this.tree.attribute(this.attribute as Name, collected.take());
        return IN_TAG;
      case QUOTE:
      case APOSTROPHE:
        collected.add(String.fromCharCode(byte));
        return VALUE;
      case TAB:
      case LF:
        collected.add(' ');
        return VALUE;
      case CR:
        collected.add(' ');
        return VALUE_CR;
      case AMP:
        this.referenceIn = VALUE;
        return REFERENCE;
      default:
        throw malformed(`${shownByte(byte)} in an attribute value`);
    }
  }

  private limitValue(i: number): void {
    const limit = this.limits.attributeValueBytes;
    if (this.base + i - this.valueBegan <= limit) return;
    throw tooMuch('LIMIT_ATTRIBUTE_VALUE_BYTES', 'bytes in an attribute value', limit, this.valueBegan + limit);
  }

  /** Takes the next byte of a reference. Gives whether it was the last. */
  private readReference(byte: number): boolean {
    if (byte === SEMICOLON) {
      const char = resolveReference(this.reference);
      if (char === null) throw malformed(`${shown(`&${this.reference};`)} is neither a character nor a known entity`);
      this.collected.add(char);
      this.reference = '';
      return true;
    }
    const wanted = byte === HASH || (byte < 0x80 && ((BYTE_CLASS[byte] as number) & IS_NAME) !== 0);
    if (!wanted || this.reference.length === REFERENCE_LENGTH) {
      throw malformed(`${shown(`&${this.reference}`)} is not a reference`);
    }
    this.reference += String.fromCharCode(byte);
    return false;
  }

  /** Counts the `]` at the end of text that ends at `i`. */
  private countBrackets(start: number, i: number): void {
    let first = i;
    while (first > start && i - first < 2 && bytes[first - 1] === CLOSE_BRACKET) first--;
    this.brackets = i - first + (first === start ? this.brackets : 0);
  }
}

function mismatch(name: Name): Fault {
  return malformed(`an end tag that is not </${shown(name.text).slice(1, -1)}>`);
}

function streamText(byte: number): Fault {
  return byte < 0x20
    ? malformed(`${shownByte(byte)} between stanzas`)
    : new Fault('XML_STREAM_TEXT', 'text between stanzas');
}
