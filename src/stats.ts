// What a broker counts of itself: `broker.stats()`.

/** How many stanzas there were of each kind (RFC 6120 §8), by their names; `other` is what is none of the three. */
export interface StanzaCounts {
  message: number;
  presence: number;
  iq: number;
  other: number;
}

/** The kinds of {@link StanzaCounts}. */
export type CountedKind = keyof StanzaCounts;

/** What is counted from the first `connect` on, in all links together. docs/monitoring.md says what each means. */
export interface Counters {
  /** Bytes of XML read and written, negotiations included: inside TLS, without what TLS adds. */
  readonly bytes: { in: number; out: number };
  /** Stanzas that arrived on ready links, and stanzas that were handed to the socket, each time they were. */
  readonly stanzas: { readonly in: StanzaCounts; readonly out: StanzaCounts };
  readonly requests: {
    /** Answered with a result. */
    ok: number;
    /** Answered with an error, or ended without an answer. */
    failed: number;
    /** Milliseconds from when a request was written until its answer came, of an error too. */
    readonly latencyMs: { count: number; sum: number; max: number };
  };
  /** How often the broker was ready again, after the first time. */
  reconnects: number;
  /** When it was last ready, in milliseconds since 1970; null before the first time. */
  lastReadyAt: number | null;
}

/**
 * The counters as they are kept: one flat object, because a process may have ten thousand brokers. To add a counter, give it
 * a field here, a place in {@link read}, and one line where it happens.
 */
export class Tally {
  bytesIn = 0;
  bytesOut = 0;
  #messagesIn = 0;
  #presencesIn = 0;
  #iqsIn = 0;
  #othersIn = 0;
  #messagesOut = 0;
  #presencesOut = 0;
  #iqsOut = 0;
  #othersOut = 0;
  requestsOk = 0;
  requestsFailed = 0;
  /** Null before the first answer. */
  #latencyMs: { count: number; sum: number; max: number } | null = null;
  #reconnects = 0;
  #lastReadyAt: number | null = null;

  /** A stanza arrived. It runs for each one. */
  stanzaIn(name: string): void {
    if (name === 'message') this.#messagesIn += 1;
    else if (name === 'presence') this.#presencesIn += 1;
    else if (name === 'iq') this.#iqsIn += 1;
    else this.#othersIn += 1;
  }

  /** A stanza was handed to the socket. It runs for each one. */
  stanzaOut(kind: CountedKind): void {
    if (kind === 'message') this.#messagesOut += 1;
    else if (kind === 'presence') this.#presencesOut += 1;
    else if (kind === 'iq') this.#iqsOut += 1;
    else this.#othersOut += 1;
  }

  /** A request was answered behind so many milliseconds. */
  answered(ms: number): void {
    const latency = (this.#latencyMs ??= { count: 0, sum: 0, max: 0 });
    latency.count += 1;
    latency.sum += ms;
    if (ms > latency.max) latency.max = ms;
  }

  ready(at: number): void {
    if (this.#lastReadyAt !== null) this.#reconnects += 1;
    this.#lastReadyAt = at;
  }

  /** A copy for programs. */
  read(): Counters {
    return {
      bytes: { in: this.bytesIn, out: this.bytesOut },
      stanzas: {
        in: { message: this.#messagesIn, presence: this.#presencesIn, iq: this.#iqsIn, other: this.#othersIn },
        out: { message: this.#messagesOut, presence: this.#presencesOut, iq: this.#iqsOut, other: this.#othersOut },
      },
      requests: {
        ok: this.requestsOk,
        failed: this.requestsFailed,
        latencyMs: { ...(this.#latencyMs ?? { count: 0, sum: 0, max: 0 }) },
      },
      reconnects: this.#reconnects,
      lastReadyAt: this.#lastReadyAt,
    };
  }
}
