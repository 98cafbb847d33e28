// The server's side of XEP-0198.
import { xml } from '../xml/builder.js';
import type { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';
import { StreamFault } from './stream-fault.js';

const MODULUS = 2 ** 32;

/** The counts of one session, and what its client has not acknowledged. They live on when the connection is cut. */
export class StreamManagement {
  /** Stanzas of the client that were handled, modulo 2^32. */
  handled: number;
  /** Stanzas that were sent and acknowledged, modulo 2^32. */
  #acknowledged: number;
  readonly #unacknowledged: Element[] = [];
  #sinceRequest = 0;

  constructor(
    /** Names the session for a resumption; null when there will be none. */
    readonly id: string | null,
    private readonly settings: { readonly startCount: number; readonly requestEvery: number },
  ) {
    this.handled = settings.startCount;
    this.#acknowledged = settings.startCount;
  }

  /** Sent, and not acknowledged, oldest first. */
  get unacknowledged(): readonly Element[] {
    return this.#unacknowledged;
  }

  received(): void {
    this.handled = (this.handled + 1) % MODULUS;
  }

  /** Counts a stanza to the client. Returns whether it is time to ask for an acknowledgement. */
  sent(stanza: Element): boolean {
    const { requestEvery } = this.settings;
    this.#unacknowledged.push(stanza);
    this.#sinceRequest++;
    if (requestEvery === 0 || this.#sinceRequest < requestEvery) return false;
    this.#sinceRequest = 0;
    return true;
  }

  /**
   * Takes the client's count.
   * @throws StreamFault when it is no count, or the client acknowledges more than it was sent
   */
  acknowledge(element: Element): void {
    const text = element.getAttribute('h') ?? '';
    const count = /^[0-9]{1,10}$/.test(text) ? Number(text) : MODULUS;
    if (count >= MODULUS) throw new StreamFault('undefined-condition', { text: 'h is no count' });
    const fresh = (count - this.#acknowledged + MODULUS) % MODULUS;
    if (fresh > this.#unacknowledged.length) {
      const sent = (this.#acknowledged + this.#unacknowledged.length) % MODULUS;
      throw new StreamFault('undefined-condition', {
        appCondition: xml('handled-count-too-high', { xmlns: NS.SM, h: count, 'send-count': sent }),
      });
    }
    this.#unacknowledged.splice(0, fresh);
    this.#acknowledged = count;
  }

  /** `<a/>` with our count. */
  answer(): Element {
    return xml('a', { xmlns: NS.SM, h: this.handled });
  }
}

/** `<failed/>`, with the count of a session that is over when it is known. */
export function failed(condition: string, count?: number): Element {
  return xml('failed', { xmlns: NS.SM, h: count }, xml(condition, { xmlns: NS.STANZAS }));
}
