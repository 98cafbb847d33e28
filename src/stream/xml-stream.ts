import type { Optional } from '../arguments/optional.js';
import { BrokerError, usageError } from '../errors.js';
import type { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';
import { serialize } from '../xml/serializer.js';
import type { XmlLimits } from '../xml/tokenizer/limits.js';
import type { TokenizerHandler } from '../xml/tokenizer/tokenizer.js';
import type { Framing, StreamReader } from './framing.js';
import { TCP_FRAMING } from './tcp-framing.js';
import type { Transport, TransportHandler } from './transport.js';
import { Turn } from './turn.js';

/** What a stream hands on once it flows. */
export interface StreamConsumer {
  /** @returns whether it takes more than one turn of the event loop: then `goOn` is called in the next one */
  onElement(element: Element): boolean;
  /** Does more for the element that takes more than one turn; nothing else is delivered before. @returns as `onElement` */
  goOn(): boolean;
  /** The peer's closing stream tag. */
  onStreamEnd(): void;
  /** The peer's bytes are not XMPP's XML; nothing more is delivered. */
  onXmlError(error: BrokerError): void;
  /** Any bytes arrived: the peer is alive. */
  onActivity(): void;
  onDrain(): void;
  /** The transport is closed; `error` is null when it ended without a fault. */
  onClose(error: BrokerError | null): void;
}

/** What a stream brings while it is negotiated. */
export type Item =
  | { kind: 'header'; element: Element }
  | { kind: 'element'; element: Element }
  | { kind: 'end' }
  | { kind: 'failed'; error: BrokerError };

interface Reader {
  resolve(item: Item): void;
  reject(error: Error): void;
}

/** Bytes that may wait unread while a negotiation thinks; then the socket is paused. */
const UNREAD_LIMIT = 64 * 1024;

/**
 * An XML stream over a transport (RFC 6120 §4). While negotiating it is read one item at a time with {@link read};
 * {@link flow} then delivers everything in wire order. Each opening has its own parser (RFC 6120 §4.3.3).
 *
 * A peer that sends without a break does not get all of this process: what it sent waits when its part of a turn of the
 * event loop is used up, and the end of the connection waits behind it.
 */
export class XmlStream implements TransportHandler, TokenizerHandler {
  readonly transport: Transport;
  readonly #limits: Optional<XmlLimits>;
  #framing: Framing = TCP_FRAMING;
  #tokenizer: StreamReader;
  #consumer: StreamConsumer | null = null;
  #item: Item | null = null;
  #final: Item | null = null;
  #reader: Reader | null = null;
  #xmlError: BrokerError | null = null;
  #closeError: BrokerError | null = null;
  #elements = 0;
  #endSent = false;
  /** The transport drained while nobody was told. */
  #drained = false;
  #opened = false;
  /** Whether anything was received, since TLS if there is TLS. */
  #heard = false;
  readonly #turn = new Turn();
  /** Other work has its turn: nothing is delivered until it is over. */
  #rests = false;
  /** Whoever gets the elements wants none now. */
  #held = false;
  #goesOnSoon = false;
  /** The consumer is not done with an element. */
  #isUnfinished = false;
  /** What came meanwhile, and belongs behind what waits. */
  #endedAtRest = false;
  #closedAtRest = false;

  constructor(transport: Transport, limits: Optional<XmlLimits>) {
    this.transport = transport;
    this.#limits = limits;
    this.#tokenizer = this.#framing.reader(this, this.#limits);
    transport.listen(this);
  }

  /** How the stream is written, and how its elements are told apart. */
  get framing(): Framing {
    return this.#framing;
  }

  /** Whether our stream header was written. */
  get opened(): boolean {
    return this.#opened;
  }

  /** Whether our closing tag was written. */
  get endSent(): boolean {
    return this.#endSent;
  }

  /** Whether bytes of an unfinished element are waiting for the rest. */
  get inStanza(): boolean {
    return this.#tokenizer.inStanza;
  }

  /** Whether what was received waits for its turn: nothing is read meanwhile. */
  get rests(): boolean {
    return this.#rests;
  }

  /** Number of first-level elements received so far. */
  get elements(): number {
    return this.#elements;
  }

  /**
   * Writes a stream header and starts a new parser. Bytes that followed the element which caused a restart belong to
   * the new stream, and are parsed only now that our header is out.
   */
  open(header: Element): void {
    if (this.#opened) this.#tokenizer = this.#framing.renewed(this.#tokenizer, this, this.#limits);
    this.#opened = true;
    this.#item = null;
    this.transport.write(this.#framing.open(header));
    this.#tokenizer.resume();
  }

  /** Writes an element as it is, in the scope of a content namespace. */
  send(element: Element, contentNamespace: string): void {
    this.transport.write(serialize(element, { defaultNamespace: contentNamespace, prefixes: STREAM_PREFIX }));
  }

  /** The next item of the peer. One reader at a time; what ends the stream is handed out again and again. */
  read(): Promise<Item> {
    if (this.#reader !== null) {
      return Promise.reject(
        usageError('USAGE_READ', 'the stream is being read already; await one read before the next'),
      );
    }
    const item = this.#item;
    if (item !== null) {
      this.#item = null;
      return Promise.resolve(item);
    }
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
      // What was received before the end comes first, even if the transport is closed by now.
      this.#tokenizer.resume();
      const final = this.#final;
      if (this.#isReading() && final !== null) {
        this.#reader = null;
        resolve(final);
      } else {
        this.transport.resume();
      }
    });
  }

  /** Asked anew behind a call that may have ended the read. */
  #isReading(): boolean {
    return this.#reader !== null;
  }

  /** Gives up the read that is waiting, if there is one: it rejects. What comes is for the next one. */
  interrupt(error: Error): void {
    const reader = this.#reader;
    this.#reader = null;
    reader?.reject(error);
  }

  /**
   * Changes to TLS. Bytes that arrived behind `<proceed/>` were not protected by TLS, so they are an attack and not
   * data (RFC 6120 §5.4.3.3).
   * @throws BrokerError `TLS_PLAINTEXT_INJECTION`, or what the upgrade throws
   */
  async startTls(upgrade: Parameters<Transport['replace']>[0]): Promise<void> {
    const rest = this.#tokenizer.take();
    // Whatever happens now, no XML is written in clear any more (RFC 6120 §5.4.3.2).
    this.#opened = false;
    this.#heard = false;
    if (rest.length > 0) {
      throw new BrokerError(
        'TLS_PLAINTEXT_INJECTION',
        `${String(rest.length)} bytes arrived behind <proceed/> before TLS; somebody may be tampering with the connection`,
        { layer: 'tls', origin: 'peer' },
      );
    }
    this.#tokenizer = this.#framing.reader(this, this.#limits);
    this.#item = null;
    await this.transport.replace(upgrade);
  }

  /**
   * Changes to another framing, and to what `upgrade` makes of the connection.
   * @throws BrokerError `STREAM_NOT_XMPP` when the server has spoken before, or what the upgrade throws
   */
  async changeFraming(framing: Framing, upgrade: Parameters<Transport['replace']>[0]): Promise<void> {
    if (this.#heard) {
      const text = 'the server spoke before it was asked for anything; is it the right port?';
      throw new BrokerError('STREAM_NOT_XMPP', text, { layer: 'stream', origin: 'peer' });
    }
    this.#framing = framing;
    this.#tokenizer = framing.reader(this, this.#limits);
    this.#item = null;
    await this.transport.replace(upgrade);
  }

  /** From now on everything is delivered to the consumer, in order, beginning with what was not read yet. */
  flow(consumer: StreamConsumer): void {
    this.#consumer = consumer;
    if (this.#drained) consumer.onDrain();
    const item = this.#item;
    this.#item = null;
    if (item?.kind === 'element') deliver(item.element, consumer);
    else if (item?.kind === 'end') consumer.onStreamEnd();
    else if (item?.kind === 'header') this.#xmlError ??= openedAgain();
    // It was found behind everything that could be read.
    if (this.#xmlError !== null) consumer.onXmlError(this.#xmlError);
    this.#closedAtRest = this.transport.closed;
    // What was set aside may have filled whoever gets the elements. Behind the end of the connection nothing more comes.
    if (this.#held && !this.#closedAtRest) return;
    this.#goOn();
  }

  /** Delivers what waits, as far as this turn goes, and what belongs behind it. */
  #goOn(): void {
    this.#rests = false;
    this.#turn.beginAnew();
    if (this.#isUnfinished) {
      this.#isUnfinished = this.#consumer?.goOn() ?? false;
      if (this.#isUnfinished || this.#turn.end()) this.#rest();
      if (this.#isAtRest()) return;
    }
    this.#tokenizer.resume();
    if (this.#isAtRest()) return;
    if (this.#endedAtRest) this.transport.end();
    if (this.#closedAtRest) this.#consumer?.onClose(this.#closeError);
    else this.transport.resume();
  }

  /** Asked anew behind a call that may have used up the turn. */
  #isAtRest(): boolean {
    return this.#rests;
  }

  /** Leaves the rest of the turn to others. */
  #rest(): void {
    this.#tokenizer.pause();
    this.transport.pause();
    this.#rests = true;
    if (this.#goesOnSoon) return;
    this.#goesOnSoon = true;
    setImmediate(() => {
      this.#goesOnSoon = false;
      if (!this.#held) this.#goOn();
    });
  }

  /** Delivers nothing more until it is let go: what comes waits, and the peer feels it. */
  hold(held: boolean): void {
    if (this.#held === held) return;
    this.#held = held;
    this.#rest();
  }

  /** Writes `<stream:error/>` (RFC 6120 §4.9) if a header was written, then our closing tag. */
  closeWithError(condition: string, appCondition?: Element): void {
    if (!this.#endSent && this.#opened) {
      const extra = appCondition === undefined ? '' : serialize(appCondition);
      this.transport.write(`<stream:error><${condition} xmlns='${NS.STREAMS}'/>${extra}</stream:error>`);
    }
    this.sendEnd();
  }

  /** Writes our closing stream tag, once. Returns whether it was written now. */
  sendEnd(): boolean {
    if (this.#endSent || !this.#opened || this.transport.closed) return false;
    this.#endSent = true;
    this.transport.write(this.#framing.end);
    return true;
  }

  onStreamStart(element: Element): void {
    if (this.#consumer === null) this.#onItem({ kind: 'header', element });
    else this.onError(openedAgain());
  }

  onElement(element: Element): void {
    this.#elements += 1;
    if (this.#consumer === null) {
      this.#onItem({ kind: 'element', element });
      return;
    }
    if (this.#consumer.onElement(element)) this.#isUnfinished = true;
    else if (!this.#turn.step()) return;
    this.#rest();
  }

  onStreamEnd(): void {
    if (this.#consumer === null) this.#onItem({ kind: 'end' });
    else this.#consumer.onStreamEnd();
  }

  onError(error: BrokerError): void {
    this.#xmlError = error;
    if (this.#consumer === null) this.#onItem({ kind: 'failed', error });
    else this.#consumer.onXmlError(error);
  }

  #onItem(item: Item): void {
    if (item.kind === 'failed' || item.kind === 'end') this.#final ??= item;
    const reader = this.#reader;
    if (reader !== null) {
      this.#reader = null;
      this.#tokenizer.pause();
      reader.resolve(item);
    } else if (item.kind !== 'failed') {
      this.#tokenizer.pause();
      // An end may come with what says why (RFC 7395 §3.6.1), which is read first.
      this.#item ??= item;
    }
  }

  onDrain(): void {
    if (this.#consumer === null) this.#drained = true;
    else this.#consumer.onDrain();
  }

  /** Nothing more will come; a socket that allows half-open links must be ended by hand. */
  onEnd(): void {
    if (this.#rests) this.#endedAtRest = true;
    else this.transport.end();
  }

  onData(chunk: Buffer): void {
    const consumer = this.#consumer;
    if (consumer === null) {
      this.#heard = true;
      this.#tokenizer.write(chunk);
      // While somebody reads, what is kept is one unfinished element, which the parser bounds.
      if (this.#reader === null && this.#tokenizer.pending > UNREAD_LIMIT) this.transport.pause();
      return;
    }
    consumer.onActivity();
    if (!this.#rests) this.#turn.begin();
    this.#tokenizer.write(chunk);
    // A large element that is not complete takes time, too.
    if (this.#rests || this.#turn.end()) this.#rest();
  }

  onClose(error: BrokerError | null): void {
    this.#closeError = error;
    if (this.#rests) {
      this.#closedAtRest = true;
      // Nothing more comes: what is here is delivered, and then the end.
      this.hold(false);
      return;
    }
    if (this.#consumer !== null) {
      this.#consumer.onClose(error);
      return;
    }
    const failed: Item = {
      kind: 'failed',
      error:
        error ??
        new BrokerError('STREAM_CLOSED', 'the server closed the connection without closing the stream', {
          layer: 'tcp',
          origin: 'peer',
          retryable: true,
        }),
    };
    this.#final ??= failed;
    const reader = this.#reader;
    this.#reader = null;
    reader?.resolve(this.#final);
  }
}

/** Delivers an element now, however long it takes: what is wrong behind it is told next. */
function deliver(element: Element, consumer: StreamConsumer): void {
  let goesOn = consumer.onElement(element);
  while (goesOn) goesOn = consumer.goOn();
}

/** Over WebSocket nothing but the peer's good manners prevents a second header. */
function openedAgain(): BrokerError {
  return new BrokerError('STREAM_UNEXPECTED', 'the server opened a stream that is open', {
    layer: 'stream',
    origin: 'peer',
    condition: 'bad-format',
  });
}

const STREAM_PREFIX: Readonly<Record<string, string>> = { stream: NS.STREAM };
