import type { BrokerError } from '../errors.js';
import type { Element, Node } from '../xml/element.js';
import type { Entry } from './entry.js';
import type { MatchedNode } from './xpath/node.js';

/** What a filter has to say about a stanza. */
export interface Outcome {
  entry: Entry;
  nodes: readonly MatchedNode[] | null;
  errors: readonly BrokerError[];
}

/** What filters have to say about a stanza; null: nothing. */
export type Found = readonly Outcome[] | null;

/** A stanza whose filters cost so much that the rest waits for another turn of the event loop. */
export class Unevaluated {
  /** Behind what was evaluated. */
  left: Entry[] = [];
  outcomes: Outcome[] | null = null;

  /** @param from where the search for filters that it may match goes on; null: they are found */
  constructor(
    readonly stanza: Element,
    public from: Node | null,
  ) {}

  /** Some were evaluated. */
  static behind(stanza: Element, left: Entry[], outcomes: Outcome[] | null): Unevaluated {
    return Object.assign(new Unevaluated(stanza, null), { left, outcomes });
  }
}
