import type { Msg } from '@nats-io/transport-node';

const ACK = '+ACK';
const WORKING = '+WPI';

/** A message of a consumer, in our hand until we say what became of it. Nothing of it throws: who is not heard gets it again. */
export class Delivery {
  readonly message: Msg;
  /** How often it was handed out, this time included. */
  readonly count: number;
  #isDone = false;

  private constructor(message: Msg, count: number) {
    this.message = message;
    this.count = count;
  }

  /**
   * Where the answer goes says how often the message was handed out: `$JS.ACK.<stream>.<consumer>.<count>.…`, or with two
   * tokens more in front of the stream. Null: it is no message of a consumer.
   */
  static of(message: Msg): Delivery | null {
    const tokens = message.reply?.split('.') ?? [];
    if (tokens[0] !== '$JS' || tokens[1] !== 'ACK') return null;
    const count = Number(tokens[tokens.length >= 11 ? 6 : 4]);
    return Number.isInteger(count) && count > 0 ? new Delivery(message, count) : null;
  }

  /** It is done with. */
  ack(): void {
    this.#end(ACK);
  }

  /** It shall be handed out again, not before that time is over. */
  again(delayMs: number): void {
    this.#end(delayMs <= 0 ? '-NAK' : `-NAK {"delay":${delayMs * 1_000_000}}`);
  }

  /** It is still in our hand. */
  working(): void {
    if (!this.#isDone) this.#say(WORKING);
  }

  #end(what: string): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#say(what);
  }

  #say(what: string): void {
    try {
      this.message.respond(what);
    } catch {
      // The connection is closed.
    }
  }
}
