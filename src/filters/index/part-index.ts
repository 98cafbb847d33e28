import { endianness } from 'node:os';
import { Bucket, type Candidate, type Candidates } from './bucket.js';
import { Pattern, PatternTable } from './pattern-table.js';

/** How texts of some length are searched for. */
interface Search {
  /** How many neighbouring characters are looked up together. */
  gram: number;
  /** At every how many places. */
  stride: number;
}

interface SearchTable<T extends Candidate> {
  readonly search: Search;
  readonly table: PatternTable<T>;
}

/** As many characters as fill a hash with eight bits of each. */
const GRAM = 4;
/** By the length of the text, up to the longest that makes a difference. */
const SEARCHES: readonly Search[] = [1, 1, 2, 3, 4, 5, 6, 7].map((length) => ({
  gram: Math.min(length, GRAM),
  stride: endianness() === 'BE' || length < 5 ? 1 : length < 7 ? 2 : 4,
}));

/** Where texts are laid out to be searched: the low byte of each UTF-16 code unit, read one, two or four at a time. */
const BYTES = Buffer.from(new ArrayBuffer(8192));
const PAIRS = new Uint16Array(BYTES.buffer);
const WORDS = new Uint32Array(BYTES.buffer);
/** Longer texts are searched piece by piece, and no gram is cut. */
const PIECE = BYTES.length - 2 * GRAM;

/**
 * Finds which of many texts are part of a given text, in one pass over it. Four neighbouring characters of each are
 * filed in a hash table; a pass looks the characters of the text up by fours, and only where something is filed it
 * compares the whole text. A text of seven characters or more is filed under four such grams in a row: wherever it
 * stands, one of them begins at every fourth place, so only those places are looked up. A pass costs the length of the
 * text and what is found; adding and removing costs the length of what is added, no automaton has to be built.
 */
export class PartIndex<T extends Candidate> {
  readonly #patterns = new Map<string, readonly Pattern<T>[]>();
  /** One for each way to search that is needed. */
  #tables: readonly SearchTable<T>[] = [];

  get size(): number {
    return this.#patterns.size;
  }

  /** How many filters look for that text. */
  load(text: string): number {
    return this.#patterns.get(text)?.[0]?.filters.size ?? 0;
  }

  /** @param text - not empty */
  add(text: string, filter: T): void {
    const known = this.#patterns.get(text)?.[0];
    if (known !== undefined) {
      known.filters.add(filter);
      return;
    }
    const search = searchFor(text);
    let table = this.#tableFor(search);
    if (table === undefined) {
      table = new PatternTable();
      this.#tables = [...this.#tables, { search, table }];
    }
    const bucket = new Bucket(filter);
    const patterns: Pattern<T>[] = [];
    for (let offset = 0; offset < search.stride; offset += 1) {
      const pattern = new Pattern(text, bucket, hashAt(text, offset, search.gram), offset);
      table.add(pattern);
      patterns.push(pattern);
    }
    this.#patterns.set(text, patterns);
  }

  remove(text: string): void {
    const patterns = this.#patterns.get(text) ?? [];
    const bucket = patterns[0]?.filters;
    bucket?.remove();
    if (bucket === undefined || bucket.size > 0) return;
    this.#patterns.delete(text);
    const search = searchFor(text);
    const table = this.#tableFor(search);
    for (const pattern of patterns) table?.remove(pattern);
    if (table?.size === 0) this.#tables = this.#tables.filter((other) => other.table !== table);
  }

  /** Makes candidates of the filters whose text is part of `text`. */
  gather(text: string, into: Candidates<T>): void {
    for (let from = 0; from < text.length; from += PIECE) {
      const piece = text.length <= BYTES.length ? text : text.slice(from, from + BYTES.length);
      const length = BYTES.write(piece, 'latin1');
      const searched = { text, from, into };
      for (const { search, table } of this.#tables) {
        if (search.stride === 4) lookUpWords(length, table, searched);
        else if (search.stride === 2) lookUpPairs(length, table, searched);
        else lookUpBytes(length, search.gram, table, searched);
      }
      if (piece === text) break;
    }
  }

  #tableFor(search: Search): PatternTable<T> | undefined {
    return this.#tables.find((other) => other.search === search)?.table;
  }
}

function searchFor({ length }: string): Search {
  return SEARCHES[Math.min(length, SEARCHES.length - 1)] as Search;
}

/** A text that is searched, from where on, and for whom. */
interface Searched<T extends Candidate> {
  readonly text: string;
  readonly from: number;
  readonly into: Candidates<T>;
}

/** Something is filed under a gram of the text: which of it stands there? */
function compare<T extends Candidate>(
  patterns: Pattern<T>,
  hash: number,
  at: number,
  { text, from, into }: Searched<T>,
): void {
  for (let first: Pattern<T> | null = patterns; first !== null; first = first.next) {
    if (first.hash !== hash || (first.group === null && first.filters.wasGathered(into))) continue;
    const start = from + at - first.offset;
    if (start >= 0) first.find(text, start)?.filters.gather(into);
  }
}

function lookUpWords<T extends Candidate>(length: number, table: PatternTable<T>, searched: Searched<T>): void {
  const count = length >> 2;
  for (let i = 0; i < count; i += 1) {
    const hash = (WORDS[i] as number) | 0;
    const patterns = table.at(hash);
    if (patterns !== null) compare(patterns, hash, i << 2, searched);
  }
}

function lookUpPairs<T extends Candidate>(length: number, table: PatternTable<T>, searched: Searched<T>): void {
  const count = length >> 1;
  let hash = 0;
  for (let i = 0; i < count; i += 1) {
    hash = (hash >>> 16) | ((PAIRS[i] as number) << 16);
    const patterns = table.at(hash);
    if (patterns !== null) compare(patterns, hash, (i << 1) - 2, searched);
  }
}

function lookUpBytes<T extends Candidate>(
  length: number,
  gram: number,
  table: PatternTable<T>,
  searched: Searched<T>,
): void {
  const shift = 8 * (GRAM - gram);
  let rolling = 0;
  for (let i = 0; i < length; i += 1) {
    rolling = (rolling >>> 8) | ((BYTES[i] as number) << 24);
    const hash = rolling >> shift;
    const patterns = table.at(hash);
    if (patterns !== null) compare(patterns, hash, i + 1 - gram, searched);
  }
}

/** The hash of a gram as {@link lookUpBytes} has it when it has read it: the last character is in the highest bits. */
function hashAt(text: string, offset: number, gram: number): number {
  let rolling = 0;
  for (let i = offset; i < offset + gram; i += 1) rolling = (rolling >>> 8) | ((text.charCodeAt(i) & 0xff) << 24);
  return rolling >> (8 * (GRAM - gram));
}
