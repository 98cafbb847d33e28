import { READ_AHEAD, view as windowView } from './window.js';

// A constant of this module: where isAt() is inlined, the engine takes it for one.
const view = windowView;

/** A few bytes, none of them zero, that are compared with the window four at a time. */
export class PackedBytes {
  readonly length: number;
  /** The whole words of four bytes. */
  readonly words: number[] = [];
  /** The first four bytes; if there are fewer, all of them, compared under the mask. */
  readonly head: number;
  readonly mask: number;
  /** The last four bytes, which may overlap the last word; or all of them. */
  readonly tail: number;
  private readonly tailAt: number;

  constructor(bytes: Uint8Array) {
    const { length } = bytes;
    const padded = new DataView(new ArrayBuffer(length + 4));
    bytes.forEach((byte, k) => padded.setUint8(k, byte));
    this.length = length;
    this.mask = length >= 4 ? -1 : (1 << (8 * length)) - 1;
    // Too long to read ahead: then these are bytes that UTF-8 never has.
    const comparable = length <= READ_AHEAD;
    this.head = comparable ? padded.getInt32(0, true) : -1;
    this.tailAt = comparable ? Math.max(0, length - 4) : 0;
    this.tail = comparable ? padded.getInt32(this.tailAt, true) : -1;
    for (let k = 0; comparable && k < length >> 2; k++) this.words.push(padded.getInt32(4 * k, true));
  }

  /** Whether these bytes are in the window at `i`. */
  isAt(i: number): boolean {
    if ((view.getInt32(i + this.tailAt, true) & this.mask) !== this.tail) return false;
    if (this.length <= 4) return true;
    const { words } = this;
    for (let k = 0; k < words.length; k++) if (view.getInt32(i + 4 * k, true) !== words[k]) return false;
    return true;
  }
}
