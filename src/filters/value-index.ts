import { Bucket, type Candidate, type Gathering } from './bucket.js';
import { LONGEST_KEY, type ValueTest } from './condition.js';
import { PartIndex, PrefixIndex } from './text-index.js';

/** The filters that ask for a value of one attribute, or for the text of elements of one name. */
export class ValueIndex<T extends Candidate> {
  readonly #present = new Bucket<T>();
  readonly #equal = new Map<string, Bucket<T>>();
  #longestEqual = 0;
  #prefixes: PrefixIndex<T> | null = null;
  #parts: PartIndex<T> | null = null;

  get isEmpty(): boolean {
    return this.#present.size === 0 && this.#equal.size === 0 && this.#prefixes === null && this.#parts === null;
  }

  /** Whether parts of the text are looked for, so that all of it has to be read. */
  get hasParts(): boolean {
    return this.#parts !== null;
  }

  get hasEqual(): boolean {
    return this.#equal.size > 0;
  }

  /** No text longer than this is one of those asked for, in UTF-16 code units. */
  get longestEqual(): number {
    return this.#longestEqual;
  }

  /** How many filters have that test. */
  load({ is, value }: ValueTest): number {
    switch (is) {
      case 'present':
        return this.#present.size;
      case 'equal':
        return this.#equal.get(value)?.size ?? 0;
      case 'prefix':
        return this.#prefixes?.load(value.slice(0, LONGEST_KEY)) ?? 0;
      case 'part':
        return this.#parts?.load(value.slice(0, LONGEST_KEY)) ?? 0;
    }
  }

  add({ is, value }: ValueTest, filter: T): void {
    switch (is) {
      case 'present':
        this.#present.add(filter);
        break;
      case 'equal': {
        let bucket = this.#equal.get(value);
        if (bucket === undefined) this.#equal.set(value, (bucket = new Bucket()));
        bucket.add(filter);
        this.#longestEqual = Math.max(this.#longestEqual, value.length);
        break;
      }
      case 'prefix':
        (this.#prefixes ??= new PrefixIndex()).add(value.slice(0, LONGEST_KEY), filter);
        break;
      case 'part':
        (this.#parts ??= new PartIndex()).add(value.slice(0, LONGEST_KEY), filter);
        break;
    }
  }

  remove({ is, value }: ValueTest): void {
    switch (is) {
      case 'present':
        this.#present.remove();
        break;
      case 'equal': {
        const bucket = this.#equal.get(value);
        bucket?.remove();
        if (bucket?.size === 0) this.#equal.delete(value);
        if (this.#equal.size === 0) this.#longestEqual = 0;
        break;
      }
      case 'prefix':
        this.#prefixes?.remove(value.slice(0, LONGEST_KEY));
        if (this.#prefixes?.size === 0) this.#prefixes = null;
        break;
      case 'part':
        this.#parts?.remove(value.slice(0, LONGEST_KEY));
        if (this.#parts?.size === 0) this.#parts = null;
        break;
    }
  }

  gather(text: string, into: Gathering<T>): void {
    this.#present.gather(into);
    if (this.#equal.size > 0) this.gatherEqual(text, into);
    this.#prefixes?.gather(text, into);
    this.#parts?.gather(text, into);
  }

  gatherEqual(text: string, into: Gathering<T>): void {
    this.#equal.get(text)?.gather(into);
  }

  gatherParts(text: string, into: Gathering<T>): void {
    this.#parts?.gather(text, into);
  }
}
