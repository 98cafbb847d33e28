// Where tokens for the next sign-in are kept: XEP-0484.
import { method, someOf } from '../../arguments/checks.js';
import type { OptionTable } from '../../arguments/options.js';
import { isRecord } from '../../arguments/values.js';
import { isTokenMechanism, TOKEN_MECHANISMS, type TokenMechanism } from '../sasl/hashed-token.js';

/** A token and what it is good for. Whoever has it can sign in: keep it as you would a password (XEP-0484 §4.1). */
export interface FastToken {
  readonly token: string;
  /** The only mechanism that it is good for, such as `HT-SHA-256-EXPR`. */
  readonly mechanism: string;
  /** When it expires: a date of XEP-0082, as the server gave it. */
  readonly expiry: string;
  /** The only user agent that it is good for. */
  readonly userAgentId: string;
  /** The token before it, which is good until this one was used. */
  readonly previous?: string | undefined;
}

/** Keeps one token for each account. */
export interface TokenStore {
  /** The token of an account, given as its bare address; null when there is none. */
  load(account: string): FastToken | null | Promise<FastToken | null>;
  /** Keeps a token in place of the one before; null forgets it. */
  save(account: string, token: FastToken | null): void | Promise<void>;
}

/** How tokens are used. */
export interface FastOptions {
  /** Where they are kept from one process to the next. Needed. */
  store: TokenStore;
  /**
   * The only mechanisms that may be used, best first. Default: those that are bound to the connection, then those that are
   * bound to the server's certificate. `-UNIQ` and `-NONE` are used only if named.
   */
  mechanisms?: readonly TokenMechanism[] | undefined;
}

export const FAST_OPTIONS: OptionTable<FastOptions> = {
  checks: {
    store: (value) => (isStore(value) ? null : 'must be an object with the methods load and save'),
    mechanisms: someOf(...TOKEN_MECHANISMS),
  },
  instead: (value) => (value === 'off' ? null : "must be 'off' or an object with a store"),
  rule: (_right, given) =>
    given.has('store') ? [] : ['fast.store is missing: pass fileTokenStore(path), or a store of your own'],
};

function isStore(value: unknown): value is TokenStore {
  if (typeof value !== 'object' || value === null) return false;
  const { load, save } = value as Record<string, unknown>;
  return method(load) === null && method(save) === null;
}

/** Longest token that is kept, in UTF-16 code units. */
const LONGEST = 4_096;

/** A token as a store or a server gave it, with nothing else in it; null if it is none that can be used. */
export function asToken(value: unknown): (FastToken & { readonly mechanism: TokenMechanism }) | null {
  if (!isRecord(value)) return null;
  const { token, mechanism, expiry, userAgentId, previous } = value;
  const isShort = (text: unknown): text is string => typeof text === 'string' && text !== '' && text.length <= LONGEST;
  if (!isShort(token) || !isShort(mechanism) || !isShort(expiry) || !isShort(userAgentId)) return null;
  if (!isTokenMechanism(mechanism) || Number.isNaN(Date.parse(expiry))) return null;
  return { token, mechanism, expiry, userAgentId, ...(isShort(previous) ? { previous } : {}) };
}
