// Tokens for the next sign-in, from the server's side: XEP-0484.
import { randomBytes } from 'node:crypto';

/** A token as it was handed out. */
export interface IssuedToken {
  readonly secret: string;
  readonly mechanism: string;
  /** Milliseconds since 1970. */
  readonly issued: number;
  readonly expires: number;
}

/** Of one user agent: the token it signs in with, and one it has not used yet, which will take that one's place. */
interface Pair {
  current: IssuedToken | null;
  next: IssuedToken | null;
}

/** How long tokens live. */
export interface TokenLife {
  readonly seconds: number;
  /** Age at which a sign-in brings another one. */
  readonly rotateSeconds: number;
}

/** The tokens of all accounts. Only the newest two of a user agent are known. */
export class Tokens {
  /** By account, then by id of the user agent. */
  readonly #pairs = new Map<string, Map<string, Pair>>();

  constructor(private readonly life: TokenLife) {}

  issue(username: string, agent: string, mechanism: string): IssuedToken {
    const issued = Date.now();
    const expires = issued + this.life.seconds * 1000;
    const token = { secret: `secret-token:${randomBytes(24).toString('base64url')}`, mechanism, issued, expires };
    this.#pair(username, agent).next = token;
    return token;
  }

  /**
   * The token that fits, or `expired`. A new one that is used takes the place of the old one (XEP-0484 §3.5), unless it is
   * about to be forgotten.
   */
  match(
    { username, agent, mechanism }: { username: string; agent: string; mechanism: string },
    fits: (secret: string) => boolean,
  ): IssuedToken | 'expired' | null {
    const pair = this.#pair(username, agent);
    const token = [pair.next, pair.current].find((one) => one?.mechanism === mechanism && fits(one.secret)) ?? null;
    if (token === null) return null;
    if (token === pair.next) Object.assign(pair, { current: token, next: null });
    if (token.expires > Date.now()) return token;
    pair.current = null;
    return 'expired';
  }

  /** Whether a sign-in with this token brings another one. */
  isDue({ issued }: IssuedToken): boolean {
    return Date.now() - issued >= this.life.rotateSeconds * 1000;
  }

  /** The tokens of a user agent, or of an account, are good for nothing any more. */
  forget(username: string, agent?: string): void {
    if (agent === undefined) this.#pairs.delete(username);
    else this.#pairs.get(username)?.delete(agent);
  }

  #pair(username: string, agent: string): Pair {
    const pairs = this.#pairs.get(username) ?? new Map<string, Pair>();
    this.#pairs.set(username, pairs);
    const pair = pairs.get(agent) ?? { current: null, next: null };
    pairs.set(agent, pair);
    return pair;
  }
}
