import type { Negotiated } from './attempt.js';
import { BrokerError } from './errors.js';
import type { StatusEvents } from './events.js';
import type { JID } from './jid.js';
import type { BrokerConfig } from './options.js';
import type { DialectConfig, DialectLink, NegotiationEvent } from './protocols/dialect.js';
import { SendLane } from './queue/send-lane.js';
import type { Ticket } from './queue/ticket.js';
import { isStreamError, streamError } from './stream/stream-error.js';
import type { StreamConsumer, XmlStream } from './stream/xml-stream.js';
import type { Element } from './xml/element.js';
import { NS } from './xml/namespaces.js';
import { serialize } from './xml/serializer.js';

/** What a link needs of the broker. */
export interface LinkHost {
  readonly config: BrokerConfig;
  publish<N extends keyof StatusEvents>(event: N, payload: StatusEvents[N]): void;
  /** One stanza, in wire order. */
  deliver(stanza: Element): void;
  /** A stanza was handed to the socket. */
  handedOver(ticket: Ticket): void;
  sentNonza(element: Element): void;
  received(element: Element): void;
  /** The link can send no more: outputs are held from now on. */
  notReady(): void;
  /** The socket is closed. Called once, before the events that say so. */
  ended(end: LinkEnd): void;
}

/** How a link ended and what it leaves behind. */
export interface LinkEnd {
  /** We closed it: `shutdown`, or making room for a reconnect. */
  readonly byUs: 'shutdown' | 'replace' | null;
  readonly clean: boolean;
  readonly error: BrokerError | null;
  /** Handed to the socket, not known to be written. */
  readonly inFlight: readonly Ticket[];
  /** Never handed to the socket. */
  readonly waiting: readonly Ticket[];
}

/** How long a peer gets to close after an error or before a reconnect, in milliseconds. */
const HASTY_CLOSE_MS = 1_000;

/** How long a peer gets to close the socket when both have closed the stream, in milliseconds. */
const FAREWELL_MS = 250;

/** How often an unfinished element is looked at before its time is over. */
const STANZA_CHECKS = 10;

/** A ready stream: stanzas go out through the send lane and come in to the router, until it ends. */
export class Link implements DialectLink, StreamConsumer {
  readonly jid: JID;
  readonly config: DialectConfig;
  readonly #host: LinkHost;
  readonly #negotiated: Negotiated;
  readonly #stream: XmlStream;
  readonly #lane: SendLane;
  #byUs: 'shutdown' | 'replace' | null = null;
  #peerEnded = false;
  #lostError: BrokerError | null = null;
  #ended = false;
  #silent = false;
  #stanzaTimer: NodeJS.Timeout | null = null;
  #stanzaMark = -1;
  #stanzaChecks = 0;
  #closing: Promise<void> | null = null;
  #whenEnded: (() => void)[] = [];

  constructor(host: LinkHost, negotiated: Negotiated) {
    this.#host = host;
    this.#negotiated = negotiated;
    this.#stream = negotiated.stream;
    this.jid = negotiated.established.jid;
    this.config = negotiated.dialectConfig;
    this.#lane = new SendLane({
      write: (text, done) => this.#stream.transport.write(text, done),
      handedOver: (ticket) => {
        host.handedOver(ticket);
      },
      written: (ticket) => {
        ticket.markSent();
      },
    });
  }

  /** Whether stanzas may be sent. */
  get ready(): boolean {
    return this.#byUs === null && this.#lostError === null && !this.#ended;
  }

  /** Bytes accepted and not yet written. */
  get bytes(): number {
    return this.#lane.bytes;
  }

  /** Starts delivery: first what was set aside during negotiation, then what the stream brings. */
  start(): void {
    if (this.#ended) return;
    for (const element of this.#negotiated.session.aside) this.onElement(element);
    this.#stream.flow(this);
  }

  /** Sends a stanza. The element is given when it is at hand; else it is read back if the dialect must wrap it. */
  output(ticket: Ticket, element?: Element): void {
    const dialect = this.#host.config.connectionType;
    const text =
      dialect.wrap === undefined ? ticket.xml : serialize(dialect.wrap(element ?? ticket.node, this), this.#scope());
    this.#lane.push(ticket, text);
  }

  publish<N extends NegotiationEvent>(
    event: N,
    ...payload: StatusEvents[N] extends undefined ? [] : [StatusEvents[N]]
  ): void {
    this.#host.publish(event, payload[0] as StatusEvents[N]);
  }

  send(element: Element): void {
    this.#lane.push(null, serialize(element, this.#scope()));
    this.#host.sentNonza(element);
  }

  hold(held: boolean): void {
    this.#lane.hold(held);
  }

  /**
   * Closes the stream as RFC 6120 §4.4 has it: what was accepted goes out, then our closing tag; what still arrives
   * is delivered until the peer closes or the time is over. Calling it again gives the same promise.
   */
  shutdown(): Promise<void> {
    this.#closing ??= this.#close('shutdown');
    return this.#closing;
  }

  /** Closes the stream to make room for a new attempt. */
  replace(): Promise<void> {
    this.#closing ??= this.#close('replace');
    return this.#closing;
  }

  /** Drops everything at once, without an event. */
  halt(): void {
    this.#silent = true;
    this.#stream.transport.destroy();
    this.onClose(null);
  }

  onActivity(): void {
    if (this.#stanzaTimer === null && !this.#ended) this.#watchStanza();
  }

  onDrain(): void {
    this.#lane.drained();
  }

  onElement(element: Element): void {
    if (this.#silent || this.#lostError !== null) return;
    this.#host.received(element);
    if (element.namespaceURI === NS.STREAM) {
      this.#streamElement(element);
      return;
    }
    const dialect = this.#host.config.connectionType;
    let stanza: Element | undefined = element;
    if (dialect.unwrap !== undefined) {
      try {
        stanza = dialect.unwrap(element, this);
      } catch (error) {
        this.#host.publish('PCJ_PROTOCOLERROR', asProtocolError(error, dialect.name));
        return;
      }
    }
    if (stanza !== undefined) this.#host.deliver(stanza);
  }

  onStreamEnd(): void {
    this.#peerEnded = true;
    if (this.#byUs !== null) {
      if (this.#stream.endSent) this.#farewell();
      return;
    }
    this.#lose(
      new BrokerError('STREAM_CLOSED', 'the server closed the stream', {
        layer: 'stream',
        origin: 'peer',
        phase: 'ready',
        retryable: true,
      }),
      () => this.#stream.sendEnd(),
    );
  }

  onXmlError(error: BrokerError): void {
    if (this.#lostError !== null) return;
    const condition = error.condition ?? 'not-well-formed';
    // A peer that sends broken XML once may be healthy again after a reconnect.
    const seen = error.with({ phase: 'ready', sentCondition: condition, retryable: true });
    this.#host.publish('PCJ_PROTOCOLERROR', seen);
    this.#lose(seen, () => {
      this.#stream.closeWithError(condition);
    });
  }

  onClose(error: BrokerError | null): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#stanzaTimer !== null) clearTimeout(this.#stanzaTimer);
    const { inFlight, waiting } = this.#lane.close();
    const clean = this.#peerEnded && this.#stream.endSent;
    const lost =
      this.#lostError ??
      error?.with({ phase: this.#byUs === null ? 'ready' : 'closing' }) ??
      new BrokerError('STREAM_CLOSED', 'the server closed the connection without closing the stream', {
        layer: 'tcp',
        origin: 'peer',
        phase: 'ready',
        retryable: true,
      });
    const end: LinkEnd = {
      byUs: this.#byUs,
      clean,
      error: this.#byUs !== null && clean ? null : lost,
      inFlight,
      waiting,
    };
    if (!this.#silent) this.#host.ended(end);
    const waiters = this.#whenEnded;
    this.#whenEnded = [];
    for (const resolve of waiters) resolve();
  }

  async #close(why: 'shutdown' | 'replace'): Promise<void> {
    if (this.#hasEnded()) return;
    const ended = new Promise<void>((resolve) => this.#whenEnded.push(resolve));
    if (this.#lostError === null) {
      this.#byUs = why;
      this.#host.notReady();
      const limit =
        why === 'shutdown'
          ? this.#host.config.timeouts.close
          : Math.min(HASTY_CLOSE_MS, this.#host.config.timeouts.close);
      const timer = setTimeout(() => {
        this.#stream.transport.destroy();
      }, limit);
      this.#whenEnded.push(() => {
        clearTimeout(timer);
      });
      await this.#lane.drain();
      if (this.#hasEnded()) return;
      this.#stream.sendEnd();
      if (why === 'shutdown') {
        this.#host.publish('PCJ_STREAMEND', undefined);
        this.#host.publish('PCJ_SHUTDOWN_START', undefined);
      }
      if (this.#peerEnded) this.#farewell();
    }
    await ended;
  }

  /** Both streams are closed: nothing more is to come. */
  #farewell(): void {
    this.#stream.transport.end();
    void this.#stream.transport.closedWithin(FAREWELL_MS);
  }

  /** Asked anew behind an await. */
  #hasEnded(): boolean {
    return this.#ended;
  }

  #lose(error: BrokerError, lastWords: () => void): void {
    if (this.#lostError !== null || this.#ended) return;
    this.#lostError = error;
    this.#host.notReady();
    this.#lane.flush();
    lastWords();
    this.#stream.transport.end();
    this.#stream.transport.resume();
    void this.#stream.transport.closedWithin(Math.min(HASTY_CLOSE_MS, this.#host.config.timeouts.close));
  }

  #streamElement(element: Element): void {
    if (isStreamError(element)) {
      const error = streamError(element, { phase: 'ready' });
      this.#host.publish('PCJ_PROTOCOLERROR', error);
      this.#lose(error, () => this.#stream.sendEnd());
      return;
    }
    // RFC 6120 §4.3.5: nothing is negotiated again on a stream that is complete.
    this.#host.publish(
      'PCJ_PROTOCOLERROR',
      new BrokerError(
        'STREAM_UNEXPECTED',
        `the server sent <${element.nodeName}/> after the negotiation was complete; it was ignored`,
        {
          layer: 'stream',
          origin: 'peer',
          phase: 'ready',
        },
      ),
    );
  }

  /** Watches that an element which has begun is complete in time, however slowly its bytes come. */
  #watchStanza(): void {
    this.#stanzaTimer = setTimeout(() => {
      this.#checkStanza();
    }, this.#host.config.timeouts.stanza / STANZA_CHECKS);
    this.#stanzaTimer.unref();
  }

  #checkStanza(): void {
    this.#stanzaTimer = null;
    if (this.#ended || this.#lostError !== null) return;
    if (!this.#stream.inStanza) {
      this.#stanzaMark = -1;
      return;
    }
    if (this.#stanzaMark !== this.#stream.elements) {
      this.#stanzaMark = this.#stream.elements;
      this.#stanzaChecks = 0;
    }
    this.#stanzaChecks += 1;
    if (this.#stanzaChecks <= STANZA_CHECKS) {
      this.#watchStanza();
      return;
    }
    const limit = this.#host.config.timeouts.stanza;
    const error = new BrokerError(
      'LIMIT_STANZA_TIME',
      `an element was not complete within ${String(limit)} ms (timeouts.stanza)`,
      {
        layer: 'xml',
        origin: 'peer',
        phase: 'ready',
        retryable: true,
        sentCondition: 'policy-violation',
      },
    );
    this.#host.publish('PCJ_PROTOCOLERROR', error);
    this.#lose(error, () => {
      this.#stream.closeWithError('policy-violation');
    });
  }

  #scope(): { defaultNamespace: string; prefixes: Readonly<Record<string, string>> } {
    return { defaultNamespace: this.#host.config.xmlns, prefixes: { stream: NS.STREAM } };
  }
}

function asProtocolError(error: unknown, dialect: string): BrokerError {
  if (error instanceof BrokerError) return error;
  return new BrokerError(
    'DIALECT_FAILED',
    `the dialect ${dialect} failed on an element: ${error instanceof Error ? error.message : String(error)}`,
    {
      layer: 'stream',
      phase: 'ready',
      dialect,
      cause: error,
    },
  );
}
