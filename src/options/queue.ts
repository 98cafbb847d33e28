// The options of the outbound queue.
import { count, method, must, text, whole } from '../arguments/checks.js';
import type { OptionTable } from '../arguments/options.js';
import type { Optional } from '../arguments/optional.js';
import type { QueueLimits } from '../queue/outbound-queue.js';
import type { PurgeSelection, QueueStore } from '../queue/store.js';
import type { Ticket } from '../queue/ticket.js';
import type { Element } from '../xml/element.js';
import { filled } from './filled.js';

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
  /**
   * Stream errors of the server with a stanza on its way, after which the stanza is given up: its ticket fails with
   * `QUEUE_POISON`, and PCJ_DEADLETTER has it. At least 2. Default 3.
   */
  maxFaults?: number | undefined;
  /** The old form of `onReady`: true is `'send'`, false `'hold'`; of a function, what it picks is sent. Default false. */
  purgeOnReady?: boolean | ((ticket: Ticket) => boolean) | undefined;
  /** Where the queue is remembered beyond the life of the process. Default none: it is in memory only. */
  store?: QueueStore | undefined;
  /**
   * Which queue of the store. Two brokers never have the same one open: `QUEUE_LOCKED`. Default the bare address,
   * `username@domain`, or the component's name.
   */
  name?: string | undefined;
  /**
   * What the store remembers: a function of the stanza. Requests are never kept: they live and die with who asked.
   * Default everything else.
   */
  keep?: ((stanza: Element) => boolean) | undefined;
  /**
   * Whether other processes may have what is held sent or dropped, through a shared store: true, or a function of what is
   * picked and of the name of who asks. The name is what that process says of itself. Default false.
   */
  remotePurge?: boolean | ((selection: PurgeSelection, by: string) => boolean) | undefined;
}

/** The options of the queue with defaults filled in; `purgeOnReady` has become `onReady`. Without the store, which may know secrets. */
export type QueueConfig = Readonly<QueueLimits & { onReady: OnReady; maxFaults: number }>;

/** What is said of a store. */
export interface StoreConfig {
  readonly store: QueueStore;
  readonly name: string;
  readonly keep: (stanza: Element) => boolean;
  readonly remotePurge: boolean | ((selection: PurgeSelection, by: string) => boolean);
}

const DEFAULT_QUEUE: QueueConfig = Object.freeze({
  maxStanzas: 10_000,
  maxBytes: 32 * 1024 * 1024,
  maxAgeMs: Number.POSITIVE_INFINITY,
  onReady: 'hold',
  maxFaults: 3,
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
    // With one, innocent stanzas would go with the one that is to blame.
    maxFaults: whole(2, 2 ** 40),
    purgeOnReady: must(
      'true, false or a function of a ticket',
      (value) => typeof value === 'boolean' || typeof value === 'function',
    ),
    store: must('a store, such as sqliteStore() of xmpp-broker/queue/sqlite returns', isStore),
    name: text,
    keep: method,
    remotePurge: must(
      'true, false or a function of a selection and a name',
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
export function queueInForce(options?: QueueOptions): QueueConfig {
  if (options === undefined) return DEFAULT_QUEUE;
  const { purgeOnReady, ...given } = options;
  const inForce = filled(DEFAULT_QUEUE, given);
  return purgeOnReady === undefined ? inForce : Object.freeze({ ...inForce, onReady: fromOldForm(purgeOnReady) });
}

/** The store with what is said of it, or null. @param account what the queue is called when it is given no name */
export function storeInForce(
  { store, name, keep, remotePurge }: QueueOptions = {},
  account: string,
): StoreConfig | null {
  if (store === undefined) return null;
  return { store, name: name ?? account, keep: keep ?? everything, remotePurge: remotePurge ?? false };
}

function everything(): boolean {
  return true;
}

function isStore(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { name, open } = value as Partial<Record<keyof QueueStore, unknown>>;
  return typeof name === 'string' && typeof open === 'function';
}

function fromOldForm(purgeOnReady: boolean | ((ticket: Ticket) => boolean)): OnReady {
  if (typeof purgeOnReady === 'function') return (ticket) => (purgeOnReady(ticket) ? 'send' : 'hold');
  return purgeOnReady ? 'send' : 'hold';
}
