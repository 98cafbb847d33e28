// Whether another attempt follows, where it goes, and when: RFC 6120 §3.3, §4.9.3.19.
import type { BrokerError, Redirect } from '../errors.js';
import type { BrokerConfig } from '../options/options.js';
import { reconnectDelay } from './reconnect-delay.js';
import type { Place } from './route.js';
import { whatFollows, type Where } from './what-follows.js';

/** Redirects followed in a row (RFC 6120 §4.9.3.19 wants a bound of 2 to 5). */
const MAX_REDIRECTS = 3;

/** An attempt that is to come. */
export interface Retry {
  readonly place: Place;
  /** Failures before it. */
  readonly attempt: number;
  readonly delayMs: number;
}

/** The attempts since `connect`: how they ended, and so what comes next. */
export class Retries {
  readonly #config: BrokerConfig;
  #target: Place;
  #timer: NodeJS.Timeout | null = null;
  #failures = 0;
  /** Whether a link was ready. */
  #served = false;
  /** Attempts in a row that were refused, by a server that had let us in before. */
  #refusals = 0;
  /** Whether the attempt or link is at an address that a server named. */
  #borrowed = false;
  /** Redirects followed since the last wait. */
  #redirects = 0;

  constructor(config: BrokerConfig) {
    this.#config = config;
    this.#target = config;
  }

  /** Where we were told to dial. */
  get target(): Place {
    return this.#target;
  }

  /** Whether what fails before a link was ready is tried again. */
  get initial(): boolean {
    const { reconnect } = this.#config;
    return reconnect !== false && reconnect.initial;
  }

  /** A `connect`: what was before it does not count, and nothing is waited for. */
  begin({ host, port }: Partial<Place>): void {
    if (host !== undefined) this.#target = { host, port: port ?? this.#target.port };
    else if (port !== undefined) this.#target = { host: this.#target.host, port };
    this.stop();
    this.#failures = 0;
    this.#refusals = 0;
    this.#served = false;
    this.#redirects = 0;
  }

  /** An attempt dials this place. */
  dials(place: Place): void {
    this.#borrowed = place !== this.#target;
  }

  /** A link is ready. */
  ready(): void {
    this.#served = true;
    this.#refusals = 0;
  }

  /** Something went well on the link. */
  wentWell(): void {
    this.#failures = 0;
  }

  /** The error with what the rules say of another attempt. */
  judged(error: BrokerError, where: Where): BrokerError {
    const circumstances = { where, borrowed: this.#borrowed, served: this.#served, refusals: this.#refusals };
    const retryable = whatFollows(error, circumstances) === 'again';
    if (where === 'negotiating' && retryable && !error.retryable) this.#refusals += 1;
    return error.retryable === retryable ? error : error.with({ retryable });
  }

  /**
   * The place that a `see-other-host` names, which is dialled at once, a few times; then it is a failure like others, and
   * null here.
   */
  redirected({ redirect }: BrokerError): Place | null {
    if (redirect === undefined || this.#redirects >= MAX_REDIRECTS || !this.#mayGo(redirect)) return null;
    this.#redirects += 1;
    return this.#placeOf(redirect);
  }

  /**
   * What follows a failure; null if nothing does.
   * @param session the one that would be resumed
   */
  after(error: BrokerError, session: { readonly location: Redirect | null } | null): Retry | null {
    const { reconnect } = this.#config;
    if (reconnect === false || !error.retryable || this.#failures >= reconnect.maxAttempts) return null;
    const firstDelayMs = session === null ? reconnect.firstDelayMs : reconnect.resumeDelayMs;
    const pace = { firstDelayMs, maxDelayMs: reconnect.maxDelayMs };
    const delayMs = reconnectDelay(pace, this.#failures, Math.random());
    const location = session?.location ?? null;
    const goesThere = location !== null && this.#failures === 0 && !this.#borrowed && !this.#isOnWebSocket;
    this.#failures += 1;
    this.#redirects = 0;
    return { place: goesThere ? this.#placeOf(location) : this.#target, attempt: this.#failures, delayMs };
  }

  /** Calls back when it is time, unless {@link stop} is called before. */
  wait({ delayMs }: Retry, run: () => void): void {
    this.#timer = setTimeout(() => {
      this.#timer = null;
      run();
    }, delayMs);
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** Who asked for a WebSocket is not sent to TCP, and the other way round. */
  #mayGo({ url }: Redirect): boolean {
    return url === undefined ? !this.#isOnWebSocket : this.#config.websocket !== undefined;
  }

  #placeOf({ host, port, url }: Redirect): Place {
    if (url !== undefined) return { host: undefined, port: undefined, url };
    return { host, port: port ?? this.#target.port ?? this.#config.connectionType.defaultPort };
  }

  get #isOnWebSocket(): boolean {
    const { websocket } = this.#config;
    return websocket !== undefined && websocket !== 'discover';
  }
}
