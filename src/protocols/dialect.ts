import type { X509Certificate } from 'node:crypto';
import type { NegotiationEvent, StatusEvents } from '../events.js';
import type { ClientCertificate } from '../tls/client-certificate.js';
import type { TlsFacts } from '../tls/facts.js';
import type { JID } from '../jid/jid.js';
import type { Element } from '../xml/element.js';
import type { StreamLimits } from './features/stream-limits.js';
import type { ManagedSession } from './features/managed-session.js';
import type { ChannelBindings } from '../tls/channel-binding.js';

/** What the server said in its stream header (RFC 6120 §4.7). */
export interface StreamHeader {
  readonly id: string | null;
  readonly from: string | null;
  readonly version: string | null;
  readonly lang: string | null;
  readonly element: Element;
}

/** The options a dialect may read; no secrets among them. */
export interface DialectConfig {
  /** XMPP domain, or the component's name. */
  readonly domain: string;
  readonly username: string | undefined;
  readonly resource: string | undefined;
  readonly tlsPolicy: 'required' | 'preferred' | 'direct' | 'disabled';
  /** Whether the connected address is on this machine. */
  readonly loopback: boolean;
  /** What the stream is on. Over WebSocket TLS is below, or not at all: there is no STARTTLS (RFC 7395 §3.9). */
  readonly transport: 'tcp' | 'websocket';
  /** Whether the options have a password, or a function for it. */
  readonly hasPassword: boolean;
  /** Our own certificate (`tls.cert`), or null. */
  readonly clientCertificate: ClientCertificate | null;
}

/**
 * What the core lends to a dialect for one attempt. The dialect reads and writes here, in the order of its protocol;
 * when its `negotiate` returns, the stream goes back to the core.
 */
export interface Negotiation {
  readonly config: DialectConfig;
  /** Facts of TLS, or null while the stream is in clear. */
  readonly tls: TlsFacts | null;
  /** The server's certificate, with those that it showed as issuers behind it, or null while the stream is in clear. */
  readonly certificate: X509Certificate | null;
  /** Channel bindings of TLS (RFC 5929, RFC 9266), or null while the stream is in clear. */
  readonly channelBindings: ChannelBindings | null;
  /** The managed session of a lost link that may be resumed (XEP-0198 §5), or null. */
  readonly resumable: ManagedSession | null;
  /** Aborted when the attempt is given up; every method here rejects then by itself. */
  readonly signal: AbortSignal;
  /** A UUID that this broker made up for itself: the same in every attempt, and no other broker's (XEP-0388 §2.3). */
  readonly userAgentId: string;
  /** Tokens that a server refused this broker with since its last sign-in (XEP-0484). */
  readonly refusedTokens: Set<string>;
  /** The password option, asked for now. @throws BrokerError `USAGE_PASSWORD` if there is none or the function fails */
  password(): Promise<string>;
  /**
   * Opens the stream: publishes PCJ_STREAMSTART, writes our header and reads the server's.
   * @param attributes further attributes of the header; `to`, `xmlns`, `version` and the stream namespace are there
   * @throws BrokerError `STREAM_*` when the answer is no XMPP stream header
   */
  open(attributes?: Readonly<Record<string, string>>): Promise<StreamHeader>;
  /** Opens the stream anew on the same connection, with a new parser (RFC 6120 §4.3.3). @throws BrokerError as `open` */
  restart(attributes?: Readonly<Record<string, string>>): Promise<StreamHeader>;
  /**
   * Reads the next element. With `match`, others are set aside for the router, in order.
   * @throws BrokerError `STREAM_ERROR` when the server reports one, `STREAM_EARLY_STANZA` for a stanza before
   * PCJ_AUTHSUCCESS that nothing matched, and when the stream ends or the phase's time is over
   */
  next(match?: (element: Element) => boolean): Promise<Element>;
  /** Writes an element and publishes PCJ_NODESENT. With `secret`, events and logs show it without its content. */
  send(element: Element, options?: { secret?: boolean | undefined }): void;
  /**
   * Sends a request, publishes PCJ_RTS_START and reads its answer: what `isAnswer` takes, or without it the result or
   * error of an iq. @throws BrokerError as `next` does
   */
  request(element: Element, isAnswer?: (element: Element) => boolean): Promise<Element>;
  /** Reports a step. The last one decides which PCJ_*FAIL a failure becomes. */
  publish<N extends NegotiationEvent>(
    event: N,
    ...payload: StatusEvents[N] extends undefined ? [] : [StatusEvents[N]]
  ): void;
  /**
   * Does the TLS handshake on the running connection, after the server agreed to it. Publishes PCJ_SSLSUCCESS.
   * @throws BrokerError `TLS_*`
   */
  startTls(): Promise<TlsFacts>;
}

/** The outcome of a negotiation. */
export interface Established {
  /** Our own address as the server gave it. */
  readonly jid: JID;
  /** Id of the stream. */
  readonly sid: string;
  /** Whether an earlier session goes on (XEP-0198). Default false. */
  readonly resumed?: boolean | undefined;
  /** Stream management that is on. When `resumed`, it is the one that {@link Negotiation.resumable} gave. */
  readonly management?: ManagedSession | null | undefined;
  /** Whether stream management counts the stanzas that were set aside: it was on before them. Default `resumed`. */
  readonly countsDeferred?: boolean | undefined;
  /** Whether stream features may come yet, without a meaning (XEP-0198 §9.2 forbids them there). Default false. */
  readonly lateFeatures?: boolean | undefined;
  /** What the server takes (XEP-0478). */
  readonly limits?: StreamLimits | undefined;
  /** Whether the server wants to know if somebody looks (XEP-0352). Default what it was before. */
  readonly clientStates?: boolean | undefined;
  /** Language of inbound stanzas that name none, from the stream header (RFC 6120 §4.7.4). */
  readonly lang?: string | null | undefined;
}

/** A dialect on a ready link: what it may do besides negotiating. */
export interface DialectLink {
  readonly jid: JID;
  readonly config: DialectConfig;
  publish: Negotiation['publish'];
  /** Writes an element that is not a stanza, in order with the stanzas. */
  send(element: Element): void;
  /** Holds stanzas back, or lets them flow again. */
  hold(held: boolean): void;
}

/**
 * How to speak to one kind of server. A dialect is a stateless object: the state of an attempt lives in local
 * variables of `negotiate`, so one object serves any number of brokers.
 */
export interface Dialect {
  /** Shown in errors and logs. */
  readonly name: string;
  /** Content namespace of the stream. */
  readonly xmlns: string;
  /** `version` of the stream header; without it the attribute is left out (a stream of before XMPP 1.0). */
  readonly version?: string | undefined;
  /** Port when the options name none and DNS does not tell. */
  readonly defaultPort?: number | undefined;
  /** The same for `tls.policy` `direct`. Default `defaultPort`. */
  readonly directTlsPort?: number | undefined;
  /** Port that servers usually have for it, to be named when another port is the wrong one. Default `defaultPort`. */
  readonly usualPort?: number | undefined;
  /** Whether it can be spoken over WebSocket, which RFC 7395 has for clients. Default false. */
  readonly websocket?: boolean | undefined;
  /** What is asked for when TLS begins at once (ALPN, XEP-0368 §4). Default none. */
  readonly alpn?: string | undefined;
  /** SRV services to look up when no host is given. Without them only addresses are looked up. */
  readonly services?: readonly { readonly srv: string; readonly tls: 'direct' | 'starttls' }[] | undefined;
  /** TLS when the options do not say: `required`, or none on this machine and an error elsewhere. Default `required`. */
  readonly defaultTls?: 'required' | 'loopback' | undefined;
  /** Options it cannot work without. */
  readonly needs?: readonly ('username' | 'password' | 'port' | 'resource')[] | undefined;
  /** Options that do not go with it as it is set up. Default none. */
  readonly excludes?: readonly 'resource'[] | undefined;
  /** TLS policies it knows; others are refused by the options. Default all. */
  readonly tlsPolicies?: readonly DialectConfig['tlsPolicy'][] | undefined;
  /** Whether unanswered iq requests are answered with service-unavailable (RFC 6120 §8.2.3) unless an option says. */
  readonly answersRequests?: boolean | undefined;
  /**
   * What our address is. `account`: that of an account at the server, which answers for it (RFC 6120 §10.3), and whose roster,
   * archive and events `trusted` knows. `domain`: a domain of its own, for which nobody answers but who was asked. Default `account`.
   */
  readonly addressing?: 'account' | 'domain' | undefined;
  /**
   * How a silent link without stream management is probed. `ping`: the server is asked (XEP-0199); no answer ends the link. `space`: white
   * space is sent, which nobody answers: only TCP can tell that the server is gone. A function: its element is sent, as it is,
   * and what comes back with the id, be it an error, is delivered to nobody; no answer ends the link. With null it has no
   * question now, and white space is sent. Default `ping` for an account, else `space`.
   */
  readonly probe?: 'ping' | 'space' | ((id: string, link: DialectLink) => Element | null) | undefined;
  /**
   * Default of `reconnect.firstDelayMs`, in milliseconds: the bound of the first delay before a lost link is dialled again.
   * Default 60 000, the minute that RFC 6120 §3.3 spreads clients over; short where there are few and a server waits for each.
   */
  readonly firstDelayMs?: number | undefined;
  /** Takes over a connected stream; returning relinquishes it. */
  negotiate(session: Negotiation): Promise<Established>;
  /**
   * Checks and completes a stanza when it is output, before it is sent or held. May return a copy.
   * @throws BrokerError `USAGE_*`; the stanza is refused then
   */
  prepare?(stanza: Element, config: Pick<DialectConfig, 'domain' | 'username'>): Element;
  /** Wraps a stanza for the wire. */
  wrap?(stanza: Element, link: DialectLink): Element;
  /** Unwraps an element from the wire; undefined when it is no stanza and was dealt with. */
  unwrap?(element: Element, link: DialectLink): Element | undefined;
}
