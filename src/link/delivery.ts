import type { Place } from '../protocols/features/managed-session.js';
import type { Element } from '../xml/element.js';
import type { Acknowledgements } from './acknowledgements.js';
import type { Intake } from './intake.js';

/**
 * What became of a stanza that was delivered: a promise of the end of what its handlers do, if somebody wants to know and
 * they are not done, which never rejects; null: they are; or it takes more than one turn of the event loop.
 */
export type Delivered = Promise<void> | null | Undelivered;

/** A stanza that no handler has seen yet. */
export class Undelivered {
  /** @param goOn does another turn's part of it */
  constructor(readonly goOn: () => Delivered) {}
}

/** What delivering works with. */
export interface DeliveryParts {
  readonly router: { deliver(stanza: Element): Delivered };
  /** Null without stream management. */
  readonly acks: Acknowledgements | null;
  /** Null: a stanza is handled when it was delivered. */
  readonly intake: Intake | null;
}

/** The way of stanzas to their handlers, one at a time. */
export class Delivery {
  readonly #router: DeliveryParts['router'];
  readonly #acks: Acknowledgements | null;
  readonly #intake: Intake | null;
  /** The stanza that is being delivered, and whether stream management counts it. */
  #stanza: Element | null = null;
  #isCounted = false;
  #rest: Undelivered | null = null;

  constructor({ router, acks, intake }: DeliveryParts) {
    this.#router = router;
    this.#acks = acks;
    this.#intake = intake;
  }

  /** Whether a stanza is being delivered. */
  delivers(stanza: Element): boolean {
    return this.#stanza === stanza;
  }

  /** See `Link.placeOf`. */
  placeOf(stanza: Element): Place | null {
    if (this.#acks === null || !this.#isCounted || !this.delivers(stanza)) return null;
    return this.#acks.session.placeBehind(this.#intake?.counting ?? 0);
  }

  /**
   * @param stanza undefined: the element brought none
   * @returns whether it takes more than this turn of the event loop: then `goOn` has to be called in the next one
   */
  deliver(stanza: Element | undefined, counted: boolean): boolean {
    this.#isCounted = counted;
    if (stanza === undefined) return this.#look(null);
    this.#stanza = stanza;
    return this.#look(this.#router.deliver(stanza));
  }

  /** @returns as {@link deliver} */
  goOn(): boolean {
    const rest = this.#rest;
    this.#rest = null;
    return rest !== null && this.#look(rest.goOn());
  }

  #look(delivered: Delivered): boolean {
    if (delivered instanceof Undelivered) {
      this.#rest = delivered;
      return true;
    }
    this.#stanza = null;
    // Handled means: every handler has seen it, and is done if that is asked for. One that threw has seen it, too.
    if (this.#intake !== null) this.#intake.take(delivered, this.#isCounted);
    else if (this.#isCounted) this.#acks?.session.onHandled();
    return false;
  }
}
