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

/**
 * What is counted from the first `connect` on, in all links together. To add a counter, declare it here, let it begin in
 * {@link counters}, and add one line where it happens; `docs/monitoring.md` says what it means.
 */
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

/** Counters that begin. */
export function counters(): Counters {
  return {
    bytes: { in: 0, out: 0 },
    stanzas: { in: noStanzas(), out: noStanzas() },
    requests: { ok: 0, failed: 0, latencyMs: { count: 0, sum: 0, max: 0 } },
    reconnects: 0,
    lastReadyAt: null,
  };
}

function noStanzas(): StanzaCounts {
  return { message: 0, presence: 0, iq: 0, other: 0 };
}

/** Counts a stanza by its name. It runs for each one. */
export function countStanza(counts: StanzaCounts, name: string): void {
  if (name === 'message') counts.message += 1;
  else if (name === 'presence') counts.presence += 1;
  else if (name === 'iq') counts.iq += 1;
  else counts.other += 1;
}

/** Counts the answer of a request. */
export function countAnswer({ latencyMs }: Counters['requests'], ms: number): void {
  latencyMs.count += 1;
  latencyMs.sum += ms;
  if (ms > latencyMs.max) latencyMs.max = ms;
}
