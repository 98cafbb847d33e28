// What a producer outputs, on a lane for each queue: one that is full holds up no other. What they have on its way together is
// bounded, and they take turns.
import type { JetStreamClient } from '@nats-io/jetstream';
import type { BrokerError } from '../errors.js';
import { type Outgoing, OutgoingLane, WINDOW } from './outgoing.js';

/** What is done for them elsewhere. */
export interface LanesOwner {
  /** An error of ours. */
  error(cause: unknown): BrokerError;
  /** It does not work for some queue: once until it does for all. */
  failing(error: BrokerError): void;
  working(): void;
}

export class OutgoingLanes {
  readonly #owner: LanesOwner;
  readonly #dedupMs: number;
  /** Those that have something, by queue. */
  readonly #lanes = new Map<string, OutgoingLane>();
  /** Queues whose lanes do not work. */
  readonly #failing = new Set<string>();
  /** Lanes that may publish when another one has its answer. */
  readonly #inLine = new Set<OutgoingLane>();
  #js: JetStreamClient | null = null;
  #isDown = false;
  /** Whether JetStream has stored something since there is a connection. */
  #isProven = false;
  #inFlight = 0;
  #size = 0;
  #cost = 0;

  constructor(owner: LanesOwner, dedupMs: number) {
    this.#owner = owner;
    this.#dedupMs = dedupMs;
  }

  /** How many are not stored. */
  get size(): number {
    return this.#size;
  }

  /** What it costs to keep them, in bytes. */
  get cost(): number {
    return this.#cost;
  }

  add(queue: string, one: Outgoing): void {
    const lane = this.#lanes.get(queue) ?? this.#lane(queue);
    this.#size += 1;
    this.#cost += lane.add(one);
  }

  /** There is a connection. */
  open(js: JetStreamClient): void {
    this.#js = js;
    for (const lane of this.#lanes.values()) lane.open(js);
  }

  /**
   * The connection was interrupted. What is published while it is dialled again would arrive as soon as it is there, before what
   * was lost with it: so nothing is.
   */
  down(): void {
    this.#isDown = true;
    this.#isProven = false;
  }

  /** It is there again. @param isAnother as `NatsWatcher` has it */
  again(isAnother: boolean): void {
    this.#isDown = false;
    for (const lane of this.#lanes.values()) lane.again(isAnother);
  }

  /** Nothing is published any more. */
  close(error: BrokerError): void {
    for (const lane of this.#lanes.values()) lane.close(error);
    this.#lanes.clear();
    this.#inLine.clear();
    this.#size = 0;
    this.#cost = 0;
  }

  #lane(queue: string): OutgoingLane {
    const lane: OutgoingLane = new OutgoingLane(
      {
        error: (cause) => this.#owner.error(cause),
        failing: (error) => {
          this.#failing.add(queue);
          if (this.#failing.size === 1) this.#owner.failing(error);
        },
        working: () => {
          this.#works(queue);
        },
        admit: () => this.#admit(lane),
        answered: (isStored) => {
          this.#inFlight -= 1;
          if (isStored && !this.#isDown) this.#isProven = true;
          this.#nextInLine();
        },
        left: (cost) => {
          this.#size -= 1;
          this.#cost -= cost;
          if (lane.size > 0) return;
          this.#lanes.delete(queue);
          this.#works(queue);
        },
      },
      this.#dedupMs,
      this.#isProven,
    );
    this.#lanes.set(queue, lane);
    if (this.#js !== null) lane.open(this.#js);
    return lane;
  }

  #works(queue: string): void {
    if (this.#failing.delete(queue) && this.#failing.size === 0) this.#owner.working();
  }

  #admit(lane: OutgoingLane): boolean {
    if (this.#isDown || this.#inFlight >= WINDOW) {
      this.#inLine.add(lane);
      return false;
    }
    this.#inFlight += 1;
    return true;
  }

  #nextInLine(): void {
    for (const lane of this.#inLine) {
      if (this.#isDown || this.#inFlight >= WINDOW) return;
      this.#inLine.delete(lane);
      lane.more();
    }
  }
}
