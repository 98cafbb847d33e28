// The way of a broker to its links, as steps with their times.
import EVENTS, { type StatusEvent } from '../events.js';
import { describePayload, line } from './described.js';
import type { AttemptLine, Step } from './messages.js';

/** Attempts that are kept, and steps of each. */
const MOST_ATTEMPTS = 12;
const MOST_STEPS = 60;

/** Events that come with stanzas, handlers and requests: as many as a peer likes. The timeline is kept without them. */
const OFTEN: ReadonlySet<StatusEvent> = new Set<StatusEvent>([
  'PCJ_NODESENT',
  'PCJ_NODEQUEUED',
  'PCJ_NODERECEIVED',
  'PCJ_RTS_START',
  'PCJ_RTS_FINISH',
  'PCJ_RTS_FAIL',
  'PCJ_QUEUEFAIL',
  'PCJ_HANDLERERROR',
  'PCJ_FILTERERROR',
  'PCJ_PROTOCOLERROR',
  'PCJ_SM_ACK',
  'PCJ_INTAKE',
  'PCJ_THROTTLE',
  'PCJ_PURGED',
  'PCJ_DEADLETTER',
  'PCJ_DOMAIN',
  'PCJ_ROUTE',
  'PCJ_ROUTEFAIL',
]);

/** Every status event. */
export const ALL = Object.keys(EVENTS) as readonly StatusEvent[];

/** Those that tell how a link comes and goes. */
export const STEPS: readonly StatusEvent[] = ALL.filter((event) => !OFTEN.has(event));

/** Whether an event reports a fault. */
export function isFault(event: StatusEvent, payload: unknown): boolean {
  if (event === 'PCJ_SOCKETDISCONNECT') return (payload as { clean?: unknown } | undefined)?.clean === false;
  return 'fault' in EVENTS[event];
}

interface Attempt {
  readonly number: number;
  readonly steps: Step[];
  left: number;
}

/** The last attempts of a broker to connect, each with what became of it. Bounded, whatever happens. */
export class Timeline {
  readonly #attempts: Attempt[] = [];
  #number = 0;

  /** Rises with each step. */
  version = 0;

  add(event: StatusEvent, payload: unknown): void {
    this.version += 1;
    if (event === 'PCJ_CONNECT' || this.#attempts.length === 0) this.#begin();
    const attempt = this.#attempts.at(-1);
    if (attempt === undefined) return;
    if (attempt.steps.length >= MOST_STEPS) {
      // The last ones tell how it ended.
      attempt.steps.splice(MOST_STEPS / 2, 1);
      attempt.left += 1;
    }
    attempt.steps.push(stepOf(event, payload));
  }

  read(): readonly AttemptLine[] {
    return this.#attempts.map(({ number, steps, left }) => ({ number, steps: [...steps], left }));
  }

  #begin(): void {
    this.#number += 1;
    this.#attempts.push({ number: this.#number, steps: [], left: 0 });
    if (this.#attempts.length > MOST_ATTEMPTS) this.#attempts.shift();
  }
}

/** An event as a step, now. */
export function stepOf(event: StatusEvent, payload: unknown): Step {
  return { at: now(), event: line(event), text: describePayload(payload), fault: isFault(event, payload) };
}

/** Milliseconds since 1970, with fractions. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}
