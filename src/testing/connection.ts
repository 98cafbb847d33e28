import type { Socket } from 'node:net';
import { readOptions } from '../arguments/options.js';
import { usageError, type BrokerError } from '../errors.js';
import type { JID } from '../jid/jid.js';
import { isStanza } from '../stanza/kinds.js';
import { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';
import { serialize } from '../xml/serializer.js';
import { parse } from '../xml/tokenizer/parse.js';
import type { LoopbackPort } from './options.js';
import type { PeerStream } from './peer-stream.js';
import { FAULT_DETAILS, StreamFault, type FaultDetails } from './stream-fault.js';

/** One connection to the loopback server. */
export interface LoopbackConnection {
  /** Counts from 1, for the whole life of the server. */
  readonly id: number;
  /** The port it came in on. */
  readonly side: LoopbackPort;
  /** The peer's TCP port. */
  readonly remotePort: number;
  /** Whether it is inside TLS. */
  readonly secure: boolean;
  /** What it can be reached at: one address once a client or component is bound, any number of names of a router link. */
  readonly addresses: readonly JID[];
  readonly closed: boolean;
  /**
   * Writes to it, past all routing. An element takes its place among the stanzas and is counted by stream management;
   * text is written as it is, whatever it is, and is not counted.
   */
  inject(xml: Element | string): void;
  /** Closes it with a stream error (RFC 6120 §4.9.3). A client's session ends. */
  kick(condition?: string, details?: FaultDetails): void;
  /** Destroys the TCP connection without a word. A session with stream management can be resumed. */
  cut(): void;
  /** Reads and writes no more, and leaves the TCP connection as it is: a half-open link. */
  stall(): void;
}

/** The server's view of a connection. */
export class Connection implements LoopbackConnection {
  readonly remotePort: number;
  readonly #addresses = new Map<string, JID>();
  /** How a stanza is written; a client's session counts it. */
  write: (stanza: Element) => void;
  /** Called once the peer has an address: the time for negotiating is over. */
  negotiated: () => void = () => undefined;
  /** What broke it, when it was not the transport. */
  error: BrokerError | null = null;

  constructor(
    readonly id: number,
    readonly side: LoopbackPort,
    socket: Socket,
    readonly stream: PeerStream,
  ) {
    this.remotePort = socket.remotePort ?? 0;
    this.write = (stanza) => stream.send(stanza);
  }

  get secure(): boolean {
    return this.stream.tls !== null;
  }

  get addresses(): readonly JID[] {
    return [...this.#addresses.values()];
  }

  get closed(): boolean {
    return this.stream.transport.closed;
  }

  bind(jid: JID): void {
    this.#addresses.set(jid.toString(), jid);
    this.negotiated();
  }

  unbind(jid: JID): void {
    this.#addresses.delete(jid.toString());
  }

  inject(xml: Element | string): void {
    if (typeof xml === 'string') {
      this.#injectText(xml);
    } else if (xml instanceof Element) {
      serialize(xml); // what cannot be written is the caller's mistake, before it counts
      this.write(xml);
    } else {
      throw usageError('USAGE_LOOPBACK', `inject() wants an element or text, not ${typeof xml}`);
    }
  }

  /** Text that is nothing but stanzas counts as they do; anything else is written as it is. */
  #injectText(text: string): void {
    const stanzas = stanzasIn(text);
    if (stanzas === null) this.stream.sendText(text);
    else for (const stanza of stanzas) this.write(stanza);
  }

  kick(condition = 'conflict', details: FaultDetails = {}): void {
    const given = readOptions('USAGE_LOOPBACK', 'kick()', details, FAULT_DETAILS);
    this.stream.interrupt(new StreamFault(condition, given));
  }

  cut(): void {
    this.stream.transport.destroy();
  }

  stall(): void {
    this.stream.stall();
  }
}

function stanzasIn(text: string): Element[] | null {
  try {
    const { childNodes, children } = parse(`<text xmlns='${NS.CLIENT}'>${text}</text>`);
    return childNodes.length === children.length && children.length > 0 && children.every(isStanza) ? children : null;
  } catch {
    return null;
  }
}
