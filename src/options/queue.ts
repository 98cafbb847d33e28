// The options of the outbound queue.
import { count, must } from '../arguments/checks.js';
import type { OptionTable } from '../arguments/options.js';
import type { Optional } from '../arguments/optional.js';
import type { QueueLimits } from '../queue/outbound-queue.js';
import type { Ticket } from '../queue/ticket.js';

const DECISIONS = ['send', 'hold', 'drop'] as const;

/** What becomes of a held stanza when the broker is ready: it is sent, stays held, or is dropped. */
export type QueueDecision = (typeof DECISIONS)[number];

/** One decision for all that is held, or a function that decides for each. */
export type OnReady = QueueDecision | ((ticket: Ticket) => QueueDecision);

/** The outbound queue. */
export interface QueueOptions extends Optional<QueueLimits> {
  /**
   * What becomes of held stanzas when the broker is ready, behind PCJ_READY: `'send'`, `'hold'`, `'drop'`, or a function
   * of the ticket that returns one of these. If the function throws or returns something else, everything stays held,
   * and PCJ_HANDLERERROR tells. Default `'hold'`.
   */
  onReady?: OnReady | undefined;
  /** The old form of `onReady`: true is `'send'`, false `'hold'`; of a function, what it picks is sent. Default false. */
  purgeOnReady?: boolean | ((ticket: Ticket) => boolean) | undefined;
}

/** The options of the queue with defaults filled in; `purgeOnReady` has become `onReady`. */
export type QueueConfig = Readonly<QueueLimits & { onReady: OnReady }>;

const DEFAULT_QUEUE: QueueConfig = Object.freeze({
  maxStanzas: 10_000,
  maxBytes: 32 * 1024 * 1024,
  maxAgeMs: Number.POSITIVE_INFINITY,
  onReady: 'hold',
});

/** What may be given. */
export const QUEUE: OptionTable<QueueOptions> = {
  checks: {
    maxStanzas: count,
    maxBytes: count,
    // No timer waits for it, so it may be longer than timers can.
    maxAgeMs: (value) => (value === Number.POSITIVE_INFINITY ? null : count(value)),
    onReady: must(
      "'send', 'hold', 'drop' or a function of a ticket",
      (value) => isDecision(value) || typeof value === 'function',
    ),
    purgeOnReady: must(
      'true, false or a function of a ticket',
      (value) => typeof value === 'boolean' || typeof value === 'function',
    ),
  },
  rule: (_, given) =>
    given.has('onReady') && given.has('purgeOnReady')
      ? ['queue.purgeOnReady is the old form of queue.onReady: give one of them']
      : [],
};

/** Whether a value, such as what a function of the program returned, is a decision. */
export function isDecision(value: unknown): value is QueueDecision {
  return (DECISIONS as readonly unknown[]).includes(value);
}

/** The options in force. */
export function queueInForce({ purgeOnReady, ...given }: QueueOptions = {}): QueueConfig {
  const names = Object.entries(given).filter(([, value]) => value !== undefined);
  if (names.length === 0 && purgeOnReady === undefined) return DEFAULT_QUEUE;
  const onReady = purgeOnReady === undefined ? {} : { onReady: fromOldForm(purgeOnReady) };
  return Object.freeze({ ...DEFAULT_QUEUE, ...onReady, ...Object.fromEntries(names) });
}

function fromOldForm(purgeOnReady: boolean | ((ticket: Ticket) => boolean)): OnReady {
  if (typeof purgeOnReady === 'function') return (ticket) => (purgeOnReady(ticket) ? 'send' : 'hold');
  return purgeOnReady ? 'send' : 'hold';
}
