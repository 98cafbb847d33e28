import type { Delivery } from './subscription.js';

/** The right to fire one event. */
export interface Publication<Payload> {
  readonly event: string;
  /** False once it was rescinded. */
  readonly active: boolean;
  /**
   * Calls every subscriber in the order of subscription, before it returns. It never throws. Subscribers that are added
   * meanwhile are called from the next time on, those that are cancelled meanwhile are not called any more.
   *
   * @param promises Is given the promises that handlers returned. They are fulfilled when the handler is done, whatever became of it.
   * @returns how many subscribers were called; 0 after `rescind`
   */
  fire(payload: Payload, promises?: Promise<void>[]): number;
  /** Gives the name back. Subscriptions stay, for whoever publishes it next. Again is harmless. */
  rescind(): void;
}

/** Calls the subscribers of an event: see {@link Publication.fire}. */
export function fire(delivery: Delivery, event: string, payload: unknown, promises?: Promise<void>[]): number {
  const outerCalled = delivery.called;
  const outerPromises = delivery.promises;
  delivery.called = 0;
  delivery.promises = promises;
  delivery.emitter.emit(event, payload);
  const called = delivery.called;
  delivery.called = outerCalled;
  delivery.promises = outerPromises;
  return called;
}

/** A publication in force. `published` is the bus's count of those of each name, -1 for an exclusive one. */
export class Grant<Payload> implements Publication<Payload> {
  #active = true;

  constructor(
    readonly event: string,
    private readonly delivery: Delivery,
    private readonly published: Map<string, number>,
  ) {}

  get active(): boolean {
    return this.#active;
  }

  fire(payload: Payload, promises?: Promise<void>[]): number {
    return this.#active ? fire(this.delivery, this.event, payload, promises) : 0;
  }

  rescind(): void {
    if (!this.#active) return;
    this.#active = false;
    const shares = this.published.get(this.event) ?? 0;
    if (shares > 1) this.published.set(this.event, shares - 1);
    else this.published.delete(this.event);
  }
}
