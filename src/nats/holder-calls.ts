// What the holder of a queue is asked, and what it answers: the other end of `CommandLine`.
import type { Msg, MsgHdrs } from '@nats-io/transport-node';
import { isRecord } from '../arguments/values.js';
import { BrokerError, printable } from '../errors.js';
import type { PurgeSelection, QueueStatus } from '../queue/store.js';
import { type Answer, TIMEOUT } from './commands.js';
import type { NatsLink } from './connection.js';
import { noHolder } from './errors.js';
import type { Subjects } from './subjects.js';

/** For an answer of the holder to a command, and what a request may be late, in milliseconds. */
export const ANSWER_MS = 5_000;
const LATE_MS = 1_000;

/** What is done for them elsewhere. */
export interface HolderCallsOwner {
  /** The connection. @throws BrokerError there is none any more */
  open(): NatsLink;
  /** An error of ours. */
  error(cause: unknown, doing: string): BrokerError;
}

export class HolderCalls {
  readonly #subjects: Subjects;
  readonly #owner: HolderCallsOwner;

  constructor(subjects: Subjects, owner: HolderCallsOwner) {
    this.#subjects = subjects;
    this.#owner = owner;
  }

  /** @returns how many stanzas were picked @throws BrokerError what the holder says, `NATS_*` */
  async pick(what: 'purge' | 'drop', queue: string, by: string, selection: PurgeSelection): Promise<number> {
    const { count } = await this.#tell(queue, { do: what, by, selection });
    if (count === undefined) throw noAnswer(queue);
    return count;
  }

  /** @throws BrokerError what the holder says, `NATS_*` */
  async status(queue: string): Promise<QueueStatus> {
    const { status } = await this.#tell(queue, { do: 'status' });
    if (status === undefined) throw noAnswer(queue);
    return status;
  }

  /** @returns the answer, of type result or error @throws BrokerError what the holder says, `NATS_*`, `RTS_ABORTED` */
  async request(queue: string, xml: string, timeout: number, signal: AbortSignal | undefined): Promise<string> {
    const headers = this.#owner.open().client.transport.headers();
    headers.set(TIMEOUT, String(timeout));
    const asked = this.#ask(queue, this.#subjects.ask(queue), xml, { timeout: timeout + LATE_MS, headers });
    const answer = await (signal === undefined ? asked : raced(asked, signal));
    return answer.xml ?? '';
  }

  async #tell(queue: string, command: object): Promise<Answer> {
    const body = JSON.stringify({ v: 1, ...command });
    return await this.#ask(queue, this.#subjects.cmd(queue), body, { timeout: ANSWER_MS });
  }

  async #ask(
    queue: string,
    subject: string,
    body: string,
    options: { timeout: number; headers?: MsgHdrs },
  ): Promise<Answer> {
    let said: Msg;
    try {
      said = await this.#owner.open().connection.request(subject, body, options);
    } catch (cause) {
      if (isNobody(cause)) throw noHolder(queue, cause);
      throw this.#owner.error(cause, `to ask the holder of the queue "${queue}"`);
    }
    const answer = answerOf(said.string());
    if (answer === null) throw noAnswer(queue);
    const { error } = answer;
    if (error === undefined) return answer;
    throw new BrokerError(error.code, printable(error.message), {
      layer: 'queue',
      origin: 'peer',
      sent: sentOf(error.sent),
    });
  }
}

/** Somebody gave up waiting. */
export function aborted(signal: AbortSignal, sent: 'no' | 'maybe'): BrokerError {
  const text = 'the abort signal ended the waiting for an answer';
  return new BrokerError('RTS_ABORTED', text, { layer: 'rts', sent, cause: signal.reason });
}

function noAnswer(queue: string): BrokerError {
  const text = `the holder of the queue "${queue}" gave no answer that is understood: it is of another version of xmpp-broker`;
  return new BrokerError('NATS_REFUSED', text, { layer: 'nats', origin: 'peer' });
}

/** Whoever gives up hears nothing of what is asked. */
function raced<T>(asked: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      reject(aborted(signal, 'maybe'));
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    asked.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', onAbort);
    });
  });
}

/** It comes from another process: null if it is none. */
export function answerOf(said: string): Answer | null {
  let value: unknown;
  try {
    value = JSON.parse(said);
  } catch {
    return null;
  }
  if (!isRecord(value)) return null;
  const fits = Object.entries(ANSWER).every(([name, check]) => value[name] === undefined || check(value[name]));
  return fits ? value : null;
}

/** What each field of an answer must be. */
const ANSWER: Readonly<Record<keyof Answer, (value: unknown) => boolean>> = {
  count: (value) => Number.isSafeInteger(value) && (value as number) >= 0,
  status: isRecord,
  xml: (value) => typeof value === 'string',
  error: (value) => isRecord(value) && isCode(value['code']) && typeof value['message'] === 'string',
};

const isCode = (value: unknown): boolean => typeof value === 'string' && /^[A-Z][A-Z0-9_]{0,63}$/.test(value);

function sentOf(value: string | undefined): 'no' | 'maybe' | 'acked' | undefined {
  return value === 'no' || value === 'maybe' || value === 'acked' ? value : undefined;
}

function isNobody(cause: unknown): boolean {
  return (
    cause instanceof Error && 'isNoResponders' in cause && (cause as { isNoResponders(): boolean }).isNoResponders()
  );
}
