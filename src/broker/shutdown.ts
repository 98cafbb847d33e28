import { duration } from '../arguments/checks.js';
import { readOptions, type OptionTable } from '../arguments/options.js';
import type { LinkEnd } from '../link/closing.js';
import type { BrokerConfig } from '../options/options.js';
import { OrderlyEnd, type OrderlyEndParts } from './orderly-end.js';
import type { ShutdownReport } from './shutdown-report.js';
import { checkSignals, SignalWatch, type ShutdownSignals } from './signal-watch.js';

/** Options of one `shutdown`. */
export interface ShutdownOptions {
  /**
   * Milliseconds for all of it: handlers that are running, and closing the stream. A store of the queue may take as long
   * again behind that. Default `timeouts.close`.
   */
  timeoutMs?: number | undefined;
}

const OPTIONS: OptionTable<ShutdownOptions> = { checks: { timeoutMs: duration } };

/** What it works with. */
export interface ShutdownParts extends OrderlyEndParts {
  readonly config: BrokerConfig;
}

/** Ends a broker in order, when the program or a signal says so. */
export class Shutdown {
  readonly #parts: ShutdownParts;
  /** The one whose link is not closed yet. */
  #current: OrderlyEnd | null = null;
  #open: Set<OrderlyEnd> | null = null;
  #watches: Set<SignalWatch> | null = null;

  constructor(parts: ShutdownParts) {
    this.#parts = parts;
  }

  /** See `Broker.shutdown`. @throws BrokerError `USAGE_SHUTDOWN` */
  begin(options: ShutdownOptions): Promise<ShutdownReport> {
    const { timeoutMs } = readOptions('USAGE_SHUTDOWN', 'shutdown()', options, OPTIONS);
    return this.#begin(timeoutMs, false);
  }

  /** See `Broker.shutdownOn`. @throws BrokerError `USAGE_SIGNAL_NAME` */
  on(signals: readonly NodeJS.Signals[]): ShutdownSignals {
    const watches = (this.#watches ??= new Set<SignalWatch>());
    const watch = new SignalWatch(checkSignals(signals), {
      heard: () => void this.#begin(undefined, true),
      over: () => watches.delete(watch),
    });
    watches.add(watch);
    return watch;
  }

  /** Whether an end is going on whose link is not closed yet: it tells what is left behind. */
  get closing(): boolean {
    return this.#current !== null;
  }

  /** Somebody connects: an end that is going on has its link closed now, so that the two stay in order. */
  connecting(): void {
    this.#current?.hurry();
  }

  linkEnded(end: LinkEnd): void {
    this.#current?.linkEnded(end);
  }

  /** For ever. */
  halted(): void {
    for (const end of this.#open ?? []) end.hurry();
    for (const watch of this.#watches ?? []) watch.cancel();
  }

  #begin(timeoutMs: number | undefined, leaving: boolean): Promise<ShutdownReport> {
    const inside = this.#parts.status.running.endAsked();
    if (this.#current !== null) {
      this.#current.again(timeoutMs, { inside, leaving });
      return this.#current.report;
    }
    const limitMs = timeoutMs ?? this.#parts.config.timeouts.close;
    const end = new OrderlyEnd(
      this.#parts,
      { limitMs, leaving },
      {
        closed: () => (this.#current = null),
        over: () => this.#open?.delete(end),
      },
    );
    this.#current = end;
    (this.#open ??= new Set()).add(end);
    end.begin(inside);
    return end.report;
  }
}
