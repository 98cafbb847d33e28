/** At most so many characters of a text are looked at. */
const SAMPLES = 8;
/** As a power of two, how many bits there are for each text at least. */
const SPARSE = 5;
const LEAST_BITS = 6;
/** Spreads a hash over its upper bits. */
const MULTIPLIER = 0x9e3779b1 | 0;

/**
 * Tells of most texts that they are none of those that were added, from their length and a few of their characters:
 * to look up a text that just arrived, a hash of all of it has to be made first.
 */
export class BloomFilter {
  readonly #bits: number;
  readonly #mask: Uint32Array;
  #room: number;

  /** @param texts - those to begin with: there is room for as many again */
  constructor(texts: ReadonlyMap<string, unknown>) {
    this.#bits = Math.max(LEAST_BITS, 32 - Math.clz32(texts.size * 2) + SPARSE);
    this.#mask = new Uint32Array(1 << (this.#bits - 5));
    this.#room = 1 << (this.#bits - SPARSE);
    for (const text of texts.keys()) this.add(text);
  }

  /** When it is full, make another one: it cannot forget what is there no more. */
  get isFull(): boolean {
    return this.#room <= 0;
  }

  add(text: string): void {
    this.#room -= 1;
    const bit = this.#bitOf(text);
    this.#mask[bit >>> 5] = (this.#mask[bit >>> 5] as number) | (1 << (bit & 31));
  }

  /** False: it was not added. True: perhaps it was. */
  has(text: string): boolean {
    const bit = this.#bitOf(text);
    return (((this.#mask[bit >>> 5] as number) >>> (bit & 31)) & 1) === 1;
  }

  #bitOf(text: string): number {
    const { length } = text;
    const step = ((length / SAMPLES) | 0) + 1;
    let hash = length;
    for (let at = length - 1; at >= 0; at -= step) hash = Math.imul(hash, 33) ^ text.charCodeAt(at);
    return Math.imul(hash, MULTIPLIER) >>> (32 - this.#bits);
  }
}
