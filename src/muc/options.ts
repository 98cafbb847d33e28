import { flag, method, milliseconds, must, password, text } from '../arguments/checks.js';
import { readOptions, type OptionTable } from '../arguments/options.js';
import type { Element } from '../xml/element.js';

/** How much of what was said before we came in is wanted (XEP-0045 §7.2.13). Of several bounds the tightest counts. */
export interface RoomHistory {
  /** Most messages. Default: as many as the room gives. */
  maxStanzas?: number | undefined;
  /** Not older than so many seconds. Default: however old. */
  seconds?: number | undefined;
  /** Not older than this. Default: however old. */
  since?: Date | undefined;
}

/** Delays between attempts to enter a room: random, up to a bound that doubles. */
export interface RoomRetry {
  /** The first bound, in milliseconds. Default 2 000. */
  firstDelayMs?: number | undefined;
  /** The highest, in milliseconds. Default 300 000. */
  maxDelayMs?: number | undefined;
}

/** Options of a `Room`. */
export interface RoomOptions {
  /** Our nickname. Needed. */
  nick: string;
  /** The room's password, or a function that gives it for each entry. Default: none. */
  password?: string | (() => string | Promise<string>) | undefined;
  /**
   * What was said before, for the first entry. Default: nothing. When a room is entered again, it is asked for what was
   * said since the last message that we saw.
   */
  history?: RoomHistory | undefined;
  /** Another nickname when one is taken, or null to give up. Default: one more `_` at its end, at most five. */
  onNickConflict?: ((taken: string) => string | null) | undefined;
  /**
   * A room that did not exist is made by entering it, and locked until it is configured (XEP-0045 §10.1). Default `true`,
   * which takes the settings of the service; a function is given the form and returns it filled out, with
   * `type="submit"`; `false` destroys it again, and entering it fails.
   */
  create?: boolean | ((form: Element) => Element | Promise<Element>) | undefined;
  /** Milliseconds until an entry that nobody answers is tried again. Default 30 000. */
  timeoutMs?: number | undefined;
  /** Milliseconds without anything from the room until it is asked whether we are still in (XEP-0410). Default 15 minutes. */
  pingMs?: number | undefined;
  /** Delays between attempts to enter. Default: see there. */
  retry?: RoomRetry | undefined;
}

const HISTORY: OptionTable<RoomHistory> = {
  checks: {
    maxStanzas: must('a whole number, 0 or more', (value) => Number.isSafeInteger(value) && (value as number) >= 0),
    seconds: must('a whole number, 0 or more', (value) => Number.isSafeInteger(value) && (value as number) >= 0),
    since: must('a Date', (value) => value instanceof Date && !Number.isNaN(value.getTime())),
  },
};

const ROOM: OptionTable<RoomOptions> = {
  checks: {
    nick: text,
    password,
    history: HISTORY,
    onNickConflict: method,
    create: (value) => (typeof value === 'function' ? null : flag(value)),
    timeoutMs: milliseconds,
    pingMs: milliseconds,
    retry: { checks: { firstDelayMs: milliseconds, maxDelayMs: milliseconds } },
  },
  rule: (_, given) => (given.has('nick') ? [] : ['nick is missing: say what we are called in the room']),
};

/** @throws BrokerError `USAGE_ROOM` */
export const readRoomOptions = (options: RoomOptions) => readOptions('USAGE_ROOM', 'new Room()', options, ROOM);
