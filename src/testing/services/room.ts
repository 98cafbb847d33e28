// One room: XEP-0045.
import type { JID } from '../../jid/jid.js';
import { reply } from '../../stanza/replies.js';
import { StanzaError } from '../../stanza/stanza-error.js';
import { xml, type XmlChild } from '../../xml/builder.js';
import type { Element } from '../../xml/element.js';
import { NS } from '../../xml/namespaces.js';
import { withFrom } from '../stanza.js';
import { DEFAULT_CONFIG, type RoomConfig } from './room-config.js';
import { RoomHistory, toldLater, type Said } from './room-history.js';

export type Affiliation = 'owner' | 'admin' | 'member' | 'none' | 'outcast';
export type Role = 'moderator' | 'participant' | 'visitor' | 'none';

/** Somebody in a room. */
export interface Occupant {
  nick: string;
  readonly jid: JID;
  role: Role;
  /** The presence that was sent last, as it came. */
  presence: Element;
}

/** Why somebody goes, or is not what they were. */
export interface Change {
  readonly codes?: readonly number[] | undefined;
  /** Nickname of who did it. */
  readonly actor?: string | undefined;
  readonly reason?: string | undefined;
  /** The new nickname, with 303. */
  readonly nick?: string | undefined;
  readonly destroy?: Element | undefined;
}

/** Most addresses with an affiliation. */
const AFFILIATIONS_LIMIT = 1000;

/** What a presence in a room says of the one in it is said by the room alone. */
const ROOM_SAYS = new Set<string | null>([NS.MUC, NS.MUC_USER]);

/** Who is in, who may be, and what was said. Errors are thrown as `StanzaError`; the service answers with them. */
export class Room {
  config: RoomConfig = DEFAULT_CONFIG;
  /** Nobody but its owner gets in before it is configured (§10.1.2). */
  locked = true;
  readonly history = new RoomHistory();
  readonly occupants = new Map<string, Occupant>();
  readonly #affiliations = new Map<string, Affiliation>();
  #subject: Said | null = null;

  constructor(
    readonly jid: string,
    private readonly send: (stanza: Element) => void,
  ) {}

  affiliation(jid: JID): Affiliation {
    return this.#affiliations.get(jid.bare().toString()) ?? 'none';
  }

  /** Addresses with an affiliation. */
  listed(affiliation: Affiliation): string[] {
    return [...this.#affiliations].filter(([, one]) => one === affiliation).map(([jid]) => jid);
  }

  /** @throws StanzaError `resource-constraint`, `conflict` */
  setAffiliation(jid: JID, affiliation: Affiliation): void {
    const bare = jid.bare().toString();
    const owners = this.listed('owner');
    if (affiliation !== 'owner' && owners.length === 1 && owners[0] === bare) throw new StanzaError('conflict');
    const known = this.#affiliations.has(bare) || affiliation === 'none';
    if (!known && this.#affiliations.size >= AFFILIATIONS_LIMIT) throw new StanzaError('resource-constraint');
    if (affiliation === 'none') this.#affiliations.delete(bare);
    else this.#affiliations.set(bare, affiliation);
  }

  occupantOf(jid: JID): Occupant | null {
    return [...this.occupants.values()].find((one) => one.jid.equals(jid)) ?? null;
  }

  /** @throws StanzaError `not-acceptable` for who is not in */
  expectOccupant(jid: JID): Occupant {
    const occupant = this.occupantOf(jid);
    if (occupant !== null) return occupant;
    throw new StanzaError('not-acceptable', { text: 'you are not in this room' });
  }

  /** The role that goes with an affiliation (§5.1.2). */
  roleFor(affiliation: Affiliation): Role {
    if (affiliation === 'owner' || affiliation === 'admin') return 'moderator';
    if (affiliation === 'outcast' || (affiliation === 'none' && this.config.membersOnly)) return 'none';
    return affiliation === 'none' && this.config.moderated ? 'visitor' : 'participant';
  }

  /** Lets somebody in, or tells why not (§7.2). Who is in already is told everything again. */
  enter(jid: JID, nick: string, presence: Element, created: boolean): void {
    const asked = presence.getChild('x', NS.MUC);
    const before = this.occupantOf(jid);
    if (before !== null && before.nick !== nick) {
      this.rename(before, nick, presence);
      return;
    }
    if (before === null) this.#refuse(jid, nick, asked?.getChildText('password') ?? '');
    const occupant: Occupant = before ?? { nick, jid, role: this.roleFor(this.affiliation(jid)), presence };
    occupant.presence = presence;
    for (const other of this.occupants.values()) if (other !== occupant) this.#show(other, occupant);
    this.occupants.set(nick, occupant);
    this.broadcast(occupant, { codes: [...(created ? [201] : []), ...(this.config.nonAnonymous ? [100] : [])] });
    const history = asked?.getChild('history') ?? null;
    for (const message of this.history.wanted(history, this.jid)) this.#to(occupant, message);
    const none = xml('message', { xmlns: NS.CLIENT, type: 'groupchat', from: this.jid }, xml('subject'));
    this.#to(occupant, this.#subject === null ? none : toldLater(this.#subject, this.jid));
  }

  #refuse(jid: JID, nick: string, password: string): void {
    const affiliation = this.affiliation(jid);
    const isOwner = affiliation === 'owner';
    if (affiliation === 'outcast') throw new StanzaError('forbidden');
    if (this.locked && !isOwner) throw new StanzaError('item-not-found', { text: 'the room is being set up' });
    if (this.config.membersOnly && affiliation === 'none') throw new StanzaError('registration-required');
    if (this.config.password !== '' && password !== this.config.password && !isOwner) {
      throw new StanzaError('not-authorized');
    }
    if (this.occupants.has(nick)) throw new StanzaError('conflict');
    if (this.occupants.size >= this.config.maxOccupants && affiliation !== 'admin' && !isOwner) {
      throw new StanzaError('service-unavailable', { text: 'the room is full' });
    }
  }

  /** Another nickname (§7.6). @throws StanzaError `conflict` */
  rename(occupant: Occupant, nick: string, presence: Element): void {
    if (this.occupants.has(nick)) throw new StanzaError('conflict');
    this.broadcast(occupant, { codes: [303], nick }, 'unavailable');
    this.occupants.delete(occupant.nick);
    occupant.nick = nick;
    occupant.presence = presence;
    this.occupants.set(nick, occupant);
    this.broadcast(occupant);
  }

  /** Takes somebody out, and tells everybody why. */
  remove(occupant: Occupant, change: Change = {}, last: Element = withoutContent()): void {
    if (this.occupants.get(occupant.nick) !== occupant) return;
    occupant.role = 'none';
    occupant.presence = last;
    this.broadcast(occupant, change, 'unavailable');
    this.occupants.delete(occupant.nick);
  }

  /** Everybody goes: the room is no more (§10.9). */
  destroy(destroy: Element): void {
    for (const occupant of [...this.occupants.values()]) {
      this.occupants.delete(occupant.nick);
      occupant.role = 'none';
      occupant.presence = withoutContent();
      this.#show(occupant, occupant, { destroy }, 'unavailable');
    }
  }

  /** Something said to all (§7.4), or a subject (§8.1). */
  say(occupant: Occupant, message: Element): void {
    const isSubject = message.getChild('subject') !== null && message.getChild('body') === null;
    const moderator = occupant.role === 'moderator';
    if (occupant.role === 'visitor') throw new StanzaError('forbidden', { text: 'visitors have no voice' });
    if (isSubject && !moderator && !this.config.changeSubject) {
      throw new StanzaError('forbidden', { text: 'moderators set the subject' });
    }
    const said = withFrom(message, `${this.jid}/${occupant.nick}`);
    if (isSubject) this.#subject = { message: said, at: Date.now() };
    else if (message.getChild('body') !== null) this.history.add(said, this.config.historyLength);
    for (const other of [...this.occupants.values()]) this.#to(other, said);
  }

  /** Something for one of those in the room (§7.5), a request included. @throws StanzaError `item-not-found` */
  pass(occupant: Occupant, nick: string, stanza: Element): void {
    const other = this.occupants.get(nick);
    if (other === undefined) throw new StanzaError('item-not-found', { text: 'nobody in the room is called that' });
    const passed = withFrom(stanza, `${this.jid}/${occupant.nick}`);
    if (passed.localName === 'message') passed.appendChild(xml('x', { xmlns: NS.MUC_USER }));
    this.#to(other, passed);
  }

  /** XEP-0410 §3.3: whoever asks whether they are in is answered by the room. */
  isSelfPing(occupant: Occupant, nick: string, request: Element): boolean {
    const asks = request.getAttribute('type') === 'get' && request.firstElementChild?.is('ping', NS.PING) === true;
    return asks && occupant.nick === nick;
  }

  /** Tells everybody of somebody's presence: who it is hears it last, with status 110. */
  broadcast(about: Occupant, change: Change = {}, type?: 'unavailable'): void {
    for (const other of [...this.occupants.values()]) {
      if (other !== about) this.#show(about, other, { ...change, codes: forAll(change) }, type);
    }
    this.#show(about, about, change, type);
  }

  /** Tells everybody of a change of the room itself (§10.2.1). */
  announce(code: number): void {
    const x = xml('x', { xmlns: NS.MUC_USER }, xml('status', { code }));
    const message = xml('message', { xmlns: NS.CLIENT, type: 'groupchat', from: this.jid }, x);
    for (const other of [...this.occupants.values()]) this.#to(other, message);
  }

  /** Somebody is asked in (§7.8.2). Whom an owner asks into a room for members becomes one. */
  invite(occupant: Occupant, invite: Element, to: JID): void {
    const affiliation = this.affiliation(occupant.jid);
    const mayAdd = affiliation === 'owner' || affiliation === 'admin';
    if (this.config.membersOnly && this.affiliation(to) === 'none') {
      if (!mayAdd) throw new StanzaError('forbidden', { text: 'only those who may add members may invite' });
      this.setAffiliation(to, 'member');
    }
    const { password } = this.config;
    const reason = invite.getChildText('reason');
    const told = xml(
      'invite',
      { from: `${this.jid}/${occupant.nick}` },
      reason === null ? null : xml('reason', {}, reason),
    );
    const x = xml('x', { xmlns: NS.MUC_USER }, told, password === '' ? null : xml('password', {}, password));
    this.send(xml('message', { xmlns: NS.CLIENT, from: this.jid, to: to.toString() }, x));
  }

  answer(request: Element, ...children: XmlChild[]): void {
    this.send(reply(request, ...children));
  }

  #show(about: Occupant, to: Occupant, change: Change = {}, type?: 'unavailable'): void {
    const self = about === to;
    const seesAddress = self || to.role === 'moderator' || this.config.nonAnonymous;
    const item = xml(
      'item',
      {
        affiliation: this.affiliation(about.jid),
        role: about.role,
        jid: seesAddress ? about.jid.toString() : undefined,
        nick: change.nick,
      },
      change.actor === undefined ? null : xml('actor', { nick: change.actor }),
      change.reason === undefined ? null : xml('reason', {}, change.reason),
    );
    const codes = [...(change.codes ?? []), ...(self ? [110] : [])];
    const shown = about.presence.clone();
    for (const child of shown.children) if (ROOM_SAYS.has(child.namespaceURI)) shown.removeChild(child);
    shown.setAttribute('from', `${this.jid}/${about.nick}`);
    if (type === undefined) shown.removeAttribute('type');
    else shown.setAttribute('type', type);
    const status = codes.map((code) => xml('status', { code }));
    shown.appendChild(xml('x', { xmlns: NS.MUC_USER }, change.destroy, item, status));
    this.#to(to, shown);
  }

  #to({ jid }: Occupant, stanza: Element): void {
    const copy = stanza.clone();
    copy.setAttribute('to', jid.toString());
    this.send(copy);
  }
}

function withoutContent(): Element {
  return xml('presence', { xmlns: NS.CLIENT });
}

/** Codes that are not for the one alone whom they are about. */
function forAll({ codes = [] }: Change): number[] {
  return codes.filter((code) => code >= 300);
}
