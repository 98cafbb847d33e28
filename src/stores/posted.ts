// What a queue holds, as it is posted to the thread of the brokers: a list of plain values, for thousands of objects take long.
import type { StoredStanza } from '../queue/store.js';
import type { OpenedQueue } from './queue-file.js';

/** Values of one stanza, one behind the other. */
const EACH = 11;

type Values = readonly (string | number | boolean | null)[];

/** An {@link OpenedQueue} with its stanzas as a list. */
export type PostedQueue = Omit<OpenedQueue, 'held'> & { readonly held: Values };

export function posted({ held, ...rest }: OpenedQueue): PostedQueue {
  const values: (string | number | boolean | null)[] = [];
  for (const { key, position, xml, xmlns, at, handed, possibleDuplicate, attempts, faults } of held) {
    values.push(key, position, xml, xmlns, at, handed !== null, handed?.session ?? null, handed?.ordinal ?? null);
    values.push(possibleDuplicate, attempts, faults);
  }
  return { ...rest, held: values };
}

export function received({ held, ...rest }: PostedQueue): OpenedQueue {
  const stanzas: StoredStanza[] = [];
  for (let at = 0; at < held.length; at += EACH) {
    stanzas.push({
      key: held[at] as string,
      position: held[at + 1] as number,
      xml: held[at + 2] as string,
      xmlns: held[at + 3] as string | null,
      at: held[at + 4] as number,
      handed:
        held[at + 5] === true
          ? { session: held[at + 6] as string | null, ordinal: held[at + 7] as number | null }
          : null,
      possibleDuplicate: held[at + 8] as boolean,
      attempts: held[at + 9] as number,
      faults: held[at + 10] as number,
    });
  }
  return { ...rest, held: stanzas };
}
