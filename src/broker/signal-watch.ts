import { constants } from 'node:os';
import { suggestion } from '../arguments/suggestion.js';
import { shown } from '../arguments/values.js';
import { usageError } from '../errors.js';

/** What {@link Broker.shutdownOn} hands back: the signals that end the broker. */
export interface ShutdownSignals extends Disposable {
  readonly signals: readonly NodeJS.Signals[];
  /** False once one of them came, it was cancelled, or the broker was halted. */
  readonly active: boolean;
  /** The signals do what they did before. Again is harmless. */
  cancel(): void;
}

/** Those that no program can handle, or that come from a fault within it. */
const UNFIT: ReadonlySet<string> = new Set(['SIGKILL', 'SIGSTOP', 'SIGSEGV', 'SIGBUS', 'SIGFPE', 'SIGILL', 'SIGTRAP']);

const SIGNALS: readonly string[] = Object.keys(constants.signals).filter((name) => !UNFIT.has(name));

/** @throws BrokerError `USAGE_SIGNAL_NAME` */
export function checkSignals(signals: readonly NodeJS.Signals[]): readonly NodeJS.Signals[] {
  if (signals.length === 0) {
    throw usageError('USAGE_SIGNAL_NAME', "shutdownOn() takes the names of signals, such as 'SIGTERM', 'SIGINT'");
  }
  for (const signal of signals) {
    if (SIGNALS.includes(signal)) continue;
    const why = UNFIT.has(signal)
      ? 'which no program can end in order on'
      : `which is no signal here; ${suggestion(signal, SIGNALS)}`;
    throw usageError('USAGE_SIGNAL_NAME', `shutdownOn() was given ${shown(signal)}, ${why}`);
  }
  return [...new Set(signals)];
}

/** Who waits for which signal. The process has one listener for each, however many brokers there are. */
const heard = new Map<NodeJS.Signals, { readonly watches: Set<SignalWatch>; readonly listener: () => void }>();

function listen(signal: NodeJS.Signals, watch: SignalWatch): void {
  let one = heard.get(signal);
  if (one === undefined) {
    const watches = new Set<SignalWatch>();
    const listener = (): void => {
      for (const each of [...watches]) each.heard();
    };
    heard.set(signal, (one = { watches, listener }));
    process.on(signal, listener);
  }
  one.watches.add(watch);
}

function unlisten(signal: NodeJS.Signals, watch: SignalWatch): void {
  const one = heard.get(signal);
  if (one?.watches.delete(watch) !== true || one.watches.size > 0) return;
  heard.delete(signal);
  process.removeListener(signal, one.listener);
}

let ending = false;

/**
 * Nothing is left to do, once more: what others wanted to do at the first time is done. A program that stands at an `await` of
 * what never comes, such as `connect()`, has ended in order; by itself it would end with 13 and a warning.
 */
function end(): void {
  process.exit();
}

/** The process was told to end: it does, when nothing keeps it any more. */
function endInOrder(): void {
  if (ending) return;
  ending = true;
  process.once('beforeExit', () => {
    process.once('beforeExit', end);
    setImmediate(() => undefined);
  });
}

/** Who has a watch. */
export interface SignalWatchOwner {
  /** One of the signals came. */
  heard(): void;
  /** None of them is waited for any more. */
  over(): void;
}

/** Waits for the first of some signals. From then on a second one does what it would do without us: it ends the process. */
export class SignalWatch implements ShutdownSignals {
  readonly signals: readonly NodeJS.Signals[];
  readonly #owner: SignalWatchOwner;
  #active = true;

  constructor(signals: readonly NodeJS.Signals[], owner: SignalWatchOwner) {
    this.signals = signals;
    this.#owner = owner;
    for (const signal of signals) listen(signal, this);
  }

  get active(): boolean {
    return this.#active;
  }

  heard(): void {
    this.cancel();
    endInOrder();
    this.#owner.heard();
  }

  cancel(): void {
    if (!this.#active) return;
    this.#active = false;
    for (const signal of this.signals) unlisten(signal, this);
    this.#owner.over();
  }

  [Symbol.dispose](): void {
    this.cancel();
  }
}
