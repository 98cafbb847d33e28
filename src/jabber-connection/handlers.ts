import { usageError } from '../errors.js';
import type { JabberNode } from './node.js';

/** What a handler returns so that no other one sees the node. */
export const HANDLED: unique symbol = Symbol('HANDLED');

/**
 * Sees one node. `parcel` is what the handlers before it handed on: undefined at first, then the last value returned
 * that is not empty (`undefined`, `null`, `false`, `0` or `''`). A promise is waited for.
 */
export type NodeHandler = (node: JabberNode, parcel: unknown) => unknown;

/** What was registered; `cancel` takes it back. */
export interface Registration {
  cancel(): void;
  [Symbol.dispose](): void;
}

/** Makes a registration of what is to be done to take it back. */
export function registration(cancel: () => void): Registration {
  return { cancel, [Symbol.dispose]: cancel };
}

/** Handlers by the name of the element they are for. */
export class Handlers {
  readonly #byTag = new Map<string, { handler: NodeHandler }[]>();

  /** @throws BrokerError `USAGE_HANDLER` */
  add(tag: string, handler: NodeHandler): Registration {
    if (typeof tag !== 'string' || tag === '') {
      throw usageError('USAGE_HANDLER', 'registerHandler() wants the name of an element first, such as message');
    }
    if (typeof handler !== 'function') throw usageError('USAGE_HANDLER', 'registerHandler() wants a function second');
    const entry = { handler };
    // A new list each time: one that is being gone through stays as it is.
    this.#byTag.set(tag, [...(this.#byTag.get(tag) ?? []), entry]);
    return registration(() => {
      this.#byTag.set(tag, this.#byTag.get(tag)?.filter((one) => one !== entry) ?? []);
    });
  }

  /** Shows a node to its handlers, one after the other in the order they were registered. What one throws is thrown. */
  async dispatch(node: JabberNode): Promise<void> {
    let parcel: unknown;
    for (const { handler } of this.#byTag.get(node.name()) ?? []) {
      const returned = await handler(node, parcel);
      if (returned === HANDLED) return;
      if (returned) parcel = returned;
    }
  }
}
