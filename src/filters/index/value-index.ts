import { Bucket, Buckets, type Candidate, type Candidates } from './bucket.js';
import { LONGEST_KEY, type ValueTest } from './condition.js';
import { PartIndex } from './part-index.js';
import { PrefixIndex } from './prefix-index.js';

/** The filters that ask for a value of one attribute, or for the text of elements of one name. */
export class ValueIndex<T extends Candidate> {
  #present: Bucket<T> | null = null;
  #equal: Buckets<T> | null = null;
  #prefixes: PrefixIndex<T> | null = null;
  #parts: PartIndex<T> | null = null;
  /** How many elements are open whose text is looked up here; see {@link OpenTexts}. */
  openElements = 0;

  get isEmpty(): boolean {
    return this.#present === null && this.#equal === null && this.#prefixes === null && this.#parts === null;
  }

  /** Whether parts of the text are looked for, so that all of it has to be read. */
  get hasParts(): boolean {
    return this.#parts !== null;
  }

  /** No text longer than this is one of those asked for, in UTF-16 code units; -1 if none is. */
  get longestEqual(): number {
    return this.#equal === null ? -1 : this.#equal.longestKey;
  }

  /** How many filters have that test. */
  load({ is, value }: ValueTest): number {
    switch (is) {
      case 'present':
        return this.#present?.size ?? 0;
      case 'equal':
        return this.#equal?.load(value) ?? 0;
      case 'prefix':
        return this.#prefixes?.load(keyOf(value)) ?? 0;
      case 'part':
        return this.#parts?.load(keyOf(value)) ?? 0;
    }
  }

  add({ is, value }: ValueTest, filter: T): void {
    switch (is) {
      case 'present':
        if (this.#present === null) this.#present = new Bucket(filter);
        else this.#present.add(filter);
        break;
      case 'equal':
        (this.#equal ??= new Buckets()).add(value, filter);
        break;
      case 'prefix':
        (this.#prefixes ??= new PrefixIndex()).add(keyOf(value), filter);
        break;
      case 'part':
        (this.#parts ??= new PartIndex()).add(keyOf(value), filter);
        break;
    }
  }

  remove({ is, value }: ValueTest): void {
    switch (is) {
      case 'present':
        this.#present?.remove();
        if (this.#present?.size === 0) this.#present = null;
        break;
      case 'equal':
        this.#equal?.remove(value);
        if (this.#equal?.isEmpty === true) this.#equal = null;
        break;
      case 'prefix':
        this.#prefixes?.remove(keyOf(value));
        if (this.#prefixes?.size === 0) this.#prefixes = null;
        break;
      case 'part':
        this.#parts?.remove(keyOf(value));
        if (this.#parts?.size === 0) this.#parts = null;
        break;
    }
  }

  gather(text: string, into: Candidates<T>): void {
    this.#present?.gather(into);
    this.#equal?.gather(text, into);
    this.#prefixes?.gather(text, into);
    this.#parts?.gather(text, into);
  }

  gatherEqual(text: string, into: Candidates<T>): void {
    this.#equal?.gather(text, into);
  }

  gatherParts(text: string, into: Candidates<T>): void {
    this.#parts?.gather(text, into);
  }
}

function keyOf(value: string): string {
  return value.slice(0, LONGEST_KEY);
}
