import { PCJ_NODERECEIVED, type Broker } from 'xmpp-broker';
import { Collected } from './collected.js';

/** Messages that a broker receives. */
export interface Inbox {
  /** The ids of all of them, in order. */
  readonly ids: readonly string[];
  /** Resolves when one with this id has come so often. Default once. */
  until(id: string, times?: number): Promise<unknown>;
}

/** @param of errors have the ids of what they answer, and may be left out */
export function inbox(broker: Broker, of: 'all' | 'no errors' = 'all'): Inbox {
  const ids = new Collected<string>();
  broker.subscribe(PCJ_NODERECEIVED, (node) => {
    if (node.localName !== 'message' || (of === 'no errors' && node.getAttribute('type') === 'error')) return;
    ids.add(node.getAttribute('id') ?? '');
  });
  return { ids: ids.all, until: (id, times) => ids.until((one) => one === id, times) };
}
