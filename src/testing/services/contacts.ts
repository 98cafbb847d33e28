// Rosters, subscriptions and who sees whose presence: RFC 6121 §2 to §4.
import type { Optional } from '../../arguments/optional.js';
import type { JID } from '../../jid/jid.js';
import { newId } from '../../stanza/id.js';
import { reply } from '../../stanza/replies.js';
import { StanzaError } from '../../stanza/stanza-error.js';
import { xml } from '../../xml/builder.js';
import type { Element } from '../../xml/element.js';
import { NS } from '../../xml/namespaces.js';
import { accountOf, jidOf, withFrom } from '../stanza.js';
import type { Host, Resource } from './host.js';
import { refusal } from './refusal.js';
import { itemOf, Rosters, type Contact } from './roster.js';

type SubscriptionType = 'subscribe' | 'subscribed' | 'unsubscribe' | 'unsubscribed';

const SUBSCRIPTION: ReadonlySet<string | null> = new Set(['subscribe', 'subscribed', 'unsubscribe', 'unsubscribed']);

function isSubscription(type: string | null): type is SubscriptionType {
  return SUBSCRIPTION.has(type);
}

/** The contacts of all accounts of the server. */
export class Contacts {
  readonly #host: Host;
  readonly #rosters = new Rosters();

  constructor(host: Host) {
    this.#host = host;
  }

  /** Deals with a request about the roster. @returns whether it was one */
  ask(request: Element, to: JID): boolean {
    const query = request.getChild('query', NS.IQ_ROSTER);
    const from = jidOf(request.getAttribute('from'));
    if (query === null || from?.bare().equals(to) !== true || to.local === null) return false;
    const account = to.local;
    if (request.getAttribute('type') === 'get') {
      const resource = this.#host.resources(account).find(({ jid }) => jid.equals(from));
      if (resource !== undefined) resource.interested = true;
      const listed = [...this.#rosters.of(account)].filter(([, { listed }]) => listed);
      const items = listed.map(([jid, contact]) => itemOf(jid, contact));
      this.#host.route(reply(request, xml('query', { xmlns: NS.IQ_ROSTER }, items)));
      return true;
    }
    const refused = refusal(request, () => this.#set(request, query, to, account));
    if (refused !== null) this.#host.route(refused);
    return true;
  }

  /** A presence that an account sends to somebody. @returns whether it is a subscription, and was dealt with */
  outbound(own: JID, presence: Element): boolean {
    const type = presence.getAttribute('type');
    const contact = jidOf(presence.getAttribute('to'))?.bare();
    if (!isSubscription(type) || contact === undefined) return false;
    const account = accountOf(own);
    const [self, jid] = [own.bare(), contact.toString()];
    // Nobody subscribes to themselves: their own resources see each other anyhow.
    if (contact.equals(self)) return true;
    const stanza = withFrom(presence, self.toString());
    stanza.setAttribute('to', jid);
    const refused = refusal(presence, () => this.#send(type, account, jid, stanza));
    if (refused !== null) this.#host.route(refused);
    return true;
  }

  /** A presence that arrives for an account. @returns whether it was about a subscription, or a probe */
  inbound(presence: Element, to: JID): boolean {
    const type = presence.getAttribute('type');
    const from = jidOf(presence.getAttribute('from'));
    if ((!isSubscription(type) && type !== 'probe') || from === null || to.local === null) return false;
    // Who does not exist says nothing.
    if (!this.#host.hasAccount(to.local)) return true;
    if (type === 'probe') this.#probed(to.local, from, to.bare());
    else this.#receive(type, to.local, from.bare().toString(), presence);
    return true;
  }

  /** A resource is available, or says something else of itself. */
  available({ jid, presence }: Resource, initial: boolean, deliver: (stanza: Element) => void): void {
    const account = accountOf(jid);
    if (presence === null) return;
    this.#broadcast(account, presence);
    if (!initial) return;
    for (const [contact, { to, pending }] of [...this.#rosters.of(account)]) {
      if (to) this.#host.route(presenceOf('probe', jid.toString(), contact));
      // RFC 6121 §3.1.3: told again until it is answered.
      if (pending !== null) deliver(pending);
    }
  }

  /** A resource is not available any more. */
  unavailable(jid: JID, presence: Element): void {
    this.#broadcast(accountOf(jid), presence);
  }

  /** An account is no more. */
  forget(account: string): void {
    this.#rosters.forget(account);
  }

  /** Those who see the account's presence. Without the service, nobody does. */
  watchers(account: string): string[] {
    return [...this.#rosters.of(account)].filter(([, { from }]) => from).map(([jid]) => jid);
  }

  /** Whether somebody may see what only contacts may. */
  isWatcher(account: string, jid: JID): boolean {
    return this.#rosters.contact(account, jid.bare().toString())?.from === true;
  }

  #set(request: Element, query: Element, own: JID, account: string): void {
    const [item, more] = query.getChildren('item');
    const contact = jidOf(item?.getAttribute('jid') ?? null);
    if (item === undefined || more !== undefined || contact === null) throw new StanzaError('bad-request');
    if (contact.equals(own)) throw new StanzaError('not-allowed');
    const jid = contact.toString();
    if (item.getAttribute('subscription') === 'remove') {
      this.#remove(request, account, own, jid);
      return;
    }
    const entry = this.#rosters.add(account, jid);
    entry.name = item.getAttribute('name');
    entry.groups = [...new Set(item.getChildren('group').map(({ textContent }) => textContent))];
    entry.listed = true;
    this.#host.route(reply(request));
    this.#push(account, jid, entry);
  }

  /** RFC 6121 §2.5: both subscriptions end with it. */
  #remove(request: Element, account: string, own: JID, jid: string): void {
    const entry = this.#rosters.contact(account, jid);
    if (entry?.listed !== true) throw new StanzaError('item-not-found');
    this.#rosters.remove(account, jid);
    this.#host.route(reply(request));
    this.#pushItem(account, xml('item', { jid, subscription: 'remove' }));
    const self = own.bare().toString();
    if (entry.to || entry.ask) this.#host.route(presenceOf('unsubscribe', self, jid));
    if (entry.from || entry.pending !== null) this.#host.route(presenceOf('unsubscribed', self, jid));
    if (entry.from) this.#farewell(account, jid);
  }

  /** RFC 6121 §3, from the side of who sends. */
  #send(type: SubscriptionType, account: string, jid: string, stanza: Element): void {
    if (type === 'subscribe') {
      const wanted = this.#rosters.add(account, jid);
      if (!wanted.to && !wanted.ask) this.#change(account, jid, wanted, { ask: true });
      this.#host.route(stanza);
      return;
    }
    const entry = this.#rosters.contact(account, jid);
    switch (type) {
      case 'subscribed':
        // An approval that nobody asked for is none (§3.1.5).
        if (entry?.pending == null) return;
        this.#change(account, jid, entry, { from: true, pending: null });
        this.#host.route(stanza);
        this.#greet(account, jid);
        return;
      case 'unsubscribe':
        if (entry !== null && (entry.to || entry.ask)) this.#change(account, jid, entry, { to: false, ask: false });
        this.#host.route(stanza);
        return;
      case 'unsubscribed':
        if (entry === null || (!entry.from && entry.pending === null)) return;
        this.#refuse(account, jid, entry, () => this.#host.route(stanza));
    }
  }

  /** RFC 6121 §3, from the side of who receives. What does not fit how things stand is dropped. */
  #receive(type: SubscriptionType, account: string, jid: string, stanza: Element): void {
    const entry = this.#rosters.contact(account, jid);
    switch (type) {
      case 'subscribe':
        if (entry?.from === true) {
          this.#host.route(presenceOf('subscribed', `${account}@${this.#host.domain}`, jid));
          this.#greet(account, jid);
        } else {
          this.#asked(account, jid, stanza);
        }
        return;
      case 'subscribed':
        if (entry?.ask !== true) return;
        this.#tell(account, stanza);
        this.#change(account, jid, entry, { ask: false, to: true });
        return;
      case 'unsubscribe':
        if (entry === null || (!entry.from && entry.pending === null)) return;
        this.#refuse(account, jid, entry, () => this.#tell(account, stanza));
        return;
      case 'unsubscribed':
        if (entry === null || (!entry.to && !entry.ask)) return;
        this.#tell(account, stanza);
        this.#change(account, jid, entry, { ask: false, to: false });
    }
  }

  #asked(account: string, jid: string, stanza: Element): void {
    try {
      this.#rosters.add(account, jid).pending = stanza.clone();
    } catch (error) {
      // Those who have too many contacts are not told of more.
      if (error instanceof StanzaError) return;
      throw error;
    }
    for (const resource of this.#available(account)) resource.deliver(stanza);
  }

  /** The contact does not see the account's presence any more, whoever wanted that. */
  #refuse(account: string, jid: string, entry: Contact, tell: () => void): void {
    const sawUs = entry.from;
    tell();
    if (sawUs) this.#change(account, jid, entry, { from: false, pending: null });
    else entry.pending = null;
    if (!entry.listed) this.#rosters.remove(account, jid);
    if (sawUs) this.#farewell(account, jid);
  }

  /** RFC 6121 §4.3.2. */
  #probed(account: string, from: JID, own: JID): void {
    const isOwn = from.bare().equals(own);
    if (!isOwn && !this.isWatcher(account, from)) {
      this.#host.route(presenceOf('unsubscribed', own.toString(), from.bare().toString()));
    } else if (this.#greet(account, from.toString()) === 0) {
      this.#host.route(presenceOf('unavailable', own.toString(), from.toString()));
    }
  }

  #change(account: string, jid: string, entry: Contact, change: Optional<Contact>): void {
    Object.assign(entry, { listed: true }, change);
    this.#push(account, jid, entry);
  }

  #push(account: string, jid: string, entry: Contact): void {
    this.#pushItem(account, itemOf(jid, entry));
  }

  #pushItem(account: string, item: Element): void {
    for (const { jid, interested, deliver } of this.#bound(account)) {
      if (!interested) continue;
      const query = xml('query', { xmlns: NS.IQ_ROSTER }, item);
      deliver(xml('iq', { xmlns: NS.CLIENT, type: 'set', id: newId(), to: jid.toString() }, query));
    }
  }

  /** What happened to a subscription is told those who know the roster. */
  #tell(account: string, stanza: Element): void {
    for (const { interested, deliver } of this.#bound(account)) if (interested) deliver(stanza);
  }

  /** Sends somebody the presence of every resource. @returns how many there are */
  #greet(account: string, to: string): number {
    const available = this.#available(account);
    for (const { presence, presenceAt } of available) {
      if (presence === null) continue;
      const copy = addressed(presence, to);
      const stamp = new Date(presenceAt).toISOString();
      copy.appendChild(xml('delay', { xmlns: NS.DELAY, from: this.#host.domain, stamp }));
      this.#host.route(copy);
    }
    return available.length;
  }

  #farewell(account: string, to: string): void {
    for (const { jid } of this.#available(account)) this.#host.route(presenceOf('unavailable', jid.toString(), to));
  }

  #broadcast(account: string, presence: Element): void {
    for (const jid of this.watchers(account)) this.#host.route(addressed(presence, jid));
  }

  #available(account: string): Resource[] {
    return this.#host.resources(account).filter(({ priority }) => priority !== null);
  }

  #bound(account: string): { jid: JID; interested: boolean; deliver: (stanza: Element) => void }[] {
    return this.#host.resources(account).map((resource) => ({
      jid: resource.jid,
      interested: resource.interested,
      deliver: (stanza) => resource.deliver(stanza),
    }));
  }
}

function addressed(stanza: Element, to: string): Element {
  const copy = stanza.clone();
  copy.setAttribute('to', to);
  return copy;
}

function presenceOf(type: string, from: string, to: string): Element {
  return xml('presence', { xmlns: NS.CLIENT, type, from, to });
}
