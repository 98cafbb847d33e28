// What becomes of held stanzas when the broker is ready: `queue.onReady`.
import { shown } from '../arguments/values.js';
import { usageError } from '../errors.js';
import type { BrokerConfig } from '../options/options.js';
import { isDecision, type QueueDecision } from '../options/queue.js';
import type { Ticket } from '../queue/ticket.js';
import type { Outbox } from './outbox.js';
import type { Status } from './status.js';

/** What it works with. */
export interface HeldDecisionParts {
  readonly config: BrokerConfig;
  readonly status: Status;
  readonly outbox: Outbox;
}

/** Sends, keeps or drops what is held, as the program wants it. */
export class HeldDecision {
  readonly #parts: HeldDecisionParts;

  constructor(parts: HeldDecisionParts) {
    this.#parts = parts;
  }

  /**
   * The broker is ready: what is held is sent, stays, or is dropped, as `queue.onReady` says.
   * @throws what the program's function throws, and BrokerError `USAGE_ON_READY`; all of it stays held then
   */
  decide(): void {
    const { config, status, outbox } = this.#parts;
    const { onReady } = config.queue;
    outbox.queue.expire();
    if (onReady === 'hold') return;
    if (onReady === 'drop') {
      outbox.queue.drop();
      return;
    }
    const stay = [...outbox.queue].filter((ticket) => !outbox.suspects.mayGoByItself(ticket)).length;
    if (stay > 0) status.log.suspects(stay);
    if (onReady === 'send') outbox.send((ticket) => outbox.suspects.mayGoByItself(ticket), 'ready');
    else this.#ask(onReady);
  }

  /** A held stanza came behind that, and belongs to it: the same becomes of it. */
  decideOn(ticket: Ticket): void {
    const { config, status, outbox } = this.#parts;
    const { onReady } = config.queue;
    if (onReady === 'hold') return;
    let decision: QueueDecision;
    try {
      decision = typeof onReady === 'function' ? decided(onReady, ticket) : onReady;
    } catch (error) {
      status.onHandlerError(error, 'queue.onReady');
      return;
    }
    if (decision === 'send' && outbox.suspects.mayGoByItself(ticket)) outbox.sendHeld(ticket, 'ready');
    else if (decision === 'drop') outbox.queue.drop((one) => one === ticket);
  }

  #ask(onReady: (ticket: Ticket) => QueueDecision): void {
    const { outbox } = this.#parts;
    const decisions = new Map<Ticket, QueueDecision>();
    for (const ticket of outbox.queue) {
      if (outbox.suspects.mayGoByItself(ticket)) decisions.set(ticket, decided(onReady, ticket));
    }
    outbox.queue.drop((ticket) => decisions.get(ticket) === 'drop');
    outbox.send((ticket) => decisions.get(ticket) === 'send', 'ready');
  }
}

/** @throws what the program's function throws, and BrokerError `USAGE_ON_READY` */
function decided(onReady: (ticket: Ticket) => QueueDecision, ticket: Ticket): QueueDecision {
  const decision: unknown = onReady(ticket);
  if (isDecision(decision)) return decision;
  // It may be a promise that rejects.
  Promise.resolve(decision).catch(() => undefined);
  throw usageError('USAGE_ON_READY', `queue.onReady must return 'send', 'hold' or 'drop', not ${shown(decision)}`);
}
