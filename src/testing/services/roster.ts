// Contacts of an account and how subscriptions stand: RFC 6121 §2, appendix A.
import { StanzaError } from '../../stanza/stanza-error.js';
import { xml } from '../../xml/builder.js';
import type { Element } from '../../xml/element.js';

/** Most contacts of an account, those who want to become some included. */
const ITEMS_LIMIT = 1000;
/** Most accounts with contacts. */
const ROSTERS_LIMIT = 1000;

/** One contact. */
export interface Contact {
  name: string | null;
  groups: readonly string[];
  /** Whether the account sees the contact's presence. */
  to: boolean;
  /** Whether the contact sees the account's. */
  from: boolean;
  /** Whether the account has asked, and was not answered. */
  ask: boolean;
  /** The contact's request that waits for an answer. */
  pending: Element | null;
  /** Whether it is shown. A contact who only wants to become one is not. */
  listed: boolean;
}

/** The contacts of one account, by bare address. */
export type Roster = Map<string, Contact>;

/** The rosters of all accounts. */
export class Rosters {
  readonly #rosters = new Map<string, Roster>();

  of(account: string): ReadonlyMap<string, Contact> {
    return this.#rosters.get(account) ?? new Map<string, Contact>();
  }

  contact(account: string, jid: string): Contact | null {
    return this.#rosters.get(account)?.get(jid) ?? null;
  }

  /** The contact, made if it is not there. @throws StanzaError `resource-constraint` */
  add(account: string, jid: string): Contact {
    const known = this.contact(account, jid);
    if (known !== null) return known;
    const roster = this.#rosters.get(account) ?? new Map<string, Contact>();
    if (roster.size >= ITEMS_LIMIT || (roster.size === 0 && this.#rosters.size >= ROSTERS_LIMIT)) {
      throw new StanzaError('resource-constraint', { text: 'too many contacts' });
    }
    const contact = { name: null, groups: [], to: false, from: false, ask: false, pending: null, listed: false };
    this.#rosters.set(account, roster.set(jid, contact));
    return contact;
  }

  remove(account: string, jid: string): void {
    const roster = this.#rosters.get(account);
    roster?.delete(jid);
    if (roster?.size === 0) this.#rosters.delete(account);
  }

  forget(account: string): void {
    this.#rosters.delete(account);
  }
}

/** The contact as rosters and pushes show it. */
export function itemOf(jid: string, { name, groups, to, from, ask }: Contact): Element {
  const subscription = to ? (from ? 'both' : 'to') : from ? 'from' : 'none';
  return xml(
    'item',
    { jid, name, subscription, ask: ask ? 'subscribe' : undefined },
    groups.map((group) => xml('group', {}, group)),
  );
}
