// Stream management: XEP-0198.
import { BrokerError } from '../../errors.js';
import type { Ticket } from '../../queue/ticket.js';
import { redirectTarget } from '../../stream/stream-error.js';
import { xml } from '../../xml/builder.js';
import type { Element } from '../../xml/element.js';
import { NS } from '../../xml/namespaces.js';
import type { Negotiation } from '../dialect.js';

/** Counters of stanzas wrap around to 0 here (XEP-0198 §4). */
const MODULUS = 2 ** 32;

/** Longest id of a session that is kept (XEP-0198 §3). */
const ID_LIMIT = 4_000;

/** Where a session may be resumed. */
export type SessionLocation = Readonly<{ host: string; port: number | null }>;

/** What was agreed on when a session began. */
export interface SessionTerms {
  readonly id?: string | null;
  readonly max?: number | null;
  readonly location?: SessionLocation | null;
  readonly start?: number;
}

/**
 * The state of one managed session: what was sent and not acknowledged, and how many stanzas were handled. It outlives
 * the link, so that the session can be resumed on the next one.
 */
export class StreamManagement {
  /** How long the server keeps the session, in seconds, or null if it did not say. */
  readonly max: number | null;
  /** Where the server would like the session to be resumed, or null. */
  readonly location: SessionLocation | null;
  /** Our address in the session. */
  readonly jid: string;
  #id: string | null;
  #handled: number;
  #acked: number;
  readonly #unacked: Ticket[] = [];
  #head = 0;
  #bytes = 0;

  /** `start` is the value both counters begin with: 0, but for tests around 2^32. */
  constructor(jid: string, { id = null, max = null, location = null, start = 0 }: SessionTerms = {}) {
    this.jid = jid;
    this.max = max;
    this.location = location;
    this.#id = id;
    this.#handled = start % MODULUS;
    this.#acked = start % MODULUS;
  }

  /** What resumes the session, or null when it cannot be resumed. */
  get id(): string | null {
    return this.#id;
  }

  /** Stanzas of the server that were handled, mod 2^32. */
  get handled(): number {
    return this.#handled;
  }

  /** Stanzas sent in this session, mod 2^32. */
  get sent(): number {
    return (this.#acked + this.size) % MODULUS;
  }

  /** Number of stanzas sent and not acknowledged. */
  get size(): number {
    return this.#unacked.length - this.#head;
  }

  /** Bytes of the stanzas sent and not acknowledged. */
  get bytes(): number {
    return this.#bytes;
  }

  /** What was sent and not acknowledged, oldest first. */
  unacked(): Ticket[] {
    return this.#unacked.slice(this.#head);
  }

  /** A stanza was handed to the socket. */
  onSent(ticket: Ticket): void {
    this.#unacked.push(ticket);
    this.#bytes += ticket.bytes;
  }

  /** A stanza of the server was handled. */
  onHandled(): void {
    this.#handled = (this.#handled + 1) % MODULUS;
  }

  /**
   * The server says how many stanzas it has handled. The tickets become `acked`.
   * @returns the tickets that are acknowledged by it, oldest first
   * @throws BrokerError `SM_BAD_H` for what is no number, or more than was sent
   */
  onAck(h: string | null): Ticket[] {
    const count = parseCount(h);
    const fresh = (count - this.#acked + MODULUS) % MODULUS;
    if (fresh > this.size) {
      throw new BrokerError(
        'SM_BAD_H',
        `the server acknowledges ${String(count)} stanzas, but ${String(this.sent)} were sent`,
        {
          layer: 'sm',
          origin: 'peer',
          sentCondition: 'undefined-condition',
        },
      );
    }
    const acked = this.#unacked.slice(this.#head, this.#head + fresh);
    this.#head += fresh;
    if (this.#head > 1_024 || this.#head === this.#unacked.length) {
      this.#unacked.splice(0, this.#head);
      this.#head = 0;
    }
    this.#acked = count;
    for (const ticket of acked) {
      this.#bytes -= ticket.bytes;
      ticket.markAcked();
    }
    return acked;
  }

  /** The session cannot be resumed any more. */
  abandon(): void {
    this.#id = null;
  }

  /** Ends the session: takes out what was not acknowledged, oldest first. */
  takeUnacked(): Ticket[] {
    const tickets = this.unacked();
    this.#unacked.length = 0;
    this.#head = 0;
    this.#bytes = 0;
    return tickets;
  }
}

/** An `h` attribute as a number. @throws BrokerError `SM_BAD_H` */
function parseCount(h: string | null): number {
  const count = h !== null && /^\d{1,10}$/.test(h) ? Number(h) : Number.NaN;
  if (count < MODULUS) return count;
  throw new BrokerError(
    'SM_BAD_H',
    `the server's acknowledgement has the count ${JSON.stringify(h)}, which is no number below 2^32`,
    {
      layer: 'sm',
      origin: 'peer',
      sentCondition: 'undefined-condition',
    },
  );
}

/** The stream error for an acknowledgement of more than was sent (XEP-0198 §6). */
export function tooHigh(h: string, management: StreamManagement): Element {
  return xml('handled-count-too-high', { xmlns: NS.SM, h, 'send-count': management.sent });
}

/** Whether the features offer stream management. */
function offersManagement(features: Element): boolean {
  return features.getChild('sm', NS.SM) !== null;
}

/**
 * Enables stream management, after binding and where it is offered. A refusal is published, not thrown: the stream
 * works without.
 * @returns the session's state, or null
 */
export async function enable(
  session: Negotiation,
  features: Element,
  jid: string,
  resume: boolean,
): Promise<StreamManagement | null> {
  if (!offersManagement(features)) return null;
  session.send(xml('enable', { xmlns: NS.SM, resume: resume ? 'true' : null }));
  const answer = await session.next((element) => element.namespaceURI === NS.SM);
  if (answer.localName !== 'enabled') {
    session.publish('PCJ_SM_FAILED', failure(answer, 'the server did not enable stream management'));
    return null;
  }
  const management = new StreamManagement(jid, resume ? terms(answer, session) : {});
  const { id, max } = management;
  session.publish('PCJ_SM_ENABLED', { id, max, resumable: id !== null });
  return management;
}

/** What `<enabled/>` says of resuming. A place to resume is believed only when the server has proved who it is. */
function terms(enabled: Element, { tls }: Negotiation): SessionTerms {
  const granted = enabled.getAttribute('resume');
  const id = enabled.getAttribute('id') ?? '';
  const max = enabled.getAttribute('max') ?? '';
  const location = enabled.getAttribute('location') ?? '';
  if ((granted !== 'true' && granted !== '1') || id === '' || id.length > ID_LIMIT) return {};
  return {
    id,
    max: /^\d{1,9}$/.test(max) ? Number(max) : null,
    location: tls?.verified === true ? redirectTarget(location) : null,
  };
}

/**
 * Resumes the session of a lost link, in place of binding. What the server has handled becomes `acked`; the rest stays
 * in `management`, to be sent again.
 * @returns whether the session goes on. If not, `management` still holds what the server did not acknowledge
 * @throws BrokerError `SM_BAD_RESUMED`, `SM_BAD_H`, `SM_EXPIRED`
 */
export async function resume(session: Negotiation, features: Element, management: StreamManagement): Promise<boolean> {
  const { id } = management;
  if (id === null) return false;
  if (!offersManagement(features)) {
    const text = 'the session could not be resumed: the server offers no stream management any more';
    session.publish('PCJ_SM_FAILED', new BrokerError('SM_FAILED', text, { layer: 'sm', origin: 'peer' }));
    return false;
  }
  session.send(xml('resume', { xmlns: NS.SM, h: management.handled, previd: id }));
  const answer = await session.next((element) => element.namespaceURI === NS.SM);
  if (answer.localName === 'resumed') {
    const acked = takeUp(management, answer, session.resumable === management);
    tellAcked(session, management, acked);
    session.publish('PCJ_SM_RESUMED', { id, replayed: management.size });
    return true;
  }
  // The count is optional; one that makes no sense proves nothing, and everything is held as a possible duplicate.
  if (answer.hasAttribute('h')) tellAcked(session, management, ackedIfSensible(management, answer.getAttribute('h')));
  session.publish('PCJ_SM_FAILED', failure(answer, 'the session could not be resumed'));
  return false;
}

/** Goes on with the session as the server sees it. One that does not fit is not tried again. */
function takeUp(management: StreamManagement, resumed: Element, isKept: boolean): Ticket[] {
  try {
    if (resumed.getAttribute('previd') !== management.id) {
      throw new BrokerError('SM_BAD_RESUMED', 'the server resumed another session than ours', {
        layer: 'sm',
        origin: 'peer',
        sentCondition: 'undefined-condition',
      });
    }
    if (!isKept) {
      const text = 'the session was over here by the time that the server resumed it';
      throw new BrokerError('SM_EXPIRED', text, { layer: 'sm' });
    }
    return management.onAck(resumed.getAttribute('h'));
  } catch (error) {
    management.abandon();
    throw error instanceof BrokerError ? error.with({ retryable: true }) : error;
  }
}

function ackedIfSensible(management: StreamManagement, h: string | null): Ticket[] {
  try {
    return management.onAck(h);
  } catch {
    return [];
  }
}

function tellAcked(session: Negotiation, management: StreamManagement, acked: readonly Ticket[]): void {
  if (acked.length > 0) session.publish('PCJ_SM_ACK', { acked, pending: management.size });
}

/** Reads `<failed/>`; the condition may be wrapped in another element by old servers. */
function failure(answer: Element, what: string): BrokerError {
  const inner = answer.firstElementChild;
  const found = [inner, inner?.firstElementChild ?? null].find((element) => element?.namespaceURI === NS.STANZAS);
  return new BrokerError('SM_FAILED', `${what}${found === undefined || found === null ? '' : `: ${found.localName}`}`, {
    layer: 'sm',
    origin: 'peer',
    condition: found?.localName,
  });
}
