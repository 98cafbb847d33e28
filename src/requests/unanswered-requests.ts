// The duty to answer: RFC 6120 §8.2.3.
import { JID } from '../jid/jid.js';
import type { Element } from '../xml/element.js';

/** Most requests of peers that are watched at once; older ones are forgotten first. */
const LIMIT = 1_000;

/** Inbound iq requests that nobody has answered yet. */
export class UnansweredRequests {
  #open: Map<Element, { id: string; from: string | null }> | null = null;

  /** An iq get or set arrived. */
  arrived(iq: Element): void {
    const open = (this.#open ??= new Map());
    open.set(iq, { id: iq.getAttribute('id') ?? '', from: iq.getAttribute('from') });
    if (open.size <= LIMIT) return;
    for (const oldest of open.keys()) {
      open.delete(oldest);
      return;
    }
  }

  /** An iq result or error goes out. */
  answered(iq: Element): void {
    if (this.#open === null || this.#open.size === 0) return;
    const id = iq.getAttribute('id') ?? '';
    const to = iq.getAttribute('to');
    for (const [request, open] of this.#open) {
      if (open.id !== id || (open.from !== to && (open.from === null || to === null || !JID.equivalent(open.from, to))))
        continue;
      this.#open.delete(request);
      return;
    }
  }

  /** Takes a request that is still unanswered. Returns whether it was. */
  take(iq: Element): boolean {
    return this.#open?.delete(iq) === true;
  }
}
