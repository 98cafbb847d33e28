// What becomes of a stanza that another process sends.
import { inspect } from 'node:util';
import { Deferred } from '../deferred.js';
import { BrokerError } from '../errors.js';
import type { TicketReport } from './reports.js';

/**
 * Where an output stands.
 * - `queued`: on its way to NATS.
 * - `stored`: NATS has it; the holder of the queue will send it.
 * - `sent`: the holder wrote it, and nothing can tell more, as without stream management.
 * - `acked`: the XMPP server acknowledged it.
 * - `dropped`: it was taken out of the queue there.
 * - `failed`: it was given up, or never got to NATS.
 */
export type RemoteTicketState = 'queued' | 'stored' | 'sent' | 'acked' | 'dropped' | 'failed';

/** What became of one output. Promises are made only when asked for, and never become unhandled rejections. */
export class RemoteTicket {
  state: RemoteTicketState = 'queued';
  /** True when the stanza may go out twice: NATS or the XMPP server may have had it before. */
  possibleDuplicate = false;
  /** Names the stanza: what `output` was given, else random. */
  readonly key: string;
  /** The queue that it was output for. */
  readonly queue: string;
  readonly #stored = new Deferred<void>();
  readonly #sent = new Deferred<void>();
  /** Made when somebody asks for it: few do. */
  #acked: Deferred<void> | undefined;
  #error: BrokerError | undefined;
  readonly #onWanted: (ticket: RemoteTicket) => void;

  /** @internal @param onWanted called when somebody waits for what the holder tells */
  constructor(key: string, queue: string, onWanted: (ticket: RemoteTicket) => void) {
    this.key = key;
    this.queue = queue;
    this.#onWanted = onWanted;
  }

  /** Resolves when NATS has the stanza: it survives this process, the holder and, if NATS is set so, a power cut. */
  get stored(): Promise<void> {
    return this.#stored.promise;
  }

  /**
   * Resolves when the holder sent the stanza: with stream management, when the server acknowledged it. Rejects when that will
   * never happen, and when the publisher is closed before it is known.
   */
  get sent(): Promise<void> {
    this.#onWanted(this);
    return this.#sent.promise;
  }

  /** Resolves when the server acknowledged the stanza (XEP-0198). Rejects with `QUEUE_NOT_ACKABLE` where that cannot be known. */
  get acked(): Promise<void> {
    this.#onWanted(this);
    this.#acked ??= new Deferred();
    this.#settleAcked();
    return this.#acked.promise;
  }

  /** Whether nothing more will become of it. */
  get isOver(): boolean {
    return this.#sent.settled;
  }

  /** @internal */
  markStored(): void {
    if (this.state === 'queued') this.state = 'stored';
    this.#stored.resolve();
  }

  /** @internal what the holder tells */
  report({ outcome, code, possibleDuplicate }: TicketReport): void {
    if (this.isOver) return;
    this.possibleDuplicate ||= possibleDuplicate;
    this.markStored();
    this.state = outcome;
    if (outcome === 'acked' || outcome === 'sent') this.#sent.resolve();
    else {
      this.#error = gone(outcome, code);
      this.#sent.reject(this.#error);
    }
    this.#settleAcked();
  }

  /** @internal it will not be stored, or nobody will hear of it */
  fail(error: BrokerError): void {
    if (this.isOver) return;
    if (!this.#stored.settled) this.state = 'failed';
    this.#error = error;
    this.#stored.reject(error);
    this.#sent.reject(error);
    this.#settleAcked();
  }

  #settleAcked(): void {
    if (this.#acked === undefined || !this.isOver) return;
    if (this.#error !== undefined) this.#acked.reject(this.#error);
    else if (this.state === 'acked') this.#acked.resolve();
    else this.#acked.reject(notAckable());
  }

  /** Without the stanza. */
  [inspect.custom](): string {
    return `RemoteTicket ${JSON.stringify(this)}`;
  }

  toJSON(): object {
    return { key: this.key, queue: this.queue, state: this.state, possibleDuplicate: this.possibleDuplicate };
  }
}

function notAckable(): BrokerError {
  const text =
    'the holder of the queue wrote the stanza, but without stream management nothing tells whether the server received it';
  return new BrokerError('QUEUE_NOT_ACKABLE', text, { layer: 'queue', sent: 'maybe' });
}

function gone(outcome: 'dropped' | 'failed', code: string | undefined): BrokerError {
  if (outcome === 'dropped') {
    return new BrokerError('QUEUE_DROPPED', 'the stanza was dropped where the queue is', {
      layer: 'queue',
      sent: 'no',
    });
  }
  const text = `the holder of the queue gave the stanza up${code === undefined ? '' : ` (${code})`}; it lies with the dead letters`;
  return new BrokerError('QUEUE_REFUSED', text, { layer: 'queue', sent: 'maybe' });
}
