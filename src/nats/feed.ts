// What a stream has for one reader, pulled in the measure that there is room for it. Written on the messages of NATS
// themselves, since the reader of the client library asks ahead of need.
import type { JetStreamManager } from '@nats-io/jetstream';
import type { Msg, Subscription } from '@nats-io/transport-node';
import type { BrokerError } from '../errors.js';
import type { NatsLink } from './connection.js';
import { isConsumerMissing, jetStreamCode } from './errors.js';

/** A message of a stream. */
export interface FeedMessage {
  /** Its place in the stream. */
  readonly sequence: number;
  /** How often it was delivered, by this consumer. */
  readonly deliveries: number;
  /** When the stream took it, in milliseconds since 1970. */
  readonly at: number;
  readonly message: Msg;
}

/** Who reads. None of it may throw. */
export interface FeedOwner {
  /** How much may come now. */
  room(): { stanzas: number; bytes: number };
  arrived(message: FeedMessage): void;
  /** What was there when the reading began has come, or there is no room for more of it. */
  caughtUp(): void;
  /**
   * The stream does not have what it had from that place on, and will give the places to others: it was made anew, or nats-server
   * lost what was newest.
   */
  lost(from: number): void;
  /** The consumer is gone, or cannot be made. It is tried again. */
  failed(error: BrokerError): void;
}

export interface FeedOptions {
  readonly stream: string;
  /** Name of the consumer. */
  readonly consumer: string;
  readonly subject: string;
  /** Time until what is not acknowledged comes again, in milliseconds. */
  readonly ackWaitMs: number;
  readonly maxPending: number;
  /** Whether other processes read with the same consumer: then it is not made anew. */
  readonly isShared?: boolean;
  /** Most messages that are asked for at once. Default 256. */
  readonly batch?: number;
}

/** Most messages of one request. */
const BATCH = 256;
/** How long NATS keeps a request, and how long it may be late, in milliseconds. */
const EXPIRES_MS = 30_000;
const LATE_MS = 5_000;
/** How often it is looked whether there is room again. */
const STARVED_MS = 250;
const RETRY_MS = 1_000;

/** A filter of a work queue that two consumers would share. */
const NOT_UNIQUE = 10_100;

export class Feed {
  readonly #link: NatsLink;
  readonly #manager: JetStreamManager;
  readonly #options: FeedOptions;
  readonly #owner: FeedOwner;
  #subscription: Subscription | null = null;
  /** Messages that are asked for and have not come. */
  #asked = 0;
  /** Of this consumer; a gap means that something was lost on its way. */
  #delivered = 0;
  /** The highest place in the stream that was seen. */
  #highest = 0;
  /** Still to come of what was there at the beginning. */
  #backlog = 0;
  #isBehind = true;
  #timer: NodeJS.Timeout | null = null;
  #isStarted = false;
  #isStopped = false;
  /** Two at once would delete each other's consumer. */
  #making: Promise<void> | null = null;

  constructor(link: NatsLink, manager: JetStreamManager, options: FeedOptions, owner: FeedOwner) {
    this.#link = link;
    this.#manager = manager;
    this.#options = options;
    this.#owner = owner;
  }

  /** Begins. @throws BrokerError `NATS_*` */
  async start(): Promise<void> {
    this.#isStarted = true;
    this.#making = this.#make();
    try {
      await this.#making;
    } finally {
      this.#making = null;
    }
    this.#ask();
  }

  /** What is not acknowledged comes again at once, such as behind an outage. Never rejects. */
  again(): void {
    // The connection may come back while it is opened.
    if (!this.#isStarted || this.#isStopped || this.#making !== null) return;
    this.#making = this.#make().then(
      () => {
        this.#making = null;
        this.#ask();
      },
      (error: unknown) => {
        this.#making = null;
        if (this.#isStopped) return;
        this.#owner.failed(this.#link.error(error, 'to read its queue'));
        this.#later(RETRY_MS, () => {
          this.again();
        });
      },
    );
  }

  /** There may be room again. */
  more(): void {
    if (this.#asked === 0 && this.#making === null) this.#ask();
  }

  /** Ends reading. */
  stop(): void {
    this.#isStopped = true;
    this.#later(0, null);
    this.#unsubscribe();
  }

  /** Deletes the consumer, so that the next reader has everything at once. Never rejects. */
  async delete(): Promise<void> {
    this.stop();
    const { stream, consumer } = this.#options;
    try {
      await this.#manager.consumers.delete(stream, consumer);
    } catch {
      // The next one deletes it.
    }
  }

  async #make(): Promise<void> {
    const { stream, consumer, subject, ackWaitMs, maxPending, isShared = false } = this.#options;
    this.#unsubscribe();
    const { consumers } = this.#manager;
    const config = {
      durable_name: consumer,
      filter_subject: subject,
      ack_policy: 'explicit',
      deliver_policy: 'all',
      ack_wait: ackWaitMs * 1_000_000,
      max_ack_pending: maxPending,
      max_deliver: -1,
    } as const;
    const doing = 'to read its queue';
    try {
      if (!isShared) await consumers.delete(stream, consumer).catch(ignoreMissing);
      const made = await consumers.add(stream, config).catch(async (error: unknown) => {
        if (jetStreamCode(error) !== NOT_UNIQUE) throw error;
        await this.#deleteOthers();
        return await consumers.add(stream, config);
      });
      this.#backlog = isShared ? 0 : made.num_pending;
      const last = this.#highest === 0 ? 0 : await this.#lastSequence();
      if (last < this.#highest) {
        this.#highest = last;
        this.#owner.lost(last + 1);
      }
    } catch (cause) {
      throw this.#link.error(cause, doing);
    }
    if (this.#isStopped) return;
    this.#delivered = 0;
    const inbox = this.#link.newInbox();
    this.#subscription = this.#link.connection.subscribe(inbox, {
      callback: (error, message) => {
        // What a handler throws would end the connection.
        try {
          if (error === null) this.#received(message);
          else this.#owner.failed(this.#link.error(error, doing));
        } catch (thrown) {
          this.#owner.failed(this.#link.error(thrown, doing));
        }
      },
    });
  }

  async #lastSequence(): Promise<number> {
    return (await this.#manager.streams.info(this.#options.stream)).state.last_seq;
  }

  /** Readers of earlier holders that were not deleted. */
  async #deleteOthers(): Promise<void> {
    const { stream, consumer, subject } = this.#options;
    const { consumers } = this.#manager;
    for await (const { name, config } of consumers.list(stream)) {
      if (name !== consumer && config.filter_subject === subject) {
        await consumers.delete(stream, name).catch(ignoreMissing);
      }
    }
  }

  #unsubscribe(): void {
    this.#asked = 0;
    try {
      this.#subscription?.unsubscribe();
    } catch {
      // The connection is closed.
    }
    this.#subscription = null;
  }

  #ask(): void {
    const { connection } = this.#link;
    if (this.#isStopped || this.#subscription === null || this.#link.isClosed) return;
    const { stanzas, bytes } = this.#owner.room();
    const batch = Math.min(this.#options.batch ?? BATCH, stanzas);
    const isBehind = this.#isBehind && this.#backlog > 0;
    if (this.#isBehind && (!isBehind || batch < 1 || bytes < 1)) this.#caughtUp();
    if (batch < 1 || bytes < 1) {
      this.#later(STARVED_MS, () => {
        this.#ask();
      });
      return;
    }
    const { stream, consumer } = this.#options;
    const request = {
      batch,
      max_bytes: bytes,
      ...(isBehind ? { no_wait: true } : { expires: EXPIRES_MS * 1_000_000 }),
    };
    this.#asked = batch;
    try {
      connection.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`, JSON.stringify(request), {
        reply: this.#subscription.getSubject(),
      });
    } catch {
      this.#asked = 0;
      return;
    }
    this.#later(EXPIRES_MS + LATE_MS, () => {
      this.again();
    });
  }

  #received(message: Msg): void {
    if (this.#isStopped) return;
    const place = placeOf(message.reply ?? '');
    if (place === null) {
      // Only what comes from the stream has a place there; whoever published it may have given it a code of his own.
      const code = message.headers?.code ?? 0;
      if (code !== 0) this.#told(code, message.headers?.description.toLowerCase() ?? '');
      return;
    }
    if (this.#options.isShared !== true && place.delivered !== this.#delivered + 1) {
      this.again();
      return;
    }
    this.#delivered = place.delivered;
    this.#highest = Math.max(this.#highest, place.sequence);
    if (this.#backlog > 0) this.#backlog -= 1;
    this.#owner.arrived({ sequence: place.sequence, deliveries: place.deliveries, at: place.at, message });
    if (this.#asked > 0) this.#asked -= 1;
    if (this.#asked === 0 || (this.#isBehind && this.#backlog === 0)) this.#ask();
  }

  /** What NATS says of a request: that it is over, or why it cannot be. */
  #told(code: number, description: string): void {
    if (code === 100) return;
    const isGone = code === 409 && /deleted|not found|leadership/.test(description);
    this.#asked = 0;
    if (isGone || code === 503) {
      this.#owner.failed(this.#link.error(new Error(description), 'to read its queue'));
      this.#later(RETRY_MS / 4, () => {
        this.again();
      });
      return;
    }
    // Nothing there, or nothing more in time. Not even one that fits: what there is has to go first.
    if (code === 404) this.#backlog = 0;
    if (code === 409) {
      if (this.#isBehind) this.#caughtUp();
      this.#later(STARVED_MS, () => {
        this.#ask();
      });
      return;
    }
    this.#ask();
  }

  #caughtUp(): void {
    this.#isBehind = false;
    this.#owner.caughtUp();
  }

  #later(ms: number, then: (() => void) | null): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = then === null || this.#isStopped ? null : setTimeout(then, ms).unref();
  }
}

function ignoreMissing(error: unknown): void {
  if (!isConsumerMissing(error)) throw error;
}

interface Place {
  readonly sequence: number;
  readonly deliveries: number;
  readonly delivered: number;
  readonly at: number;
}

/** What the subject of an acknowledgement tells: `$JS.ACK.<stream>.<consumer>.<deliveries>.<sequence>.<delivered>.<ns>.<pending>`. */
function placeOf(reply: string): Place | null {
  const tokens = reply.split('.');
  if (tokens[0] !== '$JS' || tokens[1] !== 'ACK') return null;
  // Newer servers have the domain and the account in front, and a token behind.
  const [deliveries, sequence, delivered, nanos] = tokens.slice(tokens.length >= 11 ? 6 : 4);
  if (nanos === undefined) return null;
  return {
    deliveries: Number(deliveries),
    sequence: Number(sequence),
    delivered: Number(delivered),
    at: Math.floor(Number(nanos.slice(0, -6))),
  };
}
