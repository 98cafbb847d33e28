/** The part of the library an error comes from. */
export type ErrorLayer =
  | 'usage'
  | 'dns'
  | 'tcp'
  | 'tls'
  | 'websocket'
  | 'xml'
  | 'stream'
  | 'sasl'
  | 'bind'
  | 'sm'
  | 'stanza'
  | 'rts'
  | 'filter'
  | 'queue'
  | 'nats';

/** How far the connection attempt had come. */
export type ErrorPhase = 'connect' | 'pre-tls' | 'tls' | 'auth' | 'bind' | 'ready' | 'closing';

/** Where a server wants us to go. */
export interface Redirect {
  host: string;
  /** Null: whatever is usual. */
  port: number | null;
  /** A WebSocket there (RFC 7395 §3.6.1). */
  url?: string | undefined;
}

/** What a {@link BrokerError} may carry beside its code and message. */
export interface ErrorFacts {
  layer: ErrorLayer;
  phase?: ErrorPhase | undefined;
  /** Name of the dialect that was negotiating. */
  dialect?: string | undefined;
  /** Who caused it: the peer, this program, or the operating system. Default `local`. */
  origin?: 'peer' | 'local' | 'os' | undefined;
  /** Defined condition of a stream, stanza or SASL error (RFC 6120 §4.9.3, §6.5, §8.3.3). */
  condition?: string | undefined;
  appCondition?: { ns: string; name: string } | undefined;
  lang?: string | undefined;
  /** Text of the peer. Untrusted: capped at 1 KiB, control characters escaped, never used by program logic. */
  text?: string | undefined;
  /** Condition of the stream error sent before closing. */
  sentCondition?: string | undefined;
  /** Whether trying again later can help. Default false. */
  retryable?: boolean | undefined;
  /** Where a server that proved itself wants us to connect instead (RFC 6120 §4.9.3.19). */
  redirect?: Redirect | undefined;
  /** Byte offset in the current stream, or character offset in an expression or string. */
  offset?: number | undefined;
  /** What is known about a stanza that failed: not written, perhaps written, acknowledged by the server. */
  sent?: 'no' | 'maybe' | 'acked' | undefined;
  cause?: unknown;
}

/** Longest text of a peer that an error keeps, in UTF-16 code units. */
const TEXT_LIMIT = 1024;

/** Makes untrusted text safe for one line of a log: control and direction characters escaped, length capped. */
export function printable(text: string, limit = TEXT_LIMIT): string {
  const capped = text.length > limit ? `${text.slice(0, limit).toWellFormed()}…` : text.toWellFormed();
  // eslint-disable-next-line no-control-regex -- these are what has to go
  return capped.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g, (c) => {
    return `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

/**
 * Every error of this library. `code` is stable and the only field programs should switch on; the message says what
 * was wrong, where, and what to do. Codes of bad arguments start with `USAGE_`.
 */
export class BrokerError extends Error {
  override readonly name: string = 'BrokerError';
  readonly layer: ErrorLayer;
  // Only declared: what is not known is not there, so a printed error shows no row of undefined.
  declare readonly phase?: ErrorPhase;
  declare readonly dialect?: string;
  readonly origin: 'peer' | 'local' | 'os';
  declare readonly condition?: string;
  declare readonly appCondition?: { ns: string; name: string };
  declare readonly lang?: string;
  declare readonly text?: string;
  declare readonly sentCondition?: string;
  readonly retryable: boolean;
  declare readonly redirect?: Redirect;
  declare readonly offset?: number;
  declare readonly sent?: 'no' | 'maybe' | 'acked';

  constructor(
    readonly code: string,
    message: string,
    facts: ErrorFacts,
  ) {
    if (typeof facts !== 'object' || (facts as unknown) === null) {
      throw new TypeError('the facts of a BrokerError are an object with a layer and what else is known');
    }
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.layer = facts.layer;
    this.origin = facts.origin ?? 'local';
    this.retryable = facts.retryable ?? false;
    if (facts.phase !== undefined) this.phase = facts.phase;
    if (facts.dialect !== undefined) this.dialect = facts.dialect;
    if (facts.condition !== undefined) this.condition = facts.condition;
    if (facts.appCondition !== undefined) this.appCondition = facts.appCondition;
    if (facts.lang !== undefined) this.lang = facts.lang;
    if (facts.text !== undefined) this.text = printable(facts.text);
    if (facts.sentCondition !== undefined) this.sentCondition = facts.sentCondition;
    if (facts.redirect !== undefined) this.redirect = facts.redirect;
    if (facts.offset !== undefined) this.offset = facts.offset;
    if (facts.sent !== undefined) this.sent = facts.sent;
  }

  /** The same error with what only an outer layer knows: facts such as the phase, or a fuller message. */
  with(facts: { [Name in keyof ErrorFacts]?: ErrorFacts[Name] | undefined }, message = this.message): BrokerError {
    const own = Object.fromEntries(Object.entries(this)) as unknown as ErrorFacts;
    const more = Object.fromEntries(Object.entries(facts).filter(([, fact]) => fact !== undefined));
    const copy = new BrokerError(this.code, message, { ...own, cause: this.cause, ...more });
    if (this.stack !== undefined) copy.stack = this.stack;
    return copy;
  }
}

/** A mistake in a call: the message names the argument, what was given and what is wanted. */
export function usageError(code: `USAGE_${string}`, message: string, facts: Partial<ErrorFacts> = {}): BrokerError {
  return new BrokerError(code, message, { layer: 'usage', ...facts });
}
