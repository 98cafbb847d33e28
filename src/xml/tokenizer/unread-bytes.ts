const NOTHING: Uint8Array = new Uint8Array(0);

/**
 * Bytes that have arrived and were not looked at. They are copied together on the way in, so what they cost in time
 * and room does not depend on the size of the chunks that brought them. Bytes that were given out never move.
 */
export class UnreadBytes {
  #buffer = NOTHING;
  #start = 0;
  #end = 0;

  get length(): number {
    return this.#end - this.#start;
  }

  /** Appends a copy. */
  push(chunk: Uint8Array): void {
    if (this.#end + chunk.length > this.#buffer.length) this.#move(this.length + chunk.length);
    this.#buffer.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  /** Gives out everything. */
  take(): Uint8Array {
    const taken = this.#buffer.subarray(this.#start, this.#end);
    this.#start = this.#end;
    return taken;
  }

  /** Takes back the rest of what was given out, or a copy of other bytes that belong in front. */
  giveBack(rest: Uint8Array): void {
    if (rest.buffer === this.#buffer.buffer && rest.byteOffset + rest.length === this.#start) {
      this.#start -= rest.length;
      return;
    }
    const behind = this.take();
    this.clear();
    this.push(rest);
    this.push(behind);
  }

  clear(): void {
    this.#buffer = NOTHING;
    this.#start = this.#end = 0;
  }

  /** To a buffer with room for this many bytes, and for as many again unless they are the first. */
  #move(needed: number): void {
    const kept = this.take();
    this.#buffer = new Uint8Array(kept.length === 0 ? needed : needed * 2);
    this.#buffer.set(kept);
    this.#start = 0;
    this.#end = kept.length;
  }
}
