// Signing in with a token, and getting one: FAST, XEP-0484.
import { BrokerError } from '../../errors.js';
import { xml } from '../../xml/builder.js';
import type { Element } from '../../xml/element.js';
import { NS } from '../../xml/namespaces.js';
import { accountAddress } from '../account.js';
import type { Negotiation } from '../dialect.js';
import { saslError } from '../sasl/errors.js';
import {
  bindingData,
  DEFAULT_TOKEN_MECHANISMS,
  isBound,
  withToken,
  type TokenMechanism,
} from '../sasl/hashed-token.js';
import { accountOf } from '../sasl/mechanism.js';
import { boundTokens } from '../sasl/memory.js';
import type { ChosenMechanism, SaslLink } from '../sasl/selection.js';
import { asToken, type FastOptions, type FastToken } from './token-store.js';

type Token = FastToken & { readonly mechanism: TokenMechanism };

/** A token that lives no longer than that is not used: it could be over when the server looks at it. In milliseconds. */
const SLACK_MS = 60_000;

/** So many tokens that were refused in a row are enough: the next is asked for with the password. */
const REFUSALS = 4;

/** What a broker keeps for itself of tokens that were refused, so that none is tried twice, whatever the store does. */
export type RefusedTokens = Set<string>;

/** How one attempt uses tokens. */
export class FastSignIn {
  readonly #session: Negotiation;
  readonly #options: FastOptions;
  readonly #account: string;
  readonly #username: string;
  readonly #link: SaslLink;
  readonly #offered: ReadonlySet<string>;
  /** The token of the store, if it has not expired and was not refused. */
  #token: Token | null = null;
  /** What a new token was asked for. */
  #requested: TokenMechanism | null = null;
  #used = false;
  #invalidates = false;

  private constructor(
    session: Negotiation,
    options: FastOptions,
    username: string,
    { link, offered }: { link: SaslLink; offered: ReadonlySet<string> },
  ) {
    this.#session = session;
    this.#options = options;
    this.#username = username;
    this.#account = accountAddress(username, session.config.domain);
    this.#link = link;
    this.#offered = offered;
  }

  /**
   * Looks for a token, where the server takes some and has proved who it is. Null where tokens have no use.
   * @param agent the id of the user agent that the program gives: a token of another one is not used
   */
  static async begin(
    session: Negotiation,
    features: Element,
    options: FastOptions,
    { link, agent }: { link: SaslLink; agent: string | undefined },
  ): Promise<FastSignIn | null> {
    const { username } = session.config;
    const inline = features.getChild('authentication', NS.SASL2)?.getChild('inline', NS.SASL2) ?? null;
    const offer = inline?.getChild('fast', NS.FAST) ?? null;
    if (offer === null || username === undefined || !link.verified) return null;
    const offered = new Set(offer.getChildren('mechanism', NS.FAST).map(({ textContent }) => textContent));
    const fast = new FastSignIn(session, options, username, { link, offered });
    await fast.#load(agent);
    return fast;
  }

  /** The mechanism to sign in with, or null: there is no token for this connection. */
  choose(): ChosenMechanism | null {
    const token = this.#token;
    const data = token === null ? null : this.#dataFor(token.mechanism);
    if (token === null || data === null) return null;
    this.#used = true;
    const { domain } = this.#session.config;
    return withToken(token.mechanism, { token: token.token, data, username: this.#username, domain });
  }

  /** The user agent that the token belongs to; null without a token. */
  get userAgentId(): string | null {
    return this.#token?.userAgentId ?? null;
  }

  /** From now on the sign-in tells the server to forget the token (XEP-0484 §3.6). */
  invalidate(): void {
    this.#invalidates = true;
  }

  /** What stands in `<authenticate/>`. A token that this connection cannot use is kept; none other is asked for then. */
  wishes(): Element[] {
    if (this.#used) return [xml('fast', { xmlns: NS.FAST, invalidate: this.#invalidates ? 'true' : null })];
    this.#requested = this.#token === null ? this.#best() : null;
    return this.#requested === null ? [] : [xml('request-token', { xmlns: NS.FAST, mechanism: this.#requested })];
  }

  /** The server accepted us: what becomes of the token, and of one that came with success. Publishes PCJ_TOKEN. */
  async succeeded(success: Element, userAgentId: string): Promise<void> {
    const used = this.#used ? this.#token : null;
    this.#session.refusedTokens.clear();
    if (used !== null) this.#publish('used', used);
    const issued = this.#issued(success.getChild('token', NS.FAST), userAgentId);
    if (issued !== null) {
      if (isBound(issued.mechanism)) this.#remember();
      await this.#save(issued);
      this.#publish('issued', issued);
    } else if (used?.previous !== undefined) {
      await this.#save({ ...used, previous: undefined });
    }
  }

  /** The sign-in failed. Where the server refused the token, that is dropped, and the error says whether there is another way. */
  async failed(error: unknown): Promise<unknown> {
    const token = this.#used ? this.#token : null;
    if (token === null || !(error instanceof BrokerError) || error.code !== 'SASL_FAILURE') return error;
    if (error.condition === 'temporary-auth-failure') return error;
    this.#session.refusedTokens.add(token.token);
    const next = this.#stillGood({ ...token, token: token.previous ?? '', previous: undefined });
    await this.#save(next);
    this.#publish('refused', token);
    const { hasPassword, clientCertificate } = this.#session.config;
    const another = next !== null || hasPassword || clientCertificate !== null;
    const text = another ? 'it is forgotten' : 'it is forgotten, and there is no password';
    return saslError('SASL_TOKEN_REFUSED', `the server refused the token for ${token.mechanism}: ${text}`, {
      condition: error.condition,
      retryable: another,
    });
  }

  async #load(agent: string | undefined): Promise<void> {
    const token = await this.#ask('load', async () => {
      const loaded: unknown = await this.#options.store.load(this.#account);
      const found = loaded === null || loaded === undefined ? null : asToken(loaded);
      if (found === null && loaded !== null && loaded !== undefined) this.#warn('load', 'what it gave is no token');
      return found;
    });
    if (token === null) return;
    if (isBound(token.mechanism)) this.#remember();
    if (Date.parse(token.expiry) <= Date.now() + SLACK_MS) {
      await this.#save(null);
      this.#publish('expired', token);
      return;
    }
    if (agent !== undefined && agent !== token.userAgentId) return;
    this.#token = this.#stillGood(token);
  }

  /** The token, or the one before it, or null: whichever was not refused. */
  #stillGood(token: Token): Token | null {
    const { refusedTokens } = this.#session;
    if (refusedTokens.size >= REFUSALS) return null;
    if (token.token !== '' && !refusedTokens.has(token.token)) return token;
    const { previous } = token;
    if (previous === undefined || refusedTokens.has(previous)) return null;
    return { ...token, token: previous, previous: undefined };
  }

  /** What is asked for: the best that is offered and possible. One without binding is no successor of one that had it. */
  #best(): TokenMechanism | null {
    const hadBinding = boundTokens.knows(this.#key);
    const possible = this.#ours.find((name) => this.#dataFor(name) !== null && (isBound(name) || !hadBinding));
    return possible ?? null;
  }

  get #ours(): readonly TokenMechanism[] {
    return this.#options.mechanisms ?? DEFAULT_TOKEN_MECHANISMS;
  }

  #dataFor(name: TokenMechanism): Buffer | null {
    if (!this.#offered.has(name) || !this.#ours.includes(name)) return null;
    return bindingData(name, this.#link.bindings);
  }

  /** A token belongs to the mechanism that was asked for last, else to the one that was used (XEP-0484 §3.3, §3.5). */
  #issued(element: Element | null, userAgentId: string): Token | null {
    const mechanism = this.#requested ?? this.#token?.mechanism;
    if (element === null || mechanism === undefined) return null;
    const previous = this.#used ? this.#token?.token : undefined;
    const { token, expiry } = { token: element.getAttribute('token'), expiry: element.getAttribute('expiry') };
    return asToken({ token, mechanism, expiry, userAgentId, previous });
  }

  async #save(token: FastToken | null): Promise<void> {
    await this.#ask('save', async () => this.#options.store.save(this.#account, token));
  }

  /** The store is the program's: what it throws is told, and the attempt goes on. */
  async #ask<T>(what: 'load' | 'save', run: () => Promise<T>): Promise<T | null> {
    try {
      return await run();
    } catch (error) {
      this.#session.signal.throwIfAborted();
      this.#warn(what, reasonOf(error));
      return null;
    }
  }

  #warn(what: 'load' | 'save', why: string): void {
    const text = `the token store could not ${what} the token of ${this.#account}: ${why}`;
    this.#session.publish('PCJ_PROTOCOLERROR', new BrokerError('TOKEN_STORE', text, { layer: 'sasl', phase: 'auth' }));
  }

  #publish(what: 'issued' | 'used' | 'refused' | 'expired', { mechanism, expiry }: Token): void {
    this.#session.publish('PCJ_TOKEN', { what, mechanism, expiry });
  }

  #remember(): void {
    boundTokens.remember(this.#key);
  }

  get #key(): string {
    return accountOf({ username: this.#username, domain: this.#session.config.domain });
  }
}

/** Why a store failed, without its message: that could hold the token. */
function reasonOf(error: unknown): string {
  if (error instanceof BrokerError && error.code.startsWith('USAGE_TOKEN_FILE')) return error.message;
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  if (typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,40}$/.test(code)) return code;
  return error instanceof Error ? 'it threw an error' : 'it threw something that is no error';
}
