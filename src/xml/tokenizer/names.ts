import { Name } from './name.js';
import { view as windowView } from './window.js';

// A constant of this module: where guess() is inlined, the engine takes it for one.
const view = windowView;

/**
 * How many names are kept: a cache with two places for each, of which a new one takes that of the older. So a peer that
 * makes up names only costs itself time. What is longer than anybody's names is not kept.
 */
const PLACES = 1024;
const MOST_BYTES = 64;
const names: (Name | undefined)[] = Array.from({ length: PLACES }, () => undefined);
/** Which of two places the newer name has. */
const newer = new Uint8Array(PLACES / 2);

/** The number of no name: one more place, where nothing is ever found. */
export const NO_NAME = PLACES;

/*
 * What is compared with the window, by the numbers of the names: to follow references from one object to the next costs
 * more than the comparison. Four facts for each name (length in bytes, mask, first and last four bytes), and its words.
 * The places of facts, and these sizes as shifts, are written as numbers below: so the functions are short enough for the
 * engine to inline them.
 */
const facts = new Int32Array((PLACES + 1) * 4);
const words = new Int32Array((PLACES * MOST_BYTES) / 4);
// Nothing under its mask is equal to its first bytes.
facts[NO_NAME * 4 + 2] = 1;

/** The name in `source[start, end)`. @throws Fault if it is none */
export function nameAt(source: Buffer, start: number, end: number): Name {
  let hash = 0;
  for (let k = start; k < end; k++) hash = (Math.imul(hash, 31) + (source[k] as number)) | 0;
  const pair = (hash ^ (hash >>> 10)) & (PLACES / 2 - 1);
  const first = names[2 * pair];
  if (first?.isIn(source, start, end, hash) === true) return first;
  const second = names[2 * pair + 1];
  if (second?.isIn(source, start, end, hash) === true) return second;
  const name = new Name(source.toString('utf8', start, end), hash);
  if (end - start > MOST_BYTES) return name;
  const place = 1 - (newer[pair] as number);
  newer[pair] = place;
  put(name, 2 * pair + place);
  return name;
}

function put(name: Name, place: number): void {
  const { packed } = name;
  names[place] = name;
  name.number = place;
  facts.set([packed.length, packed.mask, packed.head, packed.tail], place << 2);
  words.set(packed.words, place << 4);
}

/** The name that a guess was right about. */
export function nameOf(number: number): Name {
  return names[number] as Name;
}

/** Length in bytes of the name that a guess was right about; of no name 0. */
export function lengthOf(number: number): number {
  return facts[number << 2] as number;
}

/**
 * Numbers of the names that came last, by what they stood behind and their first four bytes. One table for all streams:
 * what is in it was either seen in the window, or is not found there.
 */
const GUESSES = 4096;
const guesses = new Uint16Array(GUESSES).fill(NO_NAME);
/** Added to the number of an element's name: the context of its attributes. That of an element is the tag before it. */
export const ATTRIBUTES = 2 * PLACES;

/**
 * The number of the name whose bytes are in the window at `i`, if one with that beginning came in the same context;
 * else {@link NO_NAME}. What is in the window may go on behind them.
 */
export function guess(context: number, i: number): number {
  const head = view.getInt32(i, true);
  const number = guesses[Math.imul(head ^ Math.imul(context, 0x9e3779b1), 0x85ebca6b) >>> 20] as number;
  const fact = number << 2;
  if ((head & (facts[fact + 1] as number)) !== facts[fact + 2]) return NO_NAME;
  const length = facts[fact] as number;
  if (length <= 4) return number;
  const tail = (length - 4) | 0;
  if (view.getInt32(i + tail, true) !== facts[fact + 3]) return NO_NAME;
  for (let k = 4; k < tail; k = (k + 4) | 0) {
    if (view.getInt32(i + k, true) !== words[(number << 4) + (k >> 2)]) return NO_NAME;
  }
  return number;
}

/** A name came in that context, and its bytes are in the window at `i`. */
export function learn(context: number, i: number, name: Name): void {
  if (name.number < 0) return;
  const head = view.getInt32(i, true);
  guesses[Math.imul(head ^ Math.imul(context, 0x9e3779b1), 0x85ebca6b) >>> 20] = name.number;
}
