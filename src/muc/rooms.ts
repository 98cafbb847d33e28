import type { Broker } from '../broker/broker.js';
import { usageError, type BrokerError } from '../errors.js';
import type { Element } from '../xml/element.js';

/** What a broker's rooms are told. */
export interface Member {
  readonly jid: string;
  onStanza(stanza: Element, nick: string | null): void;
  onReady(resumed: boolean): void;
  onDisconnect(): void;
  onRest(error: BrokerError | undefined): void;
}

/** The rooms of each broker by address: one subscription serves them all. */
const rooms = new WeakMap<Broker, Map<string, Member>>();

/** Makes a room hear its stanzas. Returns what ends that. @throws BrokerError `USAGE_ROOM_TAKEN` */
export function enroll(broker: Broker, member: Member): () => void {
  const members = rooms.get(broker) ?? listen(broker);
  if (members.has(member.jid)) {
    throw usageError('USAGE_ROOM_TAKEN', `this broker has a Room for ${member.jid} already; use that one`);
  }
  members.set(member.jid, member);
  return () => members.delete(member.jid);
}

function listen(broker: Broker): Map<string, Member> {
  const members = new Map<string, Member>();
  rooms.set(broker, members);
  broker.subscribe('PCJ_NODERECEIVED', (stanza) => {
    const from = stanza.getAttribute('from');
    if (from === null) return;
    const slash = from.indexOf('/');
    const member = members.get(slash < 0 ? from : from.slice(0, slash));
    member?.onStanza(stanza, slash < 0 ? null : from.slice(slash + 1));
  });
  broker.subscribe('PCJ_READY', ({ resumed }) => {
    for (const member of members.values()) member.onReady(resumed);
  });
  let life: Promise<unknown> | null = null;
  const follow = (): void => {
    const { closed } = broker;
    if (closed === life) return;
    life = closed;
    void closed.then(({ error }) => {
      for (const member of members.values()) member.onRest(error);
    });
  };
  // A broker that came to rest begins another life with its next attempt.
  broker.subscribe('PCJ_CONNECT', follow);
  follow();
  broker.subscribe('PCJ_SOCKETDISCONNECT', () => {
    for (const member of members.values()) member.onDisconnect();
  });
  return members;
}
