// What moderators, admins and owners ask of a room: XEP-0045 §8, §9, §10.
import type { JID } from '../../jid/jid.js';
import { StanzaError } from '../../stanza/stanza-error.js';
import { xml } from '../../xml/builder.js';
import type { Element } from '../../xml/element.js';
import { NS } from '../../xml/namespaces.js';
import { jidOf } from '../stanza.js';
import { configForm, configured } from './room-config.js';
import type { Affiliation, Occupant, Role, Room } from './room.js';

const AFFILIATIONS: readonly Affiliation[] = ['owner', 'admin', 'member', 'none', 'outcast'];
const ROLES: readonly Role[] = ['moderator', 'participant', 'visitor', 'none'];
const RANK: Readonly<Record<Affiliation, number>> = { owner: 3, admin: 2, member: 1, none: 0, outcast: -1 };

/** Answers `muc#owner`. @returns whether the room is to be no more */
export function askOwner(room: Room, request: Element, query: Element, from: JID): boolean {
  if (room.affiliation(from) !== 'owner') throw new StanzaError('forbidden', { text: 'owners may do this' });
  if (request.getAttribute('type') === 'get') {
    room.answer(request, xml('query', { xmlns: NS.MUC_OWNER }, configForm(room.config)));
    return false;
  }
  const destroy = query.getChild('destroy');
  const form = query.getChild('x', NS.DATA_FORMS);
  if (destroy === null && form === null) throw new StanzaError('bad-request');
  const cancels = form?.getAttribute('type') === 'cancel';
  if (destroy !== null || (cancels && room.locked)) {
    room.destroy(destroyed(destroy));
    room.answer(request);
    return true;
  }
  if (form !== null && !cancels) configure(room, form);
  room.answer(request);
  return false;
}

/** What those in the room are told of its end. */
function destroyed(asked: Element | null): Element {
  const reason = asked?.getChildText('reason') ?? null;
  return xml('destroy', { jid: asked?.getAttribute('jid') }, reason === null ? null : xml('reason', {}, reason));
}

function configure(room: Room, form: Element): void {
  const wasLocked = room.locked;
  room.config = configured(room.config, form);
  room.locked = false;
  room.history.trim(room.config.historyLength);
  for (const occupant of [...room.occupants.values()]) {
    const stays = !room.config.membersOnly || room.affiliation(occupant.jid) !== 'none';
    if (!stays) room.remove(occupant, { codes: [322] });
  }
  if (!wasLocked) room.announce(104);
}

/** Answers `muc#admin`. */
export function askAdmin(room: Room, request: Element, query: Element, from: JID): void {
  const items = query.getChildren('item');
  const [first] = items;
  if (first === undefined) throw new StanzaError('bad-request');
  if (request.getAttribute('type') === 'get') {
    room.answer(request, xml('query', { xmlns: NS.MUC_ADMIN }, list(room, first, from)));
    return;
  }
  for (const item of items) change(room, item, from);
  room.answer(request);
}

function list(room: Room, item: Element, from: JID): Element[] {
  const affiliation = AFFILIATIONS.find((one) => one === item.getAttribute('affiliation'));
  const role = ROLES.find((one) => one === item.getAttribute('role'));
  if (affiliation !== undefined) {
    if (RANK[room.affiliation(from)] < RANK.admin) throw new StanzaError('forbidden');
    return room.listed(affiliation).map((jid) => xml('item', { affiliation, jid }));
  }
  if (role === undefined) throw new StanzaError('bad-request');
  if (room.occupantOf(from)?.role !== 'moderator') throw new StanzaError('forbidden');
  const found = [...room.occupants.values()].filter((one) => one.role === role);
  return found.map((one) =>
    xml('item', { affiliation: room.affiliation(one.jid), role, nick: one.nick, jid: one.jid.toString() }),
  );
}

function change(room: Room, item: Element, from: JID): void {
  const actor = room.occupantOf(from);
  const why = { actor: actor?.nick, reason: item.getChildText('reason') ?? undefined };
  const affiliation = item.getAttribute('affiliation');
  if (affiliation !== null) changeAffiliation(room, item, from, why);
  else changeRole(room, item, from, actor, why);
}

type Why = { readonly actor: string | undefined; readonly reason: string | undefined };

function changeRole(room: Room, item: Element, from: JID, actor: Occupant | null, why: Why): void {
  const role = ROLES.find((one) => one === item.getAttribute('role'));
  const occupant = room.occupants.get(item.getAttribute('nick') ?? '');
  if (role === undefined) throw new StanzaError('bad-request');
  if (occupant === undefined) throw new StanzaError('item-not-found');
  const [mine, theirs] = [RANK[room.affiliation(from)], RANK[room.affiliation(occupant.jid)]];
  const ofModerator = role === 'moderator' || occupant.role === 'moderator';
  if (actor?.role !== 'moderator' || mine < theirs || (ofModerator && mine < RANK.admin)) {
    throw new StanzaError('not-allowed');
  }
  if (role === 'none') {
    room.remove(occupant, { codes: [307], ...why });
  } else {
    occupant.role = role;
    room.broadcast(occupant, why);
  }
}

function changeAffiliation(room: Room, item: Element, from: JID, why: Why): void {
  const affiliation = AFFILIATIONS.find((one) => one === item.getAttribute('affiliation'));
  const named = room.occupants.get(item.getAttribute('nick') ?? '');
  const jid = jidOf(item.getAttribute('jid')) ?? named?.jid ?? null;
  if (affiliation === undefined || jid === null) throw new StanzaError('bad-request');
  const [mine, theirs] = [RANK[room.affiliation(from)], RANK[room.affiliation(jid)]];
  // Nobody rises above, or puts down, those of the same rank: but owners do.
  const mayDo = mine === RANK.owner || (mine === RANK.admin && theirs < mine && RANK[affiliation] < mine);
  if (!mayDo) throw new StanzaError('not-allowed');
  room.setAffiliation(jid, affiliation);
  const bare = jid.bare();
  for (const occupant of [...room.occupants.values()].filter((one) => one.jid.bare().equals(bare))) {
    const role = room.roleFor(affiliation);
    if (role === 'none') {
      room.remove(occupant, { codes: [affiliation === 'outcast' ? 301 : 321], ...why });
    } else {
      occupant.role = role;
      room.broadcast(occupant, why);
    }
  }
}
