import { useEffect, useReducer } from 'preact/hooks';
import type { RowKind } from '../messages.js';
import { reasonOf, Refused, type Program } from './access.js';
import { next, NOTHING, type Action, type PageState } from './state.js';

/** Time until a lost stream is opened again, in milliseconds. */
const AGAIN_MS = 1_500;

/** What the stream shall bring. */
export interface Wish {
  /** Empty: the first one. */
  readonly broker: string;
  readonly kinds: readonly RowKind[];
  readonly xpath: string;
  /** `prefix=uri`, several with blanks between them. */
  readonly prefixes: string;
}

/** Keeps a stream open, and what it told. */
export function useStream(program: Program, wish: Wish): [PageState, (action: Action) => void] {
  const [state, change] = useReducer(next, NOTHING);
  const query = queryOf(wish);
  useEffect(() => {
    const ending = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const lost = (error: unknown): void => {
      if (ending.signal.aborted) return;
      const isRefused = error instanceof Refused && error.status < 500 && error.status !== 404;
      change({ do: 'connection', connection: isRefused ? 'refused' : 'lost', reason: reasonOf(error) });
      if (!isRefused) timer = setTimeout(open, AGAIN_MS);
    };
    const open = (): void => {
      program
        .hear(new URLSearchParams(query), ending.signal, (message) => change({ do: 'hear', message }))
        .then(() => lost(null), lost);
    };
    open();
    return () => {
      clearTimeout(timer);
      ending.abort();
    };
  }, [program, query]);
  return [state, change];
}

function queryOf({ broker, kinds, xpath, prefixes }: Wish): string {
  const query = new URLSearchParams({ broker, show: kinds.join(','), xpath });
  for (const pair of prefixes.split(/\s+/)) if (pair !== '') query.append('ns', pair);
  return query.toString();
}

/** Prefixes as orders want them. */
export function prefixesOf(prefixes: string): Record<string, string> {
  return Object.fromEntries(
    prefixes
      .split(/\s+/)
      .filter((pair) => pair !== '')
      .map((pair) => {
        const equals = pair.indexOf('=');
        return equals < 0 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)];
      }),
  );
}
