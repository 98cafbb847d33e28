// The changes of a commit, put together for each stanza before anything is done: a commit that fails shall change nothing.
import type { Change } from '../queue/store.js';
import { FRESH, type Mark } from './marks.js';

type Put = Extract<Change, { kind: 'put' }>;
type Outcome = Extract<Change, { kind: 'end' }>['outcome'];

/** What is to become of one stanza. */
export interface Staged<E = StagedEntry> {
  readonly key: string;
  /** The stanza as it is in the stream; null: it is not there yet. */
  entry: E | null;
  readonly put: Put | null;
  mark: Mark;
  outcome: Outcome | null;
  code: string | undefined;
  /** What is given up. */
  text: string | undefined;
}

/** What is known of a stanza that is in the stream. */
export interface StagedEntry {
  readonly key: string;
  /** Its place in the stream; 0: it has none any more. */
  sequence: number;
  /** When the stream took it, by its clock, in milliseconds since 1970; null: it was not brought yet. */
  at: number | null;
  readonly ticket: { readonly producer: string; readonly key: string } | null;
  mark: Mark;
  reply: string | null;
}

/** @param find the stanza of a key that is not done with */
export function stage(
  changes: readonly Change[],
  find: (key: string) => StagedEntry | undefined,
): { all: Staged[]; session: Extract<Change, { kind: 'session' }>['session'] | undefined } {
  const all: Staged[] = [];
  const current = new Map<string, Staged | null>();
  let session: Extract<Change, { kind: 'session' }>['session'] | undefined;
  const staged = (key: string): Staged | null => {
    const known = current.get(key);
    if (known !== undefined) return known;
    const entry = find(key);
    const one = entry === undefined ? null : fresh(key, entry, null);
    if (one !== null) all.push(one);
    current.set(key, one);
    return one;
  };
  for (const change of changes) {
    if (change.kind === 'session') {
      session = change.session;
      continue;
    }
    const { key } = change;
    let one = staged(key);
    if (change.kind === 'put' && one === null) {
      one = fresh(key, null, change);
      all.push(one);
      current.set(key, one);
    }
    if (one === null) continue;
    if (change.kind === 'end') {
      one.outcome = change.outcome;
      one.code = change.code;
      one.text = change.xml;
      current.set(key, null);
    } else if (change.kind === 'hold') {
      const { possibleDuplicate, faults } = change;
      one.mark = { handed: null, possibleDuplicate, attempts: one.mark.attempts, faults };
    } else if (change.handed !== null) {
      const { handed } = change;
      one.mark = { ...one.mark, handed, attempts: one.mark.attempts + 1 };
    }
  }
  return { all, session };
}

function fresh(key: string, entry: StagedEntry | null, put: Put | null): Staged {
  return { key, entry, put, mark: entry?.mark ?? FRESH, outcome: null, code: undefined, text: undefined };
}
