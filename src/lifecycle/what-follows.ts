// What follows the end of a link or of an attempt: RFC 6120 §3.3, §4.9.3, §6.5.
import type { BrokerError } from '../errors.js';

/** Where it ended. */
export type Where =
  /** Before PCJ_READY. */
  | 'negotiating'
  /** Behind PCJ_READY: the server had let us in. */
  | 'ready';

/** What is known beside the error. */
export interface Circumstances {
  readonly where: Where;
  /**
   * The server was dialled at an address that it or another one named, by a redirect or for a resumption: what goes wrong
   * there says nothing of the server we were told to dial.
   */
  readonly borrowed: boolean;
  /** Whether a link was ready since `connect`: then the same settings have been good before. */
  readonly served: boolean;
  /** Attempts in a row that were refused as final, since something last went well. */
  readonly refusals: number;
}

/** `again`: another attempt can help. `final`: somebody has to change something first. */
export type Verdict = 'again' | 'final';

/** How often a server that had let us in may refuse us in a row, as one does that is only half up. */
export const REFUSALS_BEFORE_FINAL = 4;

interface Rule {
  /** What it is about, for people. docs/reconnecting.md has the same table. */
  readonly why: string;
  readonly verdict: Verdict;
  applies(error: BrokerError, circumstances: Circumstances): boolean;
}

/** Conditions of stream errors that say, on a ready link, that we must not be here (RFC 6120 §4.9.3.3, §4.9.3.12). */
const UNWANTED: ReadonlySet<string | undefined> = new Set(['conflict', 'not-authorized']);

/** Faults of ours on a ready link: nothing that a server said, and nothing that another link would mend. */
const OURS: ReadonlySet<string> = new Set(['usage']);

/** The first rule that applies decides. */
export const RULES: readonly Rule[] = [
  {
    why: 'a password that could not be had, after it was good before',
    verdict: 'again',
    applies: ({ code }, { served }) => served && code === 'USAGE_PASSWORD',
  },
  {
    why: 'a command or a mistake of the program',
    verdict: 'final',
    applies: ({ layer }) => OURS.has(layer),
  },
  {
    why: 'any fault at a borrowed address',
    verdict: 'again',
    applies: (_, { borrowed }) => borrowed,
  },
  {
    why: 'ready: the server says that we must not be here (conflict, not-authorized)',
    verdict: 'final',
    applies: ({ code, condition }, { where }) =>
      where === 'ready' && (code === 'STREAM_ERROR' || code === 'STREAM_BAD_ERROR') && UNWANTED.has(condition),
  },
  {
    why: 'ready: a see-other-host that may not be followed',
    verdict: 'final',
    applies: ({ code }, { where }) => where === 'ready' && code === 'REDIRECT_UNTRUSTED',
  },
  {
    why: 'ready: anything else',
    verdict: 'again',
    applies: (_, { where }) => where === 'ready',
  },
  {
    why: 'negotiating: a fault that may be gone the next time',
    verdict: 'again',
    applies: ({ retryable }) => retryable,
  },
  {
    why: `negotiating: a refusal by a server that had let us in, up to ${String(REFUSALS_BEFORE_FINAL)} times in a row`,
    verdict: 'again',
    applies: ({ origin, layer }, { served, refusals }) =>
      served && refusals < REFUSALS_BEFORE_FINAL && (origin === 'peer' || layer === 'tls'),
  },
  {
    why: 'negotiating: anything else speaks of us',
    verdict: 'final',
    applies: () => true,
  },
];

/** What follows: whether another attempt can help, whatever the options allow. */
export function whatFollows(error: BrokerError, circumstances: Circumstances): Verdict {
  return RULES.find((rule) => rule.applies(error, circumstances))?.verdict ?? 'final';
}
