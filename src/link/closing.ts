// How a link ends: RFC 6120 §4.4 and §4.9.
import type { BrokerError } from '../errors.js';
import type { ManagedSession } from '../protocols/features/managed-session.js';
import type { Ticket } from '../queue/ticket.js';
import * as linkErrors from './errors.js';

/** Where a link is on its way to its end. It only goes on, and may leave steps out. */
export type LinkState = Open | Closing | Lost | Ended | Halted;

/** Stanzas go out and come in. */
export interface Open {
  readonly is: 'open';
}

/**
 * We close it: what was accepted goes out, then our closing tag. Nothing new is accepted; what still arrives is delivered
 * until the peer closes, too, or the time is over.
 */
export interface Closing {
  readonly is: 'closing';
  /** `shutdown`, or making room for a new attempt. */
  readonly byUs: 'shutdown' | 'replace';
  /** The peer's closing tag arrived. */
  peerEnded: boolean;
  /** We dropped the connection with the stream open, so that its managed session goes on. */
  dropped: boolean;
}

/**
 * A fault ends it, told by the peer or found by us. The peer was told why, if it can still hear. Nothing is accepted, and
 * what still arrives is not looked at. The socket closes soon.
 */
export interface Lost {
  readonly is: 'lost';
  readonly error: BrokerError;
  /** The closing that the fault came into, which goes on as far as it can; null if the link was open. */
  readonly closing: Closing | null;
}

/** The socket is closed, and the owner knows what was left behind. Nothing happens any more. */
export interface Ended {
  readonly is: 'ended';
}

/** Dropped at once by `halt`: what was not proved to be through has failed, and the owner was not told. Nothing happens any more. */
export interface Halted {
  readonly is: 'halted';
}

export const OPEN: Open = { is: 'open' };
export const ENDED: Ended = { is: 'ended' };
export const HALTED: Halted = { is: 'halted' };

/** What a link leaves behind. */
export interface Remains {
  /** Handed to the socket, not known to be written. */
  readonly inFlight: readonly Ticket[];
  /** Never handed to the socket. */
  readonly waiting: readonly Ticket[];
  /** The managed session, which holds what was not acknowledged: `inFlight` is part of it. */
  readonly session: ManagedSession | null;
}

/** How a link ended. */
export interface Outcome {
  /** We closed it: `shutdown`, or making room for a reconnect. */
  readonly byUs: 'shutdown' | 'replace' | null;
  /** Both sides closed the stream. */
  readonly clean: boolean;
  /** Why not in order; null when it ended as it should. */
  readonly error: BrokerError | null;
}

/** How a link ended and what it leaves behind. */
export interface LinkEnd extends Outcome, Remains {
  /** Whether something went well on it: a stanza of ours was acknowledged, one arrived, or it has lived for a while. */
  readonly good: boolean;
  /** Whether it went on with a session and had not shown yet that this works: its end speaks of the session alone. */
  readonly doubted: boolean;
}

/** The closing that is going on, undisturbed or not. */
export function closingOf(state: LinkState): Closing | null {
  if (state.is === 'closing') return state;
  return state.is === 'lost' ? state.closing : null;
}

/**
 * What it means that the socket is closed.
 * @param socketError what is wrong with the socket; null if both sides ended it
 * @param endSent whether our closing tag was written
 */
export function outcome(state: Open | Closing | Lost, socketError: BrokerError | null, endSent: boolean): Outcome {
  const closing = closingOf(state);
  const byUs = closing?.byUs ?? null;
  // A stream error is no orderly end, also when it came into one.
  const clean = state.is === 'closing' && state.peerEnded && endSent;
  if (clean || closing?.dropped === true) return { byUs, clean, error: null };
  const phase = closing === null ? 'ready' : 'closing';
  const found = state.is === 'lost' ? state.error : (socketError?.with({ phase }) ?? linkErrors.connectionClosed());
  return { byUs, clean, error: found };
}
