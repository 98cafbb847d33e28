import { bytes } from './window.js';

/** Pieces that are joined as strings before they are put down as bytes: a chain of strings costs more than its text. */
const PIECES = 64;

/**
 * The part of a name, value or text that was read before a reference, a line end or the end of a window. It is kept as
 * UTF-8 with references already resolved, so what it costs is in proportion to the bytes that arrived, however they
 * were cut up.
 */
export class TokenBuffer {
  /** What follows the bytes. */
  private head = '';
  private pieces = 0;
  private store: Buffer | null = null;
  private length = 0;

  get empty(): boolean {
    return this.pieces === 0 && this.length === 0;
  }

  /** Bytes kept, about. */
  get size(): number {
    return this.length + this.head.length;
  }

  add(piece: string): void {
    if (piece === '') return;
    this.head += piece;
    if (++this.pieces === PIECES) this.flush();
  }

  /** Puts aside bytes of the window. */
  keep(start: number, end: number): void {
    if (start === end) return;
    this.flush();
    const store = this.reserve(end - start);
    store.set(bytes.subarray(start, end), this.length);
    this.length += end - start;
  }

  /** Everything that was collected; nothing is left. */
  take(): string {
    let text = this.head;
    if (this.length > 0 && this.store !== null) {
      text = this.store.toString('utf8', 0, this.length) + text;
      this.length = 0;
      if (this.store.length > 1024) this.store = null;
    }
    this.head = '';
    this.pieces = 0;
    return text;
  }

  private flush(): void {
    if (this.pieces === 0) return;
    const length = Buffer.byteLength(this.head);
    const store = this.reserve(length);
    store.write(this.head, this.length);
    this.length += length;
    this.head = '';
    this.pieces = 0;
  }

  private reserve(more: number): Buffer {
    const needed = this.length + more;
    if (this.store !== null && this.store.length >= needed) return this.store;
    const grown = Buffer.allocUnsafeSlow(Math.max(64, needed, 2 * this.length));
    if (this.store !== null) grown.set(this.store.subarray(0, this.length));
    this.store = grown;
    return grown;
  }
}
