// What follows when a room refuses us, or we are no longer in it. The first row that applies decides.
import type { StanzaError } from '../stanza/stanza-error.js';

/** Why somebody is no longer in a room (XEP-0045 §15.6.2). */
export type Departure =
  'left' | 'kicked' | 'banned' | 'not-a-member' | 'destroyed' | 'shutdown' | 'technical' | 'lost' | 'refused';

/** What a room that refuses is asked next: nothing, the same later, or the same at once with another nickname. */
export type Refusal = 'final' | 'again' | 'other-nick';

/** Conditions (XEP-0045 §7.2) that may be gone a moment later, whatever type of error they come with. */
const PASSING = new Set([
  'service-unavailable', // the room is full
  'item-not-found', // it is locked: somebody is still setting it up
  'remote-server-not-found',
  'remote-server-timeout',
  'resource-constraint',
  'internal-server-error',
]);

/** What follows a refusal to let us in. */
export function afterRefusal({ condition = '', type }: StanzaError): Refusal {
  if (condition === 'conflict') return 'other-nick';
  return PASSING.has(condition) || type === 'wait' ? 'again' : 'final';
}

/** Status codes of who leaves, and what they stand for. 333 comes beside 307. */
const CODES: readonly (readonly [code: number, departure: Departure])[] = [
  [301, 'banned'],
  [321, 'not-a-member'],
  [322, 'not-a-member'],
  [332, 'shutdown'],
  [333, 'technical'],
  [307, 'kicked'],
];

/** What a presence of type unavailable says of who leaves. */
export function departureOf(codes: ReadonlySet<number>, destroyed: boolean): Departure {
  if (destroyed) return 'destroyed';
  return CODES.find(([code]) => codes.has(code))?.[1] ?? 'left';
}

/** Whether a room is entered again by itself: nobody wanted us out. */
export function entersAgain(departure: Departure): boolean {
  return departure === 'shutdown' || departure === 'technical' || departure === 'lost' || departure === 'left';
}
