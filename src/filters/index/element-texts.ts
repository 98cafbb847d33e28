import { Element } from '../../xml/element.js';
import { Text } from '../../xml/text.js';
import type { Candidate, Candidates } from './bucket.js';
import type { ValueIndex } from './value-index.js';

/** An element with elements inside, whose text is being put together. */
interface Open<T extends Candidate> {
  element: Element;
  keys: ValueIndex<T>;
  /** How many pieces of text, and how many characters, there were before it. */
  pieces: number;
  length: number;
  /** Whether no element around it is looked up in the same place. */
  outermost: boolean;
}

/**
 * Looks up the text of elements during one walk over a stanza. However deeply they lie in one another, a piece of text
 * is searched for parts at most twice for each name: as the text of an element that has nothing else, and as part of
 * the outermost element of that name.
 */
export class ElementTexts<T extends Candidate> {
  readonly #open: Open<T>[] = [];
  #pieces: string[] = [];
  #length = 0;

  get isEmpty(): boolean {
    return this.#open.length === 0;
  }

  /** A walk ended before its end. */
  forget(): void {
    for (const { keys } of this.#open.splice(0)) keys.openElements -= 1;
    this.#pieces = [];
    this.#length = 0;
  }

  /** A walk reaches an element whose text is asked for. */
  enter(element: Element, keys: ValueIndex<T>, into: Candidates<T>): void {
    const { firstChild } = element;
    if (firstChild === null) keys.gather('', into);
    else if (firstChild === element.lastChild && firstChild instanceof Text) keys.gather(firstChild.data, into);
    else {
      this.#open.push({
        element,
        keys,
        pieces: this.#pieces.length,
        length: this.#length,
        outermost: keys.openElements === 0,
      });
      keys.openElements += 1;
    }
  }

  /** A walk comes by a text; only while something is open. */
  text(data: string): void {
    this.#pieces.push(data);
    this.#length += data.length;
  }

  /** A walk leaves an element. */
  leave(element: Element, into: Candidates<T>): void {
    for (let open = this.#open.at(-1); open?.element === element; open = this.#open.at(-1)) {
      this.#open.pop();
      const { keys, outermost } = open;
      keys.openElements -= 1;
      const equal = this.#length - open.length <= keys.longestEqual;
      const parts = outermost && keys.hasParts;
      if (!equal && !parts) continue;
      const text = this.#pieces.slice(open.pieces).join('');
      if (equal) keys.gatherEqual(text, into);
      if (parts) keys.gatherParts(text, into);
    }
    if (this.#open.length > 0) return;
    this.#pieces = [];
    this.#length = 0;
  }
}
