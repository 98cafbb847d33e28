// What is asked of the writer thread, and what it answers: plain values that can be posted.
import type { DriverName } from './driver.js';
import type { Ops } from './ops.js';
import type { PostedQueue } from './posted.js';
import type { FileSettings } from './queue-file.js';
import type { Fault } from './store-faults.js';

/** What a thread is started with. */
export interface WriterData extends FileSettings {
  readonly driver: DriverName | null;
  /** Queues that are open since before the thread was started, with their epochs: an earlier one died. */
  readonly epochs: ReadonlyMap<string, number>;
}

export type Request =
  | { readonly kind: 'open'; readonly queue: string }
  | { readonly kind: 'commit'; readonly ops: Readonly<Ops> }
  | { readonly kind: 'leave'; readonly queue: string }
  | { readonly kind: 'close' };

/** One for each request, in their order. */
export type Reply = { readonly fault: Fault } | { readonly opened: PostedQueue } | { readonly done: true };
