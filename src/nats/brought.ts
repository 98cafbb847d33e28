// Stanzas that NATS brought, until they are handed over to a queue.
import type { StoredStanza } from '../queue/store.js';
import { storedCost } from '../queue/ticket.js';

export class Brought {
  readonly stanzas: StoredStanza[] = [];
  #cost = 0;

  /** What they will cost where they are kept, in bytes. */
  get cost(): number {
    return this.#cost;
  }

  push(stanza: StoredStanza): void {
    this.stanzas.push(stanza);
    this.#cost += storedCost(stanza.xml);
  }
}
