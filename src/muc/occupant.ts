// Who is in a room: XEP-0045 §7.2 and §15.
import type { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';

/** Somebody in a room. */
export interface Occupant {
  readonly nick: string;
  /** The real address, where the room shows it. */
  readonly jid: string | null;
  /** `owner`, `admin`, `member`, `none`. */
  readonly affiliation: string;
  /** `moderator`, `participant`, `visitor`. */
  readonly role: string;
  /** `away`, `chat`, `dnd`, `xa`; null: available (RFC 6121 §4.7.2.1). */
  readonly show: string | null;
  readonly status: string | null;
  /** What stays the same when the nickname changes (XEP-0421); null where the room gives none. */
  readonly id: string | null;
}

/** What a room says with a presence. */
export interface RoomPresence {
  readonly occupant: Occupant;
  readonly codes: ReadonlySet<number>;
  /** The new nickname of who changes it. */
  readonly newNick: string | null;
  /** Who made somebody leave, and why, where the room says it. */
  readonly actor: string | null;
  readonly reason: string | null;
  readonly destroyed: boolean;
  /** Where to go from a room that is gone. */
  readonly alternate: string | null;
}

/** Reads the presence of an occupant. What is missing is null, or `none`. */
export function readPresence(presence: Element, nick: string): RoomPresence {
  const user = presence.getChild('x', NS.MUC_USER);
  const item = user?.getChild('item', NS.MUC_USER) ?? null;
  const destroy = user?.getChild('destroy', NS.MUC_USER) ?? null;
  const actor = item?.getChild('actor', NS.MUC_USER) ?? null;
  const codes = user === null ? [] : user.children.filter(({ localName }) => localName === 'status');
  return {
    occupant: {
      nick,
      jid: item?.getAttribute('jid') ?? null,
      affiliation: item?.getAttribute('affiliation') ?? 'none',
      role: item?.getAttribute('role') ?? 'none',
      show: presence.getChildText('show'),
      status: presence.getChildText('status'),
      id: presence.getChild('occupant-id', NS.OCCUPANT_ID)?.getAttribute('id') ?? null,
    },
    codes: new Set(codes.map((status) => Number(status.getAttribute('code')))),
    newNick: item?.getAttribute('nick') ?? null,
    actor: actor?.getAttribute('nick') ?? actor?.getAttribute('jid') ?? null,
    reason: (destroy ?? item)?.getChildText('reason', NS.MUC_USER) ?? null,
    destroyed: destroy !== null,
    alternate: destroy?.getAttribute('jid') ?? null,
  };
}
