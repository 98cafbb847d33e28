// What other processes may ask of the holder of a queue: commands as data, never code, and requests that it makes for them.
import type { Msg, Subscription } from '@nats-io/transport-node';
import { isArray, isRecord, reasonOf } from '../arguments/values.js';
import { BrokerError, printable } from '../errors.js';
import type { PurgeSelection, QueueStatus, StoreOwner } from '../queue/store.js';
import type { NatsLink } from './connection.js';
import type { Subjects } from './subjects.js';

/** A command. */
export type Command =
  | { readonly do: 'purge' | 'drop'; readonly by: string; readonly selection: PurgeSelection }
  | { readonly do: 'status' };

/** What the holder answers. */
export interface Answer {
  readonly count?: number;
  readonly status?: QueueStatus;
  readonly xml?: string;
  readonly error?: { readonly code: string; readonly message: string; readonly sent?: string };
}

const NAMES: ReadonlySet<unknown> = new Set(['message', 'presence', 'iq']);

/** A command that arrived. @throws BrokerError `NATS_REFUSED` */
function commandOf(text: string): Command {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw unknown();
  }
  if (!isRecord(value) || value['v'] !== 1) throw unknown();
  const what = value['do'];
  if (what === 'status') return { do: 'status' };
  if (what !== 'purge' && what !== 'drop') throw unknown();
  const { by, selection } = value;
  return { do: what, by: typeof by === 'string' ? printable(by, 100) : 'somebody', selection: selectionOf(selection) };
}

/** A selection in which nothing is left out that was said: else more would be picked than was meant. */
function selectionOf(value: unknown): PurgeSelection {
  if (value === undefined || value === null) return {};
  if (!isRecord(value)) throw unknown();
  const selection: PurgeSelection = {};
  for (const [name, one] of Object.entries(value)) {
    const check = Object.hasOwn(SELECTION, name) ? SELECTION[name as keyof PurgeSelection] : undefined;
    if (check === undefined || !check(one)) throw unknown();
    Object.assign(selection, { [name]: one });
  }
  return selection;
}

const isTime = (value: unknown): boolean => typeof value === 'number' && value >= 0 && Number.isFinite(value);
const isText = (value: unknown): boolean => typeof value === 'string';

/** What each field of a selection must be. */
export const SELECTION: Readonly<Record<keyof PurgeSelection, (value: unknown) => boolean>> = {
  keys: (value) => isArray(value) && value.every(isText),
  names: (value) => isArray(value) && value.every((one) => NAMES.has(one)),
  to: isText,
  youngerThanMs: isTime,
  olderThanMs: isTime,
  possibleDuplicate: (value) => typeof value === 'boolean',
  limit: (value) => Number.isSafeInteger(value) && (value as number) >= 0,
};

/** Listens for commands and requests, for the holder of a queue. */
export class CommandLine {
  readonly #link: NatsLink;
  readonly #owner: StoreOwner;
  readonly #subscriptions: Subscription[] = [];
  #isOver = false;

  /** @param group where several processes listen: one of them answers */
  constructor(
    link: NatsLink,
    subjects: Subjects,
    owner: StoreOwner,
    refused: (error: BrokerError) => void,
    group?: string,
  ) {
    this.#link = link;
    this.#owner = owner;
    const listen = (subject: string, answer: (message: Msg) => Answer | Promise<Answer>): void => {
      const subscription = link.connection.subscribe(subject, {
        ...(group === undefined ? {} : { queue: group }),
        callback: (error, message) => {
          if (error !== null) refused(link.error(error, 'to take commands'));
          else void this.#answer(message, answer);
        },
      });
      this.#subscriptions.push(subscription);
    };
    listen(subjects.cmd(owner.queue), (message) => this.#command(commandOf(message.string())));
    listen(subjects.ask(owner.queue), (message) => this.#ask(message));
  }

  /** Hears nothing any more; what was asked is answered. */
  close(): void {
    this.#isOver = true;
    for (const subscription of this.#subscriptions) {
      try {
        subscription.unsubscribe();
      } catch {
        // The connection is closed.
      }
    }
  }

  #command(command: Command): Answer {
    if (command.do === 'status') return { status: this.#owner.status() };
    const { selection, by } = command;
    return { count: command.do === 'purge' ? this.#owner.purge(selection, by) : this.#owner.drop(selection, by) };
  }

  async #ask(message: Msg): Promise<Answer> {
    const given = Number(message.headers?.get(TIMEOUT) ?? '');
    const timeoutMs = Number.isFinite(given) && given > 0 ? Math.min(given, MOST_MS) : undefined;
    return { xml: await this.#owner.ask(message.string(), timeoutMs) };
  }

  /** Never rejects. */
  async #answer(message: Msg, answer: (message: Msg) => Answer | Promise<Answer>): Promise<void> {
    if (this.#isOver) return;
    let said: Answer;
    try {
      said = await answer(message);
    } catch (error) {
      said = { error: saidOf(error) };
    }
    try {
      const text = JSON.stringify({ v: 1, ...said });
      const fits = Buffer.byteLength(text) <= this.#link.maxPayload - 1_024;
      message.respond(fits ? text : JSON.stringify({ v: 1, error: TOO_LONG }));
    } catch {
      // The connection is closed: whoever asked hears that in time.
    }
  }
}

/** Header with the time that a request may take, in milliseconds. */
export const TIMEOUT = 'Xmpp-Timeout';
/** Longest time of a request, in milliseconds. */
const MOST_MS = 3_600_000;

const TOO_LONG = { code: 'NATS_TOO_BIG', message: 'the answer is larger than NATS takes (max_payload)' };

function saidOf(error: unknown): NonNullable<Answer['error']> {
  if (!(error instanceof BrokerError)) return { code: 'NATS_REFUSED', message: reasonOf(error) };
  const { code, message, sent } = error;
  return { code, message: printable(message), ...(sent === undefined ? {} : { sent }) };
}

function unknown(): BrokerError {
  return new BrokerError('NATS_REFUSED', 'the command is not understood: it is of another version of xmpp-broker', {
    layer: 'nats',
    sent: 'no',
  });
}
