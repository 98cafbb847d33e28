import {
  AMP,
  APOSTROPHE,
  BYTE_CLASS,
  CR,
  EQUALS,
  GT,
  IS_NAME_START,
  IS_SPACE,
  LF,
  QUOTE,
  SLASH,
  TAB,
} from '../characters.js';
import type { TokenBuffer } from './token-buffer.js';
import { malformed, shownByte, tooMuch } from './fault.js';
import type { XmlLimits } from './limits.js';
import type { Name } from './name.js';
import { nameAt } from './names.js';
import { Reference } from './references.js';
import { endOfName, endOfPlainValue, endOfValue } from './runs.js';
import type { Tree } from './tree.js';
import { bytes, type Window } from './window.js';

type State =
  | 'name'
  | 'behind' // a name or value: an attribute needs white space first
  | 'between' // attributes
  | 'attribute'
  | 'before-equals'
  | 'before-value'
  | 'value'
  | 'value-cr' // behind CR: a following LF belongs to it
  | 'reference' // behind '&'
  | 'slash';

/** A start tag, read from behind its `<` however it is cut up (XML 1.0 §3.1, §3.3.3). */
export class StartTag {
  /** Whether the tag that was read ended with `/>`. */
  empty = false;
  private state: State = 'name';
  private readonly reference = new Reference();
  private attribute: Name | null = null;
  private quote = 0;
  private valueBegan = 0;

  constructor(
    private readonly window: Window,
    private readonly tree: Tree,
    private readonly buffer: TokenBuffer,
    private readonly limits: XmlLimits,
  ) {}

  /** Bytes put aside, about. */
  get kept(): number {
    return this.reference.length;
  }

  /** Begins at the tag's name, or behind what {@link FastPath} has read of the tag. */
  begin(state: 'name' | 'behind'): void {
    this.state = state;
    this.empty = false;
  }

  /** Goes on reading. Gives whether the tag is complete. */
  read(): boolean {
    const { window, tree } = this;
    while (window.at !== window.end) {
      const byte = bytes[window.at] as number;
      const kind = BYTE_CLASS[byte] as number;
      switch (this.state) {
        case 'name': {
          const name = this.name();
          if (name === null) continue;
          tree.open(name);
          this.state = 'behind';
          continue;
        }
        case 'behind':
        case 'between':
          if (kind & IS_SPACE) {
            this.state = 'between';
          } else if (byte === SLASH) {
            this.state = 'slash';
          } else if (byte === GT) {
            return this.complete();
          } else {
            if ((kind & IS_NAME_START) === 0) throw malformed(`${shownByte(byte)} in a tag`);
            if (this.state === 'behind') throw malformed('no white space in front of an attribute');
            this.state = 'attribute';
            continue;
          }
          break;
        case 'attribute': {
          const name = this.name();
          if (name === null) continue;
          tree.attributeName(name);
          this.attribute = name;
          this.state = 'before-equals';
          continue;
        }
        case 'before-equals':
          if (byte === EQUALS) this.state = 'before-value';
          else if ((kind & IS_SPACE) === 0) throw malformed('an attribute without a value');
          break;
        case 'before-value':
          if (kind & IS_SPACE) break;
          if (byte !== APOSTROPHE && byte !== QUOTE) throw malformed('an attribute value without quotes');
          this.quote = byte;
          this.valueBegan = window.offset + 1;
          this.state = 'value';
          break;
        case 'value':
          this.value();
          continue;
        case 'value-cr':
          this.state = 'value';
          if (byte !== LF) continue;
          break;
        case 'reference': {
          const char = this.reference.take(byte);
          if (char !== null) {
            this.buffer.add(char);
            this.state = 'value';
          }
          break;
        }
        case 'slash':
          if (byte !== GT) throw malformed('"/" that does not end a tag');
          this.empty = true;
          return this.complete();
      }
      window.at++;
    }
    return false;
  }

  private complete(): true {
    this.window.at++;
    this.tree.opened();
    return true;
  }

  /** The name that begins or goes on here, or null if it goes on behind the window. */
  private name(): Name | null {
    const { window, buffer } = this;
    const { nameBytes } = this.limits;
    const start = window.at;
    window.at = endOfName(start);
    const length = buffer.size + window.at - start;
    if (length > nameBytes) {
      throw tooMuch('LIMIT_NAME_BYTES', 'bytes in a name', nameBytes, window.offset - length + nameBytes);
    }
    if (window.at === window.end) {
      buffer.keep(start, window.at);
      return null;
    }
    if (buffer.empty) return nameAt(bytes, start, window.at);
    buffer.keep(start, window.at);
    const whole = Buffer.from(buffer.take());
    return nameAt(whole, 0, whole.length);
  }

  /** Reads a run of the value and what ends it. */
  private value(): void {
    const { window, buffer } = this;
    const start = window.at;
    const plain = endOfPlainValue(start);
    const stop = (bytes[plain] as number) < 0x80 ? plain : endOfValue(plain);
    window.at = stop;
    this.limitValue();
    if (stop === window.end) {
      if (stop === plain) buffer.add(window.text.slice(start, stop));
      else buffer.keep(start, stop);
      return;
    }
    if (stop > start) {
      buffer.add(stop === plain ? window.text.slice(start, stop) : bytes.toString('utf8', start, stop));
    }
    this.specialValue(bytes[stop] as number);
    window.at++;
  }

  /** A byte that ends the value, or means something else. */
  private specialValue(byte: number): void {
    const { buffer } = this;
    switch (byte) {
      case this.quote:
        this.tree.attribute(this.attribute as Name, buffer.take());
        this.state = 'behind';
        break;
      case QUOTE:
      case APOSTROPHE:
        buffer.add(String.fromCharCode(byte));
        break;
      case AMP:
        this.state = 'reference';
        break;
      case TAB:
      case LF:
        buffer.add(' ');
        break;
      case CR:
        buffer.add(' ');
        this.state = 'value-cr';
        break;
      default:
        throw malformed(`${shownByte(byte)} in an attribute value`);
    }
  }

  private limitValue(): void {
    const limit = this.limits.attributeValueBytes;
    if (this.window.offset - this.valueBegan <= limit) return;
    throw tooMuch('LIMIT_ATTRIBUTE_VALUE_BYTES', 'bytes in an attribute value', limit, this.valueBegan + limit);
  }
}
