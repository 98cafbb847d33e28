// A service with rooms: XEP-0045, XEP-0410 (self-ping).
import type { JID } from '../../jid/jid.js';
import { reply } from '../../stanza/replies.js';
import { StanzaError } from '../../stanza/stanza-error.js';
import { xml } from '../../xml/builder.js';
import type { Element } from '../../xml/element.js';
import { NS } from '../../xml/namespaces.js';
import { jidOf } from '../stanza.js';
import { dataForm } from './data-form.js';
import type { DomainLink } from './host.js';
import { refusal } from './refusal.js';
import { askAdmin, askOwner } from './room-orders.js';
import { Room } from './room.js';

/** Most rooms at a time. */
const ROOMS_LIMIT = 1000;

/** The rooms of a domain. */
export class Rooms implements DomainLink {
  readonly #rooms = new Map<string, Room>();
  /** What is still to be dealt with, while something is. */
  readonly #waiting: Element[] = [];
  #busy = false;

  /** @param send takes what the rooms say, to whoever its `to` names */
  constructor(
    readonly domain: string,
    private readonly send: (stanza: Element) => void,
  ) {}

  /** What a room says may come back at once, a thousand times: one is dealt with behind the other, never inside of it. */
  deliver(stanza: Element): void {
    this.#waiting.push(stanza);
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) this.#take(next);
    } finally {
      this.#busy = false;
      this.#waiting.length = 0;
    }
  }

  #take(stanza: Element): void {
    const [from, to] = [jidOf(stanza.getAttribute('from')), jidOf(stanza.getAttribute('to'))];
    if (from === null || to === null) return;
    const refused = refusal(stanza, () => {
      if (to.local === null) this.#askService(stanza);
      else this.#toRoom(stanza, from, to);
    });
    if (refused !== null) this.send(refused);
  }

  /** Everybody is gone, as after a restart of the server. Rooms that were to stay do. */
  reset(): void {
    for (const room of this.#rooms.values()) {
      room.occupants.clear();
      this.#forgetEmpty(room);
    }
  }

  #askService(stanza: Element): void {
    if (stanza.localName === 'message') throw new StanzaError('service-unavailable');
    if (stanza.localName !== 'iq') return;
    const query = stanza.firstElementChild;
    if (stanza.getAttribute('type') === 'get' && query !== null && !query.hasAttribute('node')) {
      if (query.is('ping', NS.PING)) {
        this.send(reply(stanza));
        return;
      }
      if (query.is('query', NS.DISCO_INFO)) {
        this.send(reply(stanza, serviceInfo()));
        return;
      }
      if (query.is('query', NS.DISCO_ITEMS)) {
        this.send(reply(stanza, this.#listRooms()));
        return;
      }
    }
    throw new StanzaError('service-unavailable');
  }

  #listRooms(): Element {
    const listed = [...this.#rooms.values()].filter(({ config, locked }) => config.isPublic && !locked);
    return xml(
      'query',
      { xmlns: NS.DISCO_ITEMS },
      listed.map(({ jid, config }) => xml('item', { jid, name: config.name === '' ? undefined : config.name })),
    );
  }

  #toRoom(stanza: Element, from: JID, to: JID): void {
    const jid = to.bare().toString();
    const room = this.#rooms.get(jid);
    if (stanza.getAttribute('type') === 'error') {
      // An occupant who cannot be reached is none, as all services have it.
      const occupant = room?.occupantOf(from);
      if (room !== undefined && occupant != null) this.#takeOut(room, stanza, from);
    } else if (stanza.localName === 'presence') {
      this.#presence(stanza, from, to, room);
    } else if (room === undefined) {
      throw new StanzaError('item-not-found');
    } else if (stanza.localName === 'message') {
      message(room, stanza, from, to);
    } else {
      this.#request(room, stanza, from, to);
    }
    if (room !== undefined) this.#forgetEmpty(room);
  }

  #presence(presence: Element, from: JID, to: JID, room: Room | undefined): void {
    const type = presence.getAttribute('type');
    if (type === 'unavailable') {
      if (room !== undefined) this.#takeOut(room, presence, from);
      return;
    }
    if (type !== null) return;
    if (to.resource === null) throw new StanzaError('jid-malformed', { text: 'a nickname is missing' });
    const asks = presence.getChild('x', NS.MUC) !== null;
    if (asks) {
      const entered = room ?? this.#create(to.bare().toString(), from);
      entered.enter(from, to.resource, presence, room === undefined);
      return;
    }
    const occupant = room?.occupantOf(from) ?? null;
    if (room === undefined || occupant === null) {
      throw new StanzaError('item-not-found', { text: 'you are not in this room' });
    }
    if (occupant.nick !== to.resource) {
      room.rename(occupant, to.resource, presence);
      return;
    }
    occupant.presence = presence;
    room.broadcast(occupant);
  }

  #create(jid: string, owner: JID): Room {
    if (this.#rooms.size >= ROOMS_LIMIT) throw new StanzaError('resource-constraint', { text: 'too many rooms' });
    const room = new Room(jid, this.send);
    room.setAffiliation(owner, 'owner');
    this.#rooms.set(jid, room);
    return room;
  }

  #takeOut(room: Room, last: Element, from: JID): void {
    const occupant = room.occupantOf(from);
    const said = last.localName === 'presence' && last.getAttribute('type') === 'unavailable';
    if (occupant !== null) room.remove(occupant, {}, said ? last : undefined);
  }

  #request(room: Room, request: Element, from: JID, to: JID): void {
    const type = request.getAttribute('type');
    const query = request.firstElementChild;
    if (to.resource !== null) {
      const occupant = room.expectOccupant(from);
      if (room.isSelfPing(occupant, to.resource, request)) room.answer(request);
      else room.pass(occupant, to.resource, request);
      return;
    }
    if (query === null || (type !== 'get' && type !== 'set')) return;
    if (query.is('query', NS.MUC_OWNER)) {
      if (askOwner(room, request, query, from)) this.#rooms.delete(room.jid);
    } else if (query.is('query', NS.MUC_ADMIN)) {
      askAdmin(room, request, query, from);
    } else if (type === 'get' && query.is('query', NS.DISCO_INFO) && !query.hasAttribute('node')) {
      room.answer(request, roomInfo(room));
    } else if (type === 'get' && query.is('query', NS.DISCO_ITEMS) && !query.hasAttribute('node')) {
      room.answer(request, xml('query', { xmlns: NS.DISCO_ITEMS }));
    } else if (type === 'get' && query.is('ping', NS.PING)) {
      room.answer(request);
    } else {
      throw new StanzaError('service-unavailable');
    }
  }

  #forgetEmpty(room: Room): void {
    if (room.occupants.size === 0 && !room.config.persistent) this.#rooms.delete(room.jid);
  }
}

function message(room: Room, stanza: Element, from: JID, to: JID): void {
  const occupant = room.expectOccupant(from);
  const type = stanza.getAttribute('type');
  if (to.resource !== null) {
    if (type === 'groupchat') throw new StanzaError('bad-request');
    room.pass(occupant, to.resource, stanza);
  } else if (type === 'groupchat') {
    room.say(occupant, stanza);
  } else {
    const invite = stanza.getChild('x', NS.MUC_USER)?.getChild('invite') ?? null;
    const invited = jidOf(invite?.getAttribute('to') ?? null);
    if (invite === null || invited === null) throw new StanzaError('service-unavailable');
    room.invite(occupant, invite, invited);
  }
}

function serviceInfo(): Element {
  const identity = xml('identity', { category: 'conference', type: 'text', name: 'Rooms of the loopback server' });
  const features = [NS.DISCO_INFO, NS.DISCO_ITEMS, NS.MUC].map((name) => xml('feature', { var: name }));
  return xml('query', { xmlns: NS.DISCO_INFO }, identity, features);
}

function roomInfo({ config, occupants }: Room): Element {
  const features = [
    NS.MUC,
    'http://jabber.org/protocol/muc#self-ping-optimization',
    config.isPublic ? 'muc_public' : 'muc_hidden',
    config.membersOnly ? 'muc_membersonly' : 'muc_open',
    config.moderated ? 'muc_moderated' : 'muc_unmoderated',
    config.nonAnonymous ? 'muc_nonanonymous' : 'muc_semianonymous',
    config.password === '' ? 'muc_unsecured' : 'muc_passwordprotected',
    config.persistent ? 'muc_persistent' : 'muc_temporary',
  ];
  const info = dataForm('result', `${NS.MUC}#roominfo`, [
    ['muc#roominfo_description', 'text-single', config.description],
    ['muc#roominfo_occupants', 'text-single', String(occupants.size)],
  ]);
  const name = config.name === '' ? undefined : config.name;
  return xml(
    'query',
    { xmlns: NS.DISCO_INFO },
    xml('identity', { category: 'conference', type: 'text', name }),
    features.map((feature) => xml('feature', { var: feature })),
    info,
  );
}
