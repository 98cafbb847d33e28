// Whose word counts: XEP-0356 §8, XEP-0355 §10.
import { isArray, shown } from '../arguments/arguments.js';
import { usageError } from '../errors.js';
import { JID } from '../jid/jid.js';
import type { Element } from '../xml/element.js';

/** The domains of the servers whose announcements and forwarded requests are believed. */
export class Servers {
  readonly #domains: ReadonlySet<string>;

  /**
   * @param call who was given the option, for messages: `Privileges`
   * @param given the option `servers`. Default: the component's name without its first label
   * @throws BrokerError `USAGE_PRIVILEGE`
   */
  constructor(call: string, given: unknown, component: string) {
    if (given === undefined) {
      this.#domains = new Set([JID.parse(component.slice(component.indexOf('.') + 1)).domain]);
      return;
    }
    if (!isArray(given) || given.length === 0) {
      throw usageError('USAGE_PRIVILEGE', `${call}({ servers }) must be a list of one or more domains`);
    }
    this.#domains = new Set(given.map((name) => domainOf(call, name)));
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

function domainOf(call: string, name: unknown): string {
  try {
    const { local, domain, resource } = JID.parse(name as string);
    if (local === null && resource === null) return domain;
  } catch {
    // told below
  }
  throw usageError('USAGE_PRIVILEGE', `${call}({ servers }) must be a list of domains; ${shown(name)} is none`);
}
