import type { BrokerStats } from '../broker/broker-stats.js';
import type { StanzaCounts } from '../stats.js';
import type { Point } from './messages.js';
import { now } from './timeline.js';

/** Points that are kept: one a second. */
const MOST_POINTS = 300;

/** What a broker had counted in the last minutes. */
export class History {
  readonly #points: Point[] = [];

  add(point: Point): void {
    this.#points.push(point);
    if (this.#points.length > MOST_POINTS) this.#points.shift();
  }

  /** The points that are newer than a time, oldest first. */
  since(at: number): readonly Point[] {
    return this.#points.filter((point) => point.at > at);
  }
}

/** What `broker.stats()` says, as a point. */
export function pointOf({ stanzas, bytes, requests }: BrokerStats): Point {
  return {
    at: now(),
    stanzasIn: sumOf(stanzas.in),
    stanzasOut: sumOf(stanzas.out),
    bytesIn: bytes.in,
    bytesOut: bytes.out,
    answers: requests.latencyMs.count,
    answerMs: requests.latencyMs.sum,
  };
}

function sumOf({ message, presence, iq, other }: StanzaCounts): number {
  return message + presence + iq + other;
}
