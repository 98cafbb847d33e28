import { usageError } from '../errors.js';
import { JID } from '../jid/jid.js';

/** The bare address of a room. @throws BrokerError `USAGE_ROOM` */
export function roomAddress(jid: unknown): string {
  try {
    const address = JID.parse(jid as string);
    if (address.local !== null && address.resource === null) return address.toString();
  } catch {
    // told below
  }
  throw usageError('USAGE_ROOM', 'a room has an address such as lobby@rooms.example.org, without a nickname');
}

/** An occupant's address in a room. @throws BrokerError `USAGE_JID` for what can be no nickname */
export function addressOf(room: string, nick: string): string {
  return JID.parse(`${room}/${nick}`).toString();
}
