import type { Broker } from '../broker/broker.js';
import { BrokerError } from '../errors.js';
import { StanzaError } from '../stanza/stanza-error.js';
import type { Element } from '../xml/element.js';
import { addressOf } from './address.js';
import { joinPresence } from './join-presence.js';
import type { RoomHistory, RoomOptions } from './options.js';
import { afterRefusal } from './what-follows.js';

/** A nickname that is taken gets so many `_` before we give up. */
const MOST_UNDERSCORES = 5;

/** Who wants to be let in. */
export interface EntranceOwner {
  readonly jid: string;
  /** What was said since then is wanted; null: what the options say. */
  readonly newest: Date | null;
  /** The address or the password cannot be had or used. */
  notAsked(cause: unknown): void;
}

/** Asking a room to let us in, until it does, or never will. */
export class Entrance {
  /** What we ask to be called. */
  #nick: string;
  /** What we want to be called, when nobody else is. */
  #wanted: string;
  readonly #broker: Broker;
  readonly #options: RoomOptions;
  readonly #owner: EntranceOwner;
  #attempt: AbortController | null = null;
  #failures = 0;
  #underscores = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(broker: Broker, options: RoomOptions, owner: EntranceOwner) {
    this.#broker = broker;
    this.#options = options;
    this.#owner = owner;
    this.#wanted = options.nick;
    this.#nick = options.nick;
  }

  get nick(): string {
    return this.#nick;
  }

  /** The room has given us the nickname that we asked it for. */
  renamed(nick: string): void {
    this.#wanted = nick;
    this.#nick = nick;
  }

  /** Asks, or waits for the broker to be ready. */
  ask(): void {
    this.stop();
    if (this.#broker.state !== 'ready') return;
    this.#attempt = new AbortController();
    void this.#knock(this.#attempt.signal);
  }

  /** Asks again after a while, which grows with each time. */
  askLater(): void {
    this.stop();
    const { firstDelayMs = 2_000, maxDelayMs = 300_000 } = this.#options.retry ?? {};
    const bound = Math.min(maxDelayMs, firstDelayMs * 2 ** Math.min(this.#failures, 20));
    this.#failures += 1;
    this.#wait(bound / 2 + (Math.random() * bound) / 2, () => this.ask());
  }

  /** The room said no, or why. Returns the error if it is for good. */
  refused(stanza: Element): BrokerError | null {
    const error = new StanzaError(stanza);
    const refusal = afterRefusal(error);
    if (refusal === 'final') return error;
    if (refusal === 'again') this.askLater();
    else {
      const other = this.#otherNick(error);
      if (typeof other !== 'string') return other ?? error;
      this.#nick = other;
      this.ask();
    }
    return null;
  }

  /** Gives up what is under way. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#attempt?.abort();
    this.#attempt = null;
  }

  /** We are in, under that name: the next time begins without failures. */
  entered(nick: string): void {
    this.stop();
    this.#nick = nick;
    this.#failures = 0;
  }

  /** Another entry is wanted: under the name that the program gave. */
  begin(): void {
    this.#wanted = this.#options.nick;
    this.#startOver();
  }

  /** We were in, and want to be again: under the name we had before one was taken, which our own ghost may have held. */
  comeBack(): void {
    this.#startOver();
    this.askLater();
  }

  #startOver(): void {
    this.#nick = this.#wanted;
    this.#failures = 0;
    this.#underscores = 0;
  }

  async #knock(signal: AbortSignal): Promise<void> {
    const { password, timeoutMs = 30_000 } = this.#options;
    try {
      const secret = typeof password === 'function' ? await password() : password;
      if (signal.aborted || this.#broker.state !== 'ready') return;
      this.#broker.output(joinPresence(addressOf(this.#owner.jid, this.nick), secret, this.#history()));
      this.#wait(timeoutMs, () => this.askLater());
    } catch (cause) {
      if (!signal.aborted) this.#owner.notAsked(cause);
    }
  }

  #history(): RoomHistory {
    const { newest } = this.#owner;
    return newest === null ? (this.#options.history ?? { maxStanzas: 0 }) : { since: newest };
  }

  /** The next name to try; null when there is none, an error when the program's function failed. */
  #otherNick(cause: StanzaError): string | BrokerError | null {
    const { onNickConflict } = this.#options;
    if (onNickConflict === undefined) {
      this.#underscores += 1;
      return this.#underscores > MOST_UNDERSCORES ? null : `${this.nick}_`;
    }
    try {
      const other: unknown = onNickConflict(this.nick);
      return typeof other === 'string' ? other : null;
    } catch (thrown) {
      const message = `the nickname ${this.nick} is taken, and onNickConflict failed`;
      return new BrokerError('MUC_NOT_ASKED', message, { layer: 'stanza', condition: cause.condition, cause: thrown });
    }
  }

  #wait(ms: number, then: () => void): void {
    // A room keeps no process alive: the link does.
    this.#timer = setTimeout(then, ms).unref();
  }
}
