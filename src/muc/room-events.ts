import type { BrokerError } from '../errors.js';
import type { Occupant } from './occupant.js';
import type { RoomMessage } from './room-message.js';
import type { Departure } from './what-follows.js';

/** What a `Room` tells, by the names that `room.subscribe` takes. */
export interface RoomEvents {
  /** We are in: the first time, and each time we are in again. */
  joined: { nick: string; created: boolean; again: boolean };
  /** We are not in any more. `again`: the room is entered again by itself. */
  left: {
    departure: Departure;
    again: boolean;
    actor: string | null;
    reason: string | null;
    alternate: string | null;
    error: BrokerError | null;
  };
  message: RoomMessage;
  subject: { subject: string; nick: string | null; history: boolean };
  /** Somebody came, went, changed, or is called differently now. Those who are there when we come in are in `occupants`. */
  occupant: {
    change: 'entered' | 'left' | 'changed' | 'renamed';
    occupant: Occupant;
    before: Occupant | null;
    departure: Departure | null;
  };
}

/**
 * - `outside`: not in, and not on the way
 * - `entering`: asked, or waiting for the broker or for the next attempt
 * - `inside`: in
 */
export type RoomState = 'outside' | 'entering' | 'inside';

export const EVENTS = ['joined', 'left', 'message', 'subject', 'occupant'] as const;
