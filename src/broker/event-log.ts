import { reasonOf } from '../arguments/values.js';
import { endpoint } from '../dial/host-name.js';
import { printable, type BrokerError } from '../errors.js';
import EVENTS, { type StatusEvent, type StatusEvents } from '../events.js';
import type { Logger } from '../logger.js';
import type { ShutdownReport } from './shutdown-report.js';

/** Shortest time between two lines about the same, in milliseconds. What comes between is counted. */
const PAUSE_MS = 1_000;

/** Most kinds of lines whose pauses are known. */
const KINDS = 100;

/** What is held. */
interface Held {
  readonly size: number;
  at(index: number): { readonly ageMs: number } | undefined;
}

/** What a shutdown could not end. */
interface LeftBehind {
  readonly queue: Held;
  readonly where: keyof typeof HELD;
  /** Why it was not in order. */
  readonly error: BrokerError | undefined;
  /** Events whose handlers are not done. */
  readonly handlers: readonly string[];
}

/** What is said of stanzas that are held. */
const HELD = {
  ready: 'queue.send() sends them, queue.onReady decides',
  exit: 'they end with the process',
  rest: 'queue.send() after a next connect() sends them, the end of the process loses them',
  stored: 'queue.send() after a next connect() sends them, in this process or in the next',
  // With `queue.onReady` nobody has to call send().
  decided: 'queue.onReady decides after a next connect(), the end of the process loses them',
  storedDecided: 'queue.onReady decides after a next connect(), in this process or in the next',
} as const;

/** Where stanzas are held when nobody is connected. */
export type RestingPlace = Exclude<keyof typeof HELD, 'ready' | 'exit'>;

type Fault = { readonly what: string; readonly error: BrokerError };

/** Faults that are followed by another attempt, or by rest: what follows is told with them. */
const ENDINGS: Partial<Record<StatusEvent, string>> = {
  PCJ_CONNECTFAIL: 'could not connect',
  PCJ_SSLFAIL: 'could not connect: TLS failed',
  PCJ_AUTHFAIL: 'could not connect: the sign-in failed',
  PCJ_BINDFAIL: 'could not connect: binding failed',
  PCJ_SESSIONFAIL: 'could not connect: the session was refused',
  PCJ_SOCKETFAIL: 'lost the connection',
};

/** Faults that stand for themselves. */
const FAULTS: Partial<Record<StatusEvent, string>> = {
  PCJ_RTS_FAIL: 'a request got no answer',
  PCJ_FILTERERROR: 'a filter failed',
  PCJ_PROTOCOLERROR: 'the server broke the protocol',
  PCJ_QUEUEFAIL: 'a stanza was refused',
  PCJ_SM_FAILED: 'stream management failed',
  PCJ_STOREFAIL: 'the store of the queue failed',
  PCJ_FENCED: 'the queue was taken over',
};

/**
 * What happens to a broker, for people: a line begins with what happened and says what follows. Faults are told whether
 * anybody subscribes to them or not. Of the same kind at most one line a second is written; the next one counts the rest.
 */
export class EventLog {
  readonly #logger: Logger;
  /** Where it is, or was, connected to; written out only when it is told. */
  #place: StatusEvents['PCJ_CONNECTED'] | null = null;
  /** How many stanzas were held when that was told at rest. */
  #heldTold = 0;
  #fault: Fault | null = null;
  /** A fault that ends the link: it is told with the end. */
  #fatal: BrokerError | null = null;
  /** Whether somebody reads of trouble last. */
  #troubled = false;
  #wasReady = false;
  /** The last report of a shutdown. */
  #left = '';
  #kinds: Map<string, { at: number; leftOut: number }> | null = null;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** A status event was published. */
  event<N extends StatusEvent>(name: N, payload: StatusEvents[N]): void {
    const ending = ENDINGS[name];
    if (ending !== undefined) {
      const error = payload as BrokerError;
      this.#fatal = null;
      this.#fault = { what: name === 'PCJ_SOCKETFAIL' ? `${ending} to ${this.#endpoint}` : ending, error };
      return;
    }
    if (name === 'PCJ_PROTOCOLERROR' && endsLink(payload as BrokerError)) {
      this.#fatal = payload as BrokerError;
      return;
    }
    const what = FAULTS[name] ?? ('fault' in EVENTS[name] && name !== 'PCJ_HANDLERERROR' ? name : undefined);
    if (what !== undefined) {
      const error = payload as BrokerError;
      this.#limited(
        `${name} ${error.code}`,
        { event: name, code: error.code, err: error },
        `${what}: ${error.message}`,
      );
      return;
    }
    switch (name) {
      case 'PCJ_CONNECTED':
        this.#place = payload as StatusEvents['PCJ_CONNECTED'];
        return;
      case 'PCJ_SOCKETDISCONNECT':
        this.#brokenClosing();
        return;
      case 'PCJ_READY':
        this.#ready((payload as StatusEvents['PCJ_READY']).resumed);
        return;
      case 'PCJ_CONNECT':
        if (this.#fault !== null) this.#told('; dialling again');
        return;
      case 'PCJ_RECONNECTING': {
        const { attempt, delayMs, error } = payload as StatusEvents['PCJ_RECONNECTING'];
        this.#fault ??= { what: 'lost the connection', error };
        this.#told(`; attempt ${String(attempt)} follows in ${seconds(delayMs)}`);
        return;
      }
      case 'PCJ_HANDLERERROR': {
        const { event, error } = payload as StatusEvents['PCJ_HANDLERERROR'];
        this.handlerFailed(event, error);
        return;
      }
      case 'PCJ_DEADLETTER': {
        const { key, error } = payload as StatusEvents['PCJ_DEADLETTER'];
        this.#limited(name, { event: name, key, err: error }, `a stanza was given up: ${error.message}`);
      }
    }
  }

  get #endpoint(): string {
    return this.#place === null ? 'the server' : endpoint(this.#place.host, this.#place.port ?? 0);
  }

  /** What ended the link came while it was being closed: no other line tells of it. */
  #brokenClosing(): void {
    const error = this.#fatal;
    this.#fatal = null;
    if (error === null) return;
    this.#logger.warn({ code: error.code, err: error }, `the closing was cut short: ${error.message} (${error.code})`);
  }

  /** After trouble, people want to know that it is over. */
  #ready(resumed: boolean): void {
    const again = this.#wasReady ? ' again' : '';
    this.#wasReady = true;
    if (!this.#troubled) return;
    this.#troubled = false;
    this.#logger.info({ resumed }, `connected to ${this.#endpoint}${again}${resumed ? '; the session goes on' : ''}`);
  }

  /** The store of the queue says how it was opened. */
  store(warning: string): void {
    this.#logger.warn({}, `the store of the queue: ${printable(warning)}`);
  }

  /** A handler threw, or its promise rejected. */
  handlerFailed(event: string, error: unknown): void {
    const who = event === 'queue.onReady' ? event : `a handler of ${printable(event, 80)}`;
    const text = `${who} failed: ${reasonOf(error)}`;
    this.#limited(`handler ${event}`, { event, err: error }, text, 'error');
  }

  /** Somebody subscribed to what is no status event, and looks like one. */
  misspelt(event: string, meant: string | undefined): void {
    const hint = meant === undefined ? 'docs/events.md lists them' : `did you mean ${meant}?`;
    const text = `a handler is subscribed to ${JSON.stringify(printable(event, 80))}, which is no status event: ${hint}`;
    this.#limited(`misspelt ${event}`, { event }, text);
  }

  /** A filter matched for the first time, and nobody was told. */
  unheard(event: string, expression: string, meant: string | undefined): void {
    const hint = meant === undefined ? '' : `; somebody is subscribed to ${JSON.stringify(printable(meant, 80))}`;
    const text = `the filter ${printable(expression, 200)} matched, and nobody is subscribed to its event ${JSON.stringify(printable(event, 80))}${hint}`;
    this.#limited(`unheard ${event}`, { event, expression }, text);
  }

  /** The broker came to rest. */
  rested(error: BrokerError | undefined): void {
    if (this.#fault === null || error === undefined) {
      this.#fault = null;
      return;
    }
    this.#told(
      error.retryable ? '; it is not dialled again' : '; it is not dialled again, because another try would fail alike',
      'error',
    );
  }

  /** Stanzas that are held while the broker is ready, or when it has come to rest: nobody may know of them. */
  held(queue: Held, where: keyof typeof HELD): void {
    if (queue.size === 0) return;
    if (where !== 'ready') this.#heldTold = queue.size;
    this.#logger.warn({ held: queue.size }, heldIn(queue, where));
  }

  /** The process ends, and takes with it what is held; unless that was told when the broker came to rest. */
  heldAtExit(queue: Held): void {
    if (queue.size !== this.#heldTold) this.held(queue, 'exit');
  }

  /** So many stanzas were on their way each time the link was lost: they are not sent by themselves. */
  suspects(count: number): void {
    const text = `${counted(count, 'stanza stays', 'stanzas stay')} held, because the connection was lost each time; queue.send() tries again, queue.drop() forgets`;
    this.#logger.warn({ held: count }, text);
  }

  /** So many stanzas were older than `queue.maxAgeMs`. */
  expired(count: number, maxAgeMs: number): void {
    const text = `${counted(count, 'stanza was', 'stanzas were')} held for more than ${seconds(maxAgeMs)} and dropped (queue.maxAgeMs)`;
    this.#logger.warn({ dropped: count, maxAgeMs }, text);
  }

  /** `shutdown` is over. What it left behind is told once. */
  shutDown(report: ShutdownReport, { queue, where, error, handlers }: LeftBehind): void {
    const { unacked, running } = report;
    const key = JSON.stringify(report);
    if (this.#left === key) return;
    this.#left = key;
    if (error === undefined && unacked === 0 && running === 0) {
      this.held(queue, where);
      return;
    }
    this.#heldTold = queue.size;
    const parts = [
      error === undefined ? 'shut down' : `shut down without order: ${error.message} (${error.code})`,
      ...(unacked > 0 ? [`${counted(unacked, 'stanza was', 'stanzas were')} sent and not acknowledged`] : []),
      ...(running > 0 ? [`${counted(running, 'handler is', 'handlers are')} not done (${named(handlers)})`] : []),
      ...(queue.size > 0 ? [heldIn(queue, where)] : []),
    ];
    const facts = error === undefined ? { ...report } : { ...report, code: error.code, err: error };
    this.#logger.warn(facts, parts.join('; '));
  }

  #told(follows: string, level: 'warn' | 'error' = 'warn'): void {
    if (this.#fault === null) return;
    const { what, error } = this.#fault;
    this.#fault = null;
    this.#troubled = true;
    // Some messages say by themselves that nobody could be reached.
    const text = error.message.startsWith(what) ? error.message : `${what}: ${error.message}`;
    this.#logger[level]({ code: error.code, err: error }, `${text} (${error.code})${wordsOf(error)}${follows}`);
  }

  #limited(kind: string, facts: object, text: string, level: 'warn' | 'error' = 'warn'): void {
    const kinds = (this.#kinds ??= new Map<string, { at: number; leftOut: number }>());
    const now = performance.now();
    const last = kinds.get(kind);
    if (last !== undefined && now - last.at < PAUSE_MS) {
      last.leftOut += 1;
      return;
    }
    const leftOut = last?.leftOut ?? 0;
    if (kinds.size >= KINDS) kinds.clear();
    kinds.set(kind, { at: now, leftOut: 0 });
    const more = leftOut === 0 ? '' : ` (and ${String(leftOut)} like it before)`;
    this.#logger[level](leftOut === 0 ? facts : { ...facts, leftOut }, `${text}${more}`);
  }
}

/** Whether a fault of the protocol is also the end of the link. */
function endsLink({ code, layer, phase }: BrokerError): boolean {
  return phase === 'ready' && (code === 'STREAM_ERROR' || code === 'STREAM_BAD_ERROR' || layer === 'xml');
}

/** What the server said of it. Nobody has to believe that. */
function wordsOf({ text }: BrokerError): string {
  return text === undefined || text === '' ? '' : `, it said "${printable(text, 200)}"`;
}

function counted(count: number, one: string, many: string): string {
  return `${String(count)} ${count === 1 ? one : many}`;
}

function heldIn(queue: Held, where: keyof typeof HELD): string {
  const since = seconds(queue.at(0)?.ageMs ?? 0);
  return `${counted(queue.size, 'stanza is', 'stanzas are')} held since ${since}; ${HELD[where]}`;
}

function named(events: readonly string[]): string {
  const few = events.slice(0, 5).map((event) => printable(event, 80));
  return few.join(', ') + (events.length > few.length ? ', …' : '');
}

function seconds(milliseconds: number): string {
  return milliseconds < 1_000
    ? `${String(Math.round(milliseconds))} ms`
    : `${String(Math.round(milliseconds / 1_000))} s`;
}
