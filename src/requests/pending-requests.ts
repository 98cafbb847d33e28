// Tracked requests: an iq and its answer, RFC 6120 §8.2.3; who may answer, §8.1.2.1.
import { randomBytes } from 'node:crypto';
import { BrokerError } from '../errors.js';
import { JID } from '../jid/jid.js';
import type { Ticket, TrackedRequest } from '../queue/ticket.js';
import type { Tally } from '../stats.js';
import type { Element } from '../xml/element.js';

/** One request on its way. */
export interface PendingRequest extends TrackedRequest {
  readonly from: string | null;
  readonly ticket: Ticket;
}

/** Who the broker is, for the question who may answer. */
export interface Identity {
  readonly jid: JID | null;
  readonly addressing: 'account' | 'domain';
}

interface Entry extends PendingRequest {
  readonly kind: string;
  readonly timeoutMs: number | null;
  /** Whether its stanza was written, and is kept by nothing but this. */
  sent: boolean;
  timer: NodeJS.Timeout | null;
  /** As `performance.now()` has it; null before. */
  writtenAt: number | null;
  readonly settle: (outcome: Element | BrokerError, request: PendingRequest) => void;
}

/** What a stanza turned out to be. */
export type Match =
  | { kind: 'answer'; request: PendingRequest; deliver: () => void }
  | { kind: 'spoof'; request: PendingRequest }
  | { kind: 'late'; id: string }
  | { kind: 'none' };

/** Ids of requests that ran out of time which are remembered, to tell a late answer from any other stanza. */
const REMEMBERED = 1_000;

const NONE: Match = { kind: 'none' };

/** Requests waiting for their answer. Each settles exactly once: answer, deadline, disconnect, drop or halt. */
export class PendingRequests {
  #entries: Map<string, Entry> | null = null;
  #expired: Set<string> | null = null;
  readonly #tally: Tally;
  #sentCostAtMost = 0;
  readonly #limit: number;
  readonly #timeoutMs: number;

  constructor(limit: number, timeoutMs: number, tally: Tally) {
    this.#tally = tally;
    this.#limit = limit;
    this.#timeoutMs = timeoutMs;
  }

  get size(): number {
    return this.#entries?.size ?? 0;
  }

  /** What it costs to keep the stanzas of requests that were written, unless a managed session keeps and counts them. */
  get sentCost(): number {
    if (this.#sentCostAtMost === 0 || this.#entries === null) return 0;
    let sum = 0;
    for (const { sent, ticket } of this.#entries.values()) if (sent && !ticket.inSession) sum += ticket.cost;
    return sum;
  }

  /** A bound of {@link sentCost} that costs nothing. */
  get sentCostAtMost(): number {
    return this.#sentCostAtMost;
  }

  /** Snapshot of what is pending, by id. */
  pending(): ReadonlyMap<string, PendingRequest> {
    const snapshot = new Map<string, PendingRequest>();
    for (const [id, { to, from, event, ticket }] of this.#entries ?? [])
      snapshot.set(id, { id, to, from, event, ticket });
    return snapshot;
  }

  /** The id a request may use: its own, or a new one of 128 random bits if it has none or the id is pending. */
  freeId(own: string | null): string {
    if (own !== null && own !== '' && this.#entries?.has(own) !== true) return own;
    let id: string;
    do id = randomBytes(16).toString('hex');
    while (this.#entries?.has(id) === true);
    return id;
  }

  /**
   * Begins to wait for the answer of a stanza, which has an id of {@link freeId}.
   * @throws BrokerError `RTS_LIMIT` when too many are pending
   */
  add(
    stanza: Element,
    ticket: Ticket,
    options: { event: string | null; timeoutMs: number | undefined; settle: Entry['settle'] },
  ): PendingRequest {
    const id = stanza.getAttribute('id') as string;
    if (this.size >= this.#limit) {
      throw new BrokerError('RTS_LIMIT', `${String(this.#limit)} requests are pending already (limits.requests)`, {
        layer: 'rts',
        sent: 'no',
        retryable: true,
      });
    }
    const entry: Entry = {
      id,
      kind: stanza.localName,
      event: options.event,
      to: stanza.getAttribute('to'),
      from: stanza.getAttribute('from'),
      ticket,
      timeoutMs: options.timeoutMs ?? null,
      sent: false,
      timer: null,
      writtenAt: null,
      settle: options.settle,
    };
    (this.#entries ??= new Map<string, Entry>()).set(id, entry);
    ticket.request = entry;
    ticket.onSent = () => {
      this.#written(entry);
    };
    ticket.expectAck();
    this.#expired?.delete(id);
    if (options.timeoutMs !== undefined) this.#startTimer(entry, options.timeoutMs);
    return entry;
  }

  /** The request's stanza is held again: the default time limit stops until it is written once more. */
  held(request: TrackedRequest): void {
    const entry = this.#entries?.get(request.id);
    if (entry !== request) return;
    this.#setSent(entry, false);
    if (entry.timer === null || entry.timeoutMs !== null) return;
    clearTimeout(entry.timer);
    entry.timer = null;
  }

  /** Whether an inbound stanza answers a pending request. Nothing changes until `deliver` is called. */
  match(stanza: Element, identity: Identity): Match {
    if (this.size === 0 && this.#expired === null) return NONE;
    const type = stanza.getAttribute('type');
    if (type !== 'error' && !(type === 'result' && stanza.localName === 'iq')) return NONE;
    const id = stanza.getAttribute('id');
    if (id === null) return NONE;
    const entry = this.#entries?.get(id);
    if (entry === undefined) return this.#expired?.delete(id) === true ? { kind: 'late', id } : NONE;
    if (entry.kind !== stanza.localName) return NONE;
    if (!mayAnswer(entry, stanza, type === 'error', identity)) return { kind: 'spoof', request: entry };
    return {
      kind: 'answer',
      request: entry,
      deliver: () => {
        if (!this.#remove(entry)) return;
        if (type === 'result') this.#tally.requestsOk += 1;
        else this.#tally.requestsFailed += 1;
        // The answer may be here before we hear that the request was written.
        const { writtenAt } = entry;
        this.#tally.answered(writtenAt === null ? entry.ticket.ageMs : performance.now() - writtenAt);
        entry.settle(stanza, entry);
      },
    };
  }

  /** Ends a request without an answer. */
  fail(request: TrackedRequest, error: BrokerError): void {
    const entry = this.#entries?.get(request.id);
    if (entry !== request || !this.#remove(entry)) return;
    this.#tally.requestsFailed += 1;
    entry.settle(error, entry);
  }

  /** Ends every request that `select` picks. */
  failWhere(select: (request: PendingRequest) => boolean, error: (request: PendingRequest) => BrokerError): void {
    for (const entry of [...(this.#entries?.values() ?? [])]) if (select(entry)) this.fail(entry, error(entry));
  }

  /** The request's stanza was written: without a time limit of its own, the default one starts. */
  #written(entry: Entry): void {
    entry.writtenAt = performance.now();
    if (this.#entries?.get(entry.id) !== entry) return;
    this.#setSent(entry, true);
    if (entry.timer === null) this.#startTimer(entry, this.#timeoutMs);
  }

  #setSent(entry: Entry, sent: boolean): void {
    if (entry.sent === sent) return;
    entry.sent = sent;
    this.#sentCostAtMost += sent ? entry.ticket.costAtMost : -entry.ticket.costAtMost;
  }

  #startTimer(entry: Entry, limitMs: number): void {
    entry.timer = setTimeout(() => {
      this.#remember(entry.id);
      this.fail(
        entry,
        new BrokerError(
          'RTS_TIMEOUT',
          `no answer to request ${JSON.stringify(entry.id)} within ${String(limitMs)} ms`,
          {
            layer: 'rts',
            sent: entry.ticket.state === 'queued' ? 'no' : 'maybe',
            retryable: true,
          },
        ),
      );
    }, limitMs);
  }

  #remember(id: string): void {
    const expired = (this.#expired ??= new Set());
    expired.add(id);
    if (expired.size <= REMEMBERED) return;
    for (const oldest of expired) {
      expired.delete(oldest);
      return;
    }
  }

  #remove(entry: Entry): boolean {
    if (this.#entries?.get(entry.id) !== entry) return false;
    this.#entries.delete(entry.id);
    this.#setSent(entry, false);
    if (entry.timer !== null) clearTimeout(entry.timer);
    entry.timer = null;
    return true;
  }
}

/** Whether the addresses of a stanza are those of an answer to the request. */
function mayAnswer(request: PendingRequest, stanza: Element, isError: boolean, { jid, addressing }: Identity): boolean {
  const from = stanza.getAttribute('from');
  if (addressing === 'domain') {
    const to = stanza.getAttribute('to');
    if (same(from, request.to) && same(to, request.from)) return true;
    // The jabberd2 router returns an error with the addresses as they were sent.
    return isError && same(from, request.from) && same(to, request.to);
  }
  // Only our own server can send a stanza without `from`, and so answers for itself and for us.
  if (from === null) return request.to === null || isOurs(request.to, jid);
  if (request.to !== null && !isOwnAccount(request.to, jid)) return same(from, request.to);
  if (jid === null) return false;
  return same(from, jid.bare().toString()) || same(from, jid.toString()) || same(from, jid.domain);
}

/** Whether an address is our server, our account, or ourselves. */
function isOurs(to: string, jid: JID | null): boolean {
  return jid !== null && (isOwnAccount(to, jid) || same(to, jid.domain) || same(to, jid.toString()));
}

function isOwnAccount(to: string, jid: JID | null): boolean {
  return jid !== null && same(to, jid.bare().toString());
}

function same(a: string | null, b: string | null): boolean {
  return a === b || (a !== null && b !== null && JID.equivalent(a, b));
}
