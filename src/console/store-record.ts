import type { StatusEvent, StatusEvents } from '../events.js';
import { describeText, line } from './described.js';
import type { DeadLine, Step } from './messages.js';
import { stepOf } from './timeline.js';

/** Dead letters that are kept, and what was told of the store. */
const MOST_DEAD = 100;
const MOST_TOLD = 20;

/** Events that tell of the store of a queue. */
export const STORE_EVENTS: readonly StatusEvent[] = [
  'PCJ_STOREREADY',
  'PCJ_STOREFAIL',
  'PCJ_STANDBY',
  'PCJ_FENCED',
  'PCJ_DEADLETTER',
];

/** What is known of the store of a queue, and the stanzas that were given up: the last of each. */
export class StoreRecord {
  readonly #told: Step[] = [];
  readonly #dead: DeadLine[] = [];
  #left = 0;

  /** Rises with each event. */
  version = 0;

  add(event: StatusEvent, payload: unknown, xmlns: string): void {
    this.version += 1;
    if (event !== 'PCJ_DEADLETTER') {
      this.#told.unshift(stepOf(event, payload));
      if (this.#told.length > MOST_TOLD) this.#told.pop();
      return;
    }
    const { key, xml, error } = payload as StatusEvents['PCJ_DEADLETTER'];
    // Nobody has checked the text: it is shown only as what it can be read as, without what is secret.
    const shown = describeText(xml, xmlns)?.xml ?? null;
    this.#dead.unshift({
      at: Date.now(),
      key: line(key),
      code: line(error.code),
      text: line(error.message),
      xml: shown,
    });
    if (this.#dead.length <= MOST_DEAD) return;
    this.#dead.pop();
    this.#left += 1;
  }

  read(): { readonly told: readonly Step[]; readonly dead: readonly DeadLine[]; readonly left: number } {
    return { told: [...this.#told], dead: [...this.#dead], left: this.#left };
  }
}
