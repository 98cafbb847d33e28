import type { BrokerError } from '../errors.js';
import { NS } from '../xml/namespaces.js';
import type { OutboundQueue } from './outbound-queue.js';
import type { Ticket } from './ticket.js';

/**
 * Conditions by which a server ends a stream for reasons of its own (RFC 6120 §4.9.3): no stanza is to blame.
 * What it says of bytes, or of nothing in particular, may be due to a stanza.
 */
const BLAMELESS: ReadonlySet<string> = new Set([
  'conflict',
  'connection-timeout',
  'host-gone',
  'host-unknown',
  'not-authorized',
  'remote-connection-failed',
  'reset',
  'resource-constraint',
  'see-other-host',
  'system-shutdown',
]);

/** Losses of a link without a word, after which what was on its way each time is not sent by itself any more. */
const MAX_LOSSES = 3;

/**
 * What the end of a link says of the stanzas that were on their way.
 * - `blamed`: the server said that something is wrong: it may be one of them.
 * - `silent`: the link was lost without a word: once is ordinary, again and again is not.
 * - `none`: it has nothing to do with them.
 */
export type Verdict = 'blamed' | 'silent' | 'none';

/** @param error why a link ended that we did not close */
export function verdictOf(error: BrokerError | null): Verdict {
  if (error === null) return 'none';
  if (error.code === 'STREAM_ERROR' || error.code === 'STREAM_BAD_ERROR') {
    // Counts of stream management are no stanza's fault either.
    return BLAMELESS.has(error.condition ?? '') || error.appCondition?.ns === NS.SM ? 'none' : 'blamed';
  }
  return error.layer === 'stream' ? 'none' : 'silent';
}

/** Who sends for them. */
export interface SuspectsOwner {
  /** Some may be sent now. */
  next(): void;
}

/**
 * Stanzas that may be why links end. They are sent behind one another and not all at once, the least suspect first: first
 * one, then twice as many each time all of them have come through. One that the next fault would be the last for goes alone.
 * So whoever is to blame is found, nobody else pays for it, and nobody waits behind it for ever. Until their turn they stay
 * held.
 */
export class Suspects {
  readonly #maxFaults: number;
  readonly #owner: SuspectsOwner;
  /** Picked to be sent, in order. */
  #waiting: Set<Ticket> | null = null;
  /** Sent, and not known to be through. */
  #under: Set<Ticket> | null = null;
  #atOnce = 1;

  constructor(maxFaults: number, owner: SuspectsOwner) {
    this.#maxFaults = maxFaults;
    this.#owner = owner;
  }

  /** A link is gone with these on their way. */
  suspect(tickets: readonly Ticket[], verdict: Verdict): void {
    if (verdict === 'none') return;
    for (const ticket of tickets) {
      const trouble = (ticket.trouble ??= { faults: 0, losses: 0 });
      if (verdict === 'blamed') trouble.faults += 1;
      else trouble.losses += 1;
    }
  }

  /** Whether a stanza has had its last chance: it is given up. */
  isPoison({ faults }: Ticket): boolean {
    return faults >= this.#maxFaults;
  }

  /** Whether a stanza may be sent without being asked for: not what was on its way each time the link was lost. */
  mayGoByItself(ticket: Ticket): boolean {
    return ticket.trouble === null || ticket.trouble.losses < MAX_LOSSES;
  }

  /** Takes out of the queue what goes now of what is picked, oldest first. */
  take(queue: OutboundQueue, select?: (ticket: Ticket) => boolean): Ticket[] {
    const picked: Ticket[] = [];
    const others = queue.take((ticket) => {
      if (select !== undefined && !select(ticket)) return false;
      if (!ticket.isSuspect) return true;
      picked.push(ticket);
      return false;
    });
    this.release(picked);
    const now = this.#next();
    if (now.size > 0) queue.take((ticket) => now.has(ticket));
    return [...now, ...others];
  }

  /** These go in their turn without being picked: they were on their way already. */
  release(tickets: readonly Ticket[]): void {
    if (tickets.length === 0) return;
    const waiting = (this.#waiting ??= new Set());
    for (const ticket of tickets) waiting.add(ticket);
  }

  /** The link is gone: what was picked is held, as all else. */
  clear(): void {
    this.#waiting = null;
    this.#under = null;
    this.#atOnce = 1;
  }

  get #isUnderWay(): boolean {
    return this.#under !== null && this.#under.size > 0;
  }

  #next(): Set<Ticket> {
    const now = new Set<Ticket>();
    const waiting = this.#waiting;
    if (waiting === null || this.#isUnderWay) return now;
    const inOrder = [...waiting].sort((one, other) => suspicion(one) - suspicion(other));
    for (const ticket of inOrder) {
      const isAlone = this.#isLastChance(ticket);
      if (ticket.held && isAlone && now.size > 0) break;
      waiting.delete(ticket);
      if (!ticket.held) continue;
      now.add(ticket);
      this.#watch(ticket);
      if (isAlone || now.size >= this.#atOnce) break;
    }
    return now;
  }

  #isLastChance({ trouble }: Ticket): boolean {
    return trouble !== null && (trouble.faults >= this.#maxFaults - 1 || trouble.losses >= MAX_LOSSES - 1);
  }

  #watch(ticket: Ticket): void {
    const under = (this.#under ??= new Set());
    under.add(ticket);
    const settled = (): void => {
      // On another link it is another set.
      if (this.#under !== under || !under.delete(ticket) || under.size > 0) return;
      this.#atOnce *= 2;
      if (this.#waiting !== null && this.#waiting.size > 0) this.#owner.next();
    };
    // Without stream management it rejects once the stanza is written: more cannot be known.
    ticket.acked.then(settled, settled);
  }
}

function suspicion({ trouble }: Ticket): number {
  return trouble === null ? 0 : Math.max(trouble.faults, trouble.losses);
}
