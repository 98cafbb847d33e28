// Messages for those who are not there: RFC 6121 §8.5.2.2, XEP-0160, XEP-0203.
import type { JID } from '../../jid/jid.js';
import { xml } from '../../xml/builder.js';
import type { Element } from '../../xml/element.js';
import { NS } from '../../xml/namespaces.js';
import { accountOf } from '../stanza.js';
import type { Host, Resource } from './host.js';

/** Most messages that are kept for an account. */
const MESSAGES_LIMIT = 100;

/** Content that is worth nothing later. */
const PASSING = new Set<string | null>([NS.CHAT_STATES, NS.HINTS]);
const NOT_KEPT = ['no-store', 'no-permanent-store', 'no-storage'];

/** What waits for accounts, until a resource takes messages. */
export class OfflineMessages {
  readonly #host: Host;
  readonly #kept = new Map<string, Element[]>();

  constructor(host: Host) {
    this.#host = host;
  }

  /** Keeps a message that nobody takes now. @returns whether it does */
  keep(message: Element, to: JID): boolean {
    const account = accountOf(to);
    const kept = this.#kept.get(account) ?? [];
    const type = message.getAttribute('type') ?? 'normal';
    const isKept = (type === 'normal' || type === 'chat') && isWorth(message);
    if (!isKept || !this.#host.hasAccount(account) || kept.length >= MESSAGES_LIMIT) return false;
    kept.push(stamped(message, this.#host.domain));
    this.#kept.set(account, kept);
    return true;
  }

  /** Hands over what was kept, oldest first. */
  deliver(resource: Resource): void {
    const account = accountOf(resource.jid);
    const kept = this.#kept.get(account) ?? [];
    this.#kept.delete(account);
    for (const message of kept) resource.deliver(message);
  }

  forget(account: string): void {
    this.#kept.delete(account);
  }
}

function isWorth(message: Element): boolean {
  const { children } = message;
  if (children.length === 0) return false;
  if (children.some((child) => child.namespaceURI === NS.HINTS && NOT_KEPT.includes(child.localName))) return false;
  return !children.every(({ namespaceURI }) => PASSING.has(namespaceURI));
}

/** A copy that says since when it was kept. */
function stamped(message: Element, domain: string): Element {
  const copy = message.clone();
  const known = copy.getChildren('delay', NS.DELAY).some((delay) => delay.getAttribute('from') === domain);
  if (!known) copy.appendChild(xml('delay', { xmlns: NS.DELAY, from: domain, stamp: new Date().toISOString() }));
  return copy;
}
