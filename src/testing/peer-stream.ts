// An XML stream as the server sees it: RFC 6120 §4.
import type { Optional } from '../arguments/optional.js';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { BrokerError } from '../errors.js';
import type { Framing, StreamReader } from '../stream/framing.js';
import { TCP_FRAMING } from '../stream/tcp-framing.js';
import { Transport } from '../stream/transport.js';
import type { XmlAttributes } from '../xml/builder.js';
import type { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';
import { serialize } from '../xml/serializer.js';
import type { XmlLimits } from '../xml/tokenizer/limits.js';
import type { TokenizerHandler } from '../xml/tokenizer/tokenizer.js';
import { StreamFault, StreamOver } from './stream-fault.js';

/** Told what crosses the wire. */
export interface StreamWatcher {
  received(element: Element): void;
  sent(xml: Element | string): void;
}

/** How a stream came to its end. */
type End =
  | { readonly kind: 'ended' }
  | { readonly kind: 'closed'; readonly error: BrokerError | null }
  | { readonly kind: 'fault'; readonly fault: Error };

type Item = { readonly kind: 'header' | 'element'; readonly element: Element } | End;

/** Bytes that may wait unread while the server thinks; then the socket is paused. */
const UNREAD_LIMIT = 64 * 1024;
/** Bytes that may wait for a peer before nothing more is read from it. */
const CONGESTED = 1024 * 1024;
/** Bytes that may wait for a peer before its connection is cut. */
const OUTGOING_LIMIT = 64 * 1024 * 1024;

const STREAM_PREFIX: Readonly<Record<string, string>> = { stream: NS.STREAM };

/**
 * The server's end of one connection. A negotiation reads one item at a time; {@link PeerStream.flow} then hands over
 * everything in order. Reading throws a {@link StreamFault} when the peer broke a rule, or when the stream was
 * {@link PeerStream.interrupt interrupted}, and {@link StreamOver} when there is nothing more to come.
 */
export class PeerStream {
  readonly transport: Transport;
  readonly #limits: Optional<XmlLimits>;
  readonly #watcher: StreamWatcher;
  #framing: Framing = TCP_FRAMING;
  #tokenizer: StreamReader;
  #tls: TLSSocket | null = null;
  #reader: ((item: Item) => void) | null = null;
  #flow: ((element: Element) => void) | null = null;
  #end: End | null = null;
  #closeError: BrokerError | null = null;
  #contentNamespace: string;
  #headerSent = false;
  #endSent = false;
  #stalled = false;
  #upgrading = false;

  /** @param contentNamespace of the header that comes before an error when there was none yet */
  constructor(socket: Duplex, contentNamespace: string, limits: Optional<XmlLimits>, watcher: StreamWatcher) {
    this.#contentNamespace = contentNamespace;
    this.#limits = limits;
    this.#watcher = watcher;
    this.#tokenizer = this.#newTokenizer();
    this.transport = new Transport(socket);
    this.transport.listen({
      onData: (chunk) => this.#onData(chunk),
      onDrain: () => this.#resume(),
      onEnd: () => this.transport.end(),
      onClose: (error) => this.#onClose(error),
    });
  }

  /** The TLS layer, or null while the stream is in clear. */
  get tls(): TLSSocket | null {
    return this.#tls;
  }

  /** How the stream is written, and how its elements are told apart. */
  get framing(): Framing {
    return this.#framing;
  }

  /** Whether the peer closed the stream in order, with its end tag. */
  get endedByPeer(): boolean {
    return this.#end?.kind === 'ended';
  }

  /** Why the transport closed; null when both sides ended in order. */
  get closeError(): BrokerError | null {
    return this.#closeError;
  }

  /** Reads the peer's stream header. */
  async header(): Promise<Element> {
    const item = await this.#read();
    if (item.kind === 'header') return item.element;
    throw this.#over(item);
  }

  /** Reads the next element. */
  async next(): Promise<Element> {
    const item = await this.#read();
    if (item.kind === 'element') return item.element;
    throw this.#over(item);
  }

  /**
   * Hands over every element, in order, until the stream ends. Resolves when the peer ended it, or when the connection
   * closed; rejects with what the handler threw, and with the fault of a peer that broke a rule.
   */
  async flow(onElement: (element: Element) => void): Promise<void> {
    const item = await new Promise<Item>((resolve) => {
      this.#reader = resolve;
      this.#flow = onElement;
      this.#pump();
    });
    this.#flow = null;
    if (item.kind === 'fault') throw item.fault;
  }

  /** Whoever reads gets this error, and so does everyone who reads later. */
  interrupt(fault: Error): void {
    if (this.#end?.kind === 'closed') return;
    this.#end = { kind: 'fault', fault };
    this.#tokenizer.pause();
    if (this.#upgrading) this.transport.destroy();
    this.#settle(this.#end);
  }

  /** Writes the server's stream header. */
  open(contentNamespace: string, attributes: XmlAttributes): void {
    this.#contentNamespace = contentNamespace;
    this.#headerSent = true;
    const header = this.#framing.header({ xmlns: contentNamespace, stream: NS.STREAM, attributes });
    this.#watcher.sent(header);
    // RFC 7395 §3.3: a message begins with its element.
    const declaration = this.#framing.name === 'tcp' ? "<?xml version='1.0'?>" : '';
    this.#write(declaration + this.#framing.open(header));
  }

  /** What follows is a new stream on the same connection, with a new parser (RFC 6120 §4.3.3). */
  restart(): void {
    this.#tokenizer = this.#newTokenizer(this.#tokenizer);
    this.#headerSent = false;
  }

  /**
   * Writes an element.
   * @param contentNamespace what stanzas are in: those of another namespace say so. A component's stanzas are handled
   * in `jabber:client` and written without a namespace, so that they take the one of the component's stream.
   */
  send(element: Element, contentNamespace = this.#contentNamespace): void {
    if (this.#mute) return;
    this.#watcher.sent(element);
    this.#write(serialize(element, { defaultNamespace: contentNamespace, prefixes: STREAM_PREFIX }));
  }

  /** Writes text as it is. */
  sendText(text: string): void {
    if (this.#mute) return;
    this.#watcher.sent(text);
    this.#write(text);
  }

  /** Changes to TLS. Bytes that came before the handshake end the connection. */
  async startTls(handshake: (socket: Duplex) => Promise<TLSSocket>): Promise<void> {
    if (this.#tokenizer.take().length > 0) {
      this.transport.destroy();
      throw new StreamOver('the connection is closed');
    }
    this.#upgrading = true;
    try {
      await this.transport.replace(async (socket) => (this.#tls = await handshake(socket)));
    } finally {
      this.#upgrading = false;
    }
    this.#tokenizer = this.#newTokenizer();
    this.#headerSent = false;
  }

  /** Changes to another framing, over what `accept` makes of the connection. */
  async changeFraming(framing: Framing, accept: (socket: Duplex) => Promise<Duplex>): Promise<void> {
    const arrived = this.#tokenizer.take();
    this.#framing = framing;
    this.#tokenizer = this.#newTokenizer();
    this.#upgrading = true;
    try {
      await this.transport.replace((socket) => {
        if (arrived.length > 0) socket.unshift(arrived);
        return accept(socket);
      });
    } finally {
      this.#upgrading = false;
    }
  }

  /** Reads no more, and writes nothing more: the connection looks alive to TCP, and nothing else. */
  stall(): void {
    this.#stalled = true;
    this.transport.pause();
  }

  /** Writes a stream error, with a header before it if there was none (RFC 6120 §4.9.1.2), and our end tag. */
  fail(fault: StreamFault): void {
    if (this.#endSent) return;
    if (!this.#headerSent) this.open(this.#contentNamespace, { version: '1.0', id: '' });
    this.send(fault.element);
    this.sendEnd();
  }

  /** Writes our end tag, once. */
  sendEnd(): void {
    if (this.#endSent || !this.#headerSent) return;
    this.sendText(this.#framing.end);
    this.#endSent = true;
  }

  /** Ends the stream, waits for the peer to do the same, and closes the connection; after `limitMs` by force. */
  async finish(limitMs: number): Promise<void> {
    this.sendEnd();
    const readable = this.#end === null || (this.#end.kind === 'fault' && this.#tokenizer.paused);
    if (readable && !this.transport.closed) {
      this.#end = null;
      this.#flow = () => undefined;
      this.#reader = () => this.transport.end();
      this.#pump();
    } else {
      this.transport.end();
    }
    await this.transport.closedWithin(limitMs);
  }

  #read(): Promise<Item> {
    return new Promise((resolve) => {
      this.#reader = resolve;
      this.#pump();
    });
  }

  /** Goes on where the tokenizer was stopped. What was received before the end comes before the end. */
  #pump(): void {
    if (this.#end?.kind !== 'fault') this.#resume();
    if (this.#end !== null) this.#settle(this.#end);
  }

  #resume(): void {
    if (this.#stalled || this.#reader === null) return;
    this.#tokenizer.resume();
    if (!this.#congested()) this.transport.resume();
  }

  #settle(item: Item): void {
    const reader = this.#reader;
    this.#reader = null;
    reader?.(item);
  }

  #over(item: Item): Error {
    switch (item.kind) {
      case 'fault':
        return item.fault;
      case 'ended':
        return new StreamOver('the peer ended the stream');
      case 'closed':
        return new StreamOver('the connection is closed');
      default:
        return new StreamFault('bad-format');
    }
  }

  /** A tokenizer that waits until somebody reads. */
  #newTokenizer(old?: StreamReader): StreamReader {
    const handler: TokenizerHandler = {
      onStreamStart: (element) => {
        this.#watcher.received(element);
        tokenizer.pause();
        this.#settle({ kind: 'header', element });
      },
      onElement: (element) => this.#onElement(tokenizer, element),
      onStreamEnd: () => this.#finished({ kind: 'ended' }),
      onError: (error) => this.#finished({ kind: 'fault', fault: faultOf(error) }),
    };
    const tokenizer: StreamReader =
      old === undefined
        ? this.#framing.reader(handler, this.#limits)
        : this.#framing.renewed(old, handler, this.#limits);
    tokenizer.pause();
    return tokenizer;
  }

  #onElement(tokenizer: StreamReader, element: Element): void {
    this.#watcher.received(element);
    if (this.#flow === null) {
      tokenizer.pause();
      this.#settle({ kind: 'element', element });
      return;
    }
    try {
      this.#flow(element);
    } catch (error) {
      this.interrupt(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    if (this.#congested()) {
      tokenizer.pause();
      this.transport.pause();
    }
  }

  #finished(end: End): void {
    this.#end ??= end;
    this.#settle(this.#end);
  }

  #onData(chunk: Buffer): void {
    this.#tokenizer.write(chunk);
    if (this.#tokenizer.pending > UNREAD_LIMIT && this.#tokenizer.paused) this.transport.pause();
  }

  #onClose(error: BrokerError | null): void {
    this.#closeError ??= error;
    if (this.#reader !== null) this.#tokenizer.resume();
    this.#finished({ kind: 'closed', error });
  }

  #congested(): boolean {
    return !this.transport.closed && this.#waiting > CONGESTED;
  }

  get #waiting(): number {
    return this.transport.socket.writableLength;
  }

  /** Whether nothing may be written any more. */
  get #mute(): boolean {
    return this.#stalled || this.#endSent || this.transport.socket.destroyed;
  }

  #write(text: string): void {
    this.transport.write(text);
    if (this.#waiting <= OUTGOING_LIMIT) return;
    const message = `the peer does not read: more than ${OUTGOING_LIMIT} bytes wait for it`;
    this.#closeError = new BrokerError('LOOPBACK_CONGESTED', message, { layer: 'tcp', origin: 'peer' });
    this.transport.destroy();
  }
}

/** The stream error for what the tokenizer found. */
function faultOf(error: BrokerError): Error {
  if (error.code === 'XML_HANDLER' && error.cause instanceof Error) return error.cause;
  if (error.origin !== 'peer') return error;
  return new StreamFault(error.condition ?? 'internal-server-error', { text: error.message });
}
