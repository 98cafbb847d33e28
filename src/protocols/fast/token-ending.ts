// The end of a token: XEP-0484 §3.6.
import { BrokerError } from '../../errors.js';
import type { Dialect } from '../dialect.js';
import type { FastToken } from './token-store.js';

/** How the token of an account is forgotten, here and at the server. */
export interface TokenEnding {
  /** Signs in with the token and tells the server to forget it. It binds nothing: its link is good for being closed. */
  readonly dialect: Dialect;
  /** The token as it is stored. */
  load(account: string): Promise<FastToken | null>;
  /** Takes it out of the store. */
  forget(account: string): Promise<void>;
}

/** Not in the dialect itself: `broker.config` shows that to everybody, and this gives tokens. */
const endings = new WeakMap<Dialect, TokenEnding>();

/** Notes how the tokens of a dialect end. */
export function setEnding(dialect: Dialect, ending: TokenEnding): void {
  endings.set(dialect, ending);
}

/** How the tokens of a dialect end; null for one without. */
export function endingOf(dialect: Dialect): TokenEnding | null {
  return endings.get(dialect) ?? null;
}

/** The token cannot be used, so the server cannot be told to forget it. */
export function tokenUnusable(): BrokerError {
  return new BrokerError(
    'SASL_TOKEN_UNUSABLE',
    'the token cannot be used on this connection, so the server could not be told to forget it: it is good until it expires',
    { layer: 'sasl', phase: 'auth' },
  );
}
