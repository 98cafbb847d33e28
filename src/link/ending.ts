// Closing a link, and losing it: RFC 6120 §4.4 and §4.9.
import { Deferred } from '../deferred.js';
import type { BrokerError } from '../errors.js';
import type { BrokerConfig } from '../options/options.js';
import type { SendBuffer } from '../queue/send-buffer.js';
import type { XmlStream } from '../stream/xml-stream.js';
import type { Acknowledgements } from './acknowledgements.js';
import { closingOf, ENDED, HALTED, OPEN, outcome, type Closing, type LinkState, type Outcome } from './closing.js';
import type { LinkOwner } from './contract.js';
import * as linkErrors from './errors.js';
import type { Intake } from './intake.js';
import type { Proof } from './proof.js';
import type { StatusPublisher } from './status-publisher.js';

/** How long a peer gets to close after an error or before a reconnect, in milliseconds. */
const HASTY_CLOSE_MS = 1_000;

/** How long a peer gets to close the socket when both have closed the stream, in milliseconds. */
const FAREWELL_MS = 250;

/** What an end works with. */
export interface EndingParts {
  readonly config: BrokerConfig;
  readonly status: StatusPublisher;
  readonly stream: XmlStream;
  readonly buffer: SendBuffer;
  /** Null without stream management. */
  readonly acks: Acknowledgements | null;
  readonly proof: Proof;
  /** Null: a stanza is handled when it was delivered. */
  readonly intake: Intake | null;
}

/** The way of a link to its end: what is said to the peer, and how long it gets. */
export class Ending {
  readonly #parts: EndingParts;
  readonly #owner: Pick<LinkOwner, 'settled' | 'notReady'>;
  readonly #gone = new Deferred<void>();
  #state: LinkState = OPEN;
  #timer: NodeJS.Timeout | null = null;
  #endsAt = Number.POSITIVE_INFINITY;

  constructor(parts: EndingParts, owner: Pick<LinkOwner, 'settled' | 'notReady'>) {
    this.#parts = parts;
    this.#owner = owner;
  }

  get isOpen(): boolean {
    return this.#state.is === 'open';
  }

  /** Whether what arrives is delivered. */
  get isAlive(): boolean {
    return this.#state.is === 'open' || this.#state.is === 'closing';
  }

  get isOver(): boolean {
    return this.#state.is === 'ended' || this.#state.is === 'halted';
  }

  /** Whether what was accepted may still go out. */
  get takes(): boolean {
    return this.isOpen || (this.#state.is === 'closing' && !this.#state.dropped && !this.#parts.stream.endSent);
  }

  /** Closes the stream in order. Again, it only makes the time shorter. Resolves when the link is over. */
  shutdown(limitMs: number): Promise<void> {
    return this.#close('shutdown', limitMs);
  }

  /** Makes room. Resolves when the link is over. */
  replace(): Promise<void> {
    return this.#close('replace', this.#hastyMs);
  }

  /** A fault ends it. */
  lose(error: BrokerError, lastWords: () => void): void {
    const state = this.#state;
    if (state.is !== 'open' && state.is !== 'closing') return;
    const { acks, buffer, proof, stream } = this.#parts;
    // What the server says of our bytes, or does not, speaks of the session: it is not resumed again.
    if (proof.doubted && error.layer !== 'tcp') acks?.session.abandon();
    this.#state = { is: 'lost', error, closing: closingOf(state) };
    this.#owner.notReady();
    stream.hold(false);
    buffer.flush();
    lastWords();
    stream.transport.end();
    stream.transport.resume();
    void stream.transport.closedWithin(this.#hastyMs);
  }

  /** The peer's closing tag arrived. */
  peerEnded(): void {
    const { stream } = this.#parts;
    const closing = closingOf(this.#state);
    if (closing === null) {
      this.lose(linkErrors.streamClosed(), () => stream.sendEnd());
      return;
    }
    closing.peerEnded = true;
    if (stream.endSent) this.#farewell();
  }

  /**
   * The socket is closed.
   * @param socketError what is wrong with it; null if both sides ended it
   * @returns what that means; null if the link was over
   */
  socketClosed(socketError: BrokerError | null): Outcome | null {
    const state = this.#state;
    if (state.is === 'ended' || state.is === 'halted') return null;
    this.#state = ENDED;
    return outcome(state, socketError, this.#parts.stream.endSent);
  }

  /** Drops the connection at once. */
  halt(): void {
    this.#state = HALTED;
    this.#parts.stream.transport.destroy();
  }

  /** Nobody waits for the peer any more. */
  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  /** The link is over, and everybody knows. */
  over(): void {
    this.#gone.resolve();
  }

  get #hastyMs(): number {
    return Math.min(HASTY_CLOSE_MS, this.#parts.config.timeouts.close);
  }

  #close(byUs: Closing['byUs'], limitMs: number): Promise<void> {
    if (this.isOpen) {
      this.#leave(byUs).catch((error: unknown) => {
        this.#gone.reject(error as Error);
        this.#parts.stream.transport.destroy();
      });
    }
    if (closingOf(this.#state) !== null) this.#closeWithin(limitMs);
    return this.#gone.promise;
  }

  async #leave(byUs: Closing['byUs']): Promise<void> {
    const { acks, buffer, status, stream } = this.#parts;
    const closing: Closing = { is: 'closing', byUs, peerEnded: false, dropped: false };
    this.#state = closing;
    this.#owner.notReady();
    // The peer's end is waited for, which is behind everything.
    this.#parts.intake?.look();
    const goesOn = byUs === 'replace' && acks?.session.id != null;
    await this.#drained(goesOn);
    if (this.isOver) return;
    if (goesOn) {
      // The session goes on: ending the stream would end it, too.
      closing.dropped = true;
      stream.transport.destroy();
      return;
    }
    if (acks !== null) {
      acks.farewell();
      buffer.flush();
    }
    stream.sendEnd();
    if (byUs === 'shutdown') {
      status.publish('PCJ_STREAMEND', undefined);
      status.publish('PCJ_SHUTDOWN_START', undefined);
    }
    if (closing.peerEnded) this.#farewell();
  }

  /** What was accepted is with the socket, and what we have handled may be told unless the session goes on. */
  async #drained(goesOn: boolean): Promise<void> {
    const { acks, buffer } = this.#parts;
    const settled = this.#owner.settled();
    if (settled !== null) await settled;
    await buffer.drain();
    const tellable = goesOn ? null : (acks?.session.allTellable() ?? null);
    if (tellable !== null) await tellable;
  }

  #closeWithin(limitMs: number): void {
    const at = performance.now() + limitMs;
    if (at >= this.#endsAt) return;
    this.#endsAt = at;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const state = this.#state;
      const { endSent, transport } = this.#parts.stream;
      if (state.is === 'closing' && !(state.peerEnded && endSent)) {
        this.#state = { is: 'lost', error: linkErrors.notClosed(limitMs, endSent), closing: state };
      }
      transport.destroy();
    }, limitMs);
  }

  /** Both streams are closed: nothing more is to come. */
  #farewell(): void {
    const { transport } = this.#parts.stream;
    transport.end();
    void transport.closedWithin(FAREWELL_MS);
  }
}
