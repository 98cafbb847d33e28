// Whose word counts: XEP-0356 §8, XEP-0355 §10.
import { listOf } from '../arguments/checks.js';
import { domain, preparedDomain } from '../jid/checks.js';
import { JID } from '../jid/jid.js';
import type { Element } from '../xml/element.js';

/** What the option `servers` must be. */
export const servers = listOf('one or more domains', domain, 1);

/** The domains of the servers whose announcements and forwarded requests are believed. */
export class Servers {
  readonly #domains: ReadonlySet<string>;

  /** @param given the option `servers`. Default: the component's name without its first label */
  constructor(given: readonly string[] | undefined, component: string) {
    this.#domains = new Set((given ?? [component.slice(component.indexOf('.') + 1)]).map(preparedDomain));
  }

  /**
   * The server that a stanza is from, or null when it is from anybody else: only the domain itself speaks for the
   * server, no address with a local part or resource, and no other domain.
   */
  sender(stanza: Element): string | null {
    const from = stanza.getAttribute('from');
    if (from === null) return null;
    try {
      const { local, domain, resource } = JID.parse(from);
      return local === null && resource === null && this.#domains.has(domain) ? domain : null;
    } catch {
      return null;
    }
  }
}
