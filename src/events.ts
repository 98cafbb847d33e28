// The status events: a constant each, and one table of what is known of them.
import type { BrokerError } from './errors.js';
import type { JID } from './jid/jid.js';
import type { Ticket } from './queue/ticket.js';
import type { TlsFacts } from './tls/facts.js';
import type { Element } from './xml/element.js';

/** `connect` or `reconnect` was accepted; the state of the last attempt is gone. */
export const PCJ_CONNECT = 'PCJ_CONNECT';
/** Name resolution is over and the first TCP connection is being opened; once an attempt. */
export const PCJ_CONNECTING = 'PCJ_CONNECTING';
/** The attempt failed before, or outside of, TLS, authentication and binding. */
export const PCJ_CONNECTFAIL = 'PCJ_CONNECTFAIL';
/** TCP is up (with direct TLS, too: TLS follows); nothing was written yet. */
export const PCJ_CONNECTED = 'PCJ_CONNECTED';
/** A stream header is about to be written; once for each opening and restart of a stream. */
export const PCJ_STREAMSTART = 'PCJ_STREAMSTART';
/** `<starttls/>` is about to be written, or the TLS handshake of a direct connection is about to start. */
export const PCJ_SSLNEGOTIATE = 'PCJ_SSLNEGOTIATE';
/** The TLS handshake is complete and the certificate was checked as the options ask. */
export const PCJ_SSLSUCCESS = 'PCJ_SSLSUCCESS';
/** TLS could not be had, or the certificate is not the server's. */
export const PCJ_SSLFAIL = 'PCJ_SSLFAIL';
/** The way to authenticate was chosen; its first element is about to be written. */
export const PCJ_AUTHNEGOTIATE = 'PCJ_AUTHNEGOTIATE';
/** The server accepted us, and proved itself where the mechanism can. */
export const PCJ_AUTHSUCCESS = 'PCJ_AUTHSUCCESS';
/**
 * A token for the next sign-in was issued, used, refused or forgotten, or has expired (XEP-0484). One that is refused is
 * followed by another attempt with the password, without PCJ_AUTHFAIL.
 */
export const PCJ_TOKEN = 'PCJ_TOKEN';
/** Authentication failed. */
export const PCJ_AUTHFAIL = 'PCJ_AUTHFAIL';
/** A resource or domain is about to be bound. */
export const PCJ_BINDNEGOTIATE = 'PCJ_BINDNEGOTIATE';
/** The resource or domain is bound. */
export const PCJ_BINDSUCCESS = 'PCJ_BINDSUCCESS';
/** Binding failed for good. */
export const PCJ_BINDFAIL = 'PCJ_BINDFAIL';
/** The old session request (RFC 3921 §3) is about to be sent. */
export const PCJ_SESSIONNEGOTIATE = 'PCJ_SESSIONNEGOTIATE';
/** The session was granted. */
export const PCJ_SESSIONSUCCESS = 'PCJ_SESSIONSUCCESS';
/** The session was refused. */
export const PCJ_SESSIONFAIL = 'PCJ_SESSIONFAIL';
/** Negotiation is complete: `broker.jid` is set and stanzas may be sent. Exactly once an attempt. */
export const PCJ_READY = 'PCJ_READY';
/** An element was handed to the socket. Elements with credentials are shown as a redacted copy. */
export const PCJ_NODESENT = 'PCJ_NODESENT';
/** An element was put into the outbound queue because the broker is not ready. */
export const PCJ_NODEQUEUED = 'PCJ_NODEQUEUED';
/** An inbound element that no pending request took, after every filter saw it. */
export const PCJ_NODERECEIVED = 'PCJ_NODERECEIVED';
/** A request was accepted by `returnToSender` or `request`; before its NODESENT or NODEQUEUED. */
export const PCJ_RTS_START = 'PCJ_RTS_START';
/** The answer of a request arrived and was delivered. */
export const PCJ_RTS_FINISH = 'PCJ_RTS_FINISH';
/** A request ended without an answer: deadline, disconnect, drop, halt. */
export const PCJ_RTS_FAIL = 'PCJ_RTS_FAIL';
/** Our closing stream tag was handed to the socket. */
export const PCJ_STREAMEND = 'PCJ_STREAMEND';
/** Closing has begun; stanzas that still arrive are delivered. */
export const PCJ_SHUTDOWN_START = 'PCJ_SHUTDOWN_START';
/** The socket is closed. */
export const PCJ_SOCKETDISCONNECT = 'PCJ_SOCKETDISCONNECT';
/** A closing that we began is complete; nothing follows. */
export const PCJ_SHUTDOWN_FINISH = 'PCJ_SHUTDOWN_FINISH';
/** The transport failed or ended while the link was in use. */
export const PCJ_SOCKETFAIL = 'PCJ_SOCKETFAIL';
/** A handler of any event threw or rejected; the other handlers were called all the same. */
export const PCJ_HANDLERERROR = 'PCJ_HANDLERERROR';
/** A filter could not be evaluated for a stanza, for example because it exceeded its budget. */
export const PCJ_FILTERERROR = 'PCJ_FILTERERROR';
/** The peer broke the protocol. Fatal errors are followed by PCJ_SOCKETFAIL; others are warnings. */
export const PCJ_PROTOCOLERROR = 'PCJ_PROTOCOLERROR';
/** The outbound queue refused a stanza because it is full. */
export const PCJ_QUEUEFAIL = 'PCJ_QUEUEFAIL';
/** The store of the queue is open, or works again. */
export const PCJ_STOREREADY = 'PCJ_STOREREADY';
/** The store of the queue could not be opened, or stopped working; while that goes on, once a minute. */
export const PCJ_STOREFAIL = 'PCJ_STOREFAIL';
/** Another process has the queue: this one waits for it, and dials nothing. */
export const PCJ_STANDBY = 'PCJ_STANDBY';
/** This process is the holder of a shared queue now; dialling follows. */
export const PCJ_ACTIVE = 'PCJ_ACTIVE';
/** Another process has taken the queue over, or may have. */
export const PCJ_FENCED = 'PCJ_FENCED';
/** Held stanzas were picked to be sent, in a queue with a store. */
export const PCJ_PURGED = 'PCJ_PURGED';
/** A stanza was given up, and will not be sent; with a store the error says where it lies. */
export const PCJ_DEADLETTER = 'PCJ_DEADLETTER';
/** Reading from the server was paused, because too many handlers are not done; or it goes on (`acknowledge: 'settled'`). */
export const PCJ_INTAKE = 'PCJ_INTAKE';
/** Stream management is on (XEP-0198 §3). */
export const PCJ_SM_ENABLED = 'PCJ_SM_ENABLED';
/** The last session was resumed (XEP-0198 §5). */
export const PCJ_SM_RESUMED = 'PCJ_SM_RESUMED';
/** Stream management could not be enabled, or a session could not be resumed; what is unproved is in the queue. */
export const PCJ_SM_FAILED = 'PCJ_SM_FAILED';
/** The server acknowledged stanzas (XEP-0198 §4). */
export const PCJ_SM_ACK = 'PCJ_SM_ACK';
/** A lost link will be dialled again after a delay. */
export const PCJ_RECONNECTING = 'PCJ_RECONNECTING';
/** A domain became reachable or unreachable at the jabberd2 router. */
export const PCJ_DOMAIN = 'PCJ_DOMAIN';
/** A routed packet came back because the router could not deliver it. */
export const PCJ_ROUTEFAIL = 'PCJ_ROUTEFAIL';
/**
 * A packet that is no stanza for us: over the jabberd2 router a broadcast or a copy for the log, from jabberd14 its
 * `<log/>`, `<route/>` or `<xdb/>`.
 */
export const PCJ_ROUTE = 'PCJ_ROUTE';
/** A further name was bound or unbound at the jabberd2 router, or that was refused. */
export const PCJ_NAME = 'PCJ_NAME';
/** Throttling at the jabberd2 router was switched on or off. */
export const PCJ_THROTTLE = 'PCJ_THROTTLE';

/** What is known of a status event. */
interface Row {
  readonly payload: Payload<never>;
  /** It reports a fault: the log has a line of it. */
  readonly fault?: true;
  /** A dialect may report it. The broker publishes the others itself. */
  readonly dialect?: true;
  /** The step of a negotiation that it begins, which decides the event a failure becomes. */
  readonly step?: 'connect' | 'ssl' | 'auth' | 'bind' | 'session';
}

/** How a link ended, or a whole broker. */
export type Closed =
  /** Both sides closed the stream in order, or there was none to close. */
  | { readonly clean: true; readonly error?: undefined }
  /** Why not. */
  | { readonly clean: false; readonly error: BrokerError };

/** The type of a payload; there is nothing of it at run time. */
type Payload<T> = (payload: T) => void;

const nothing = (): void => undefined;

function of<T>(): Payload<T> {
  return nothing;
}

/** Every status event: its payload, and what it means to those that publish it. */
const EVENTS = {
  [PCJ_CONNECT]: { payload: of<undefined>() },
  [PCJ_CONNECTING]: { payload: of<{ host: string; port: number | null }>() },
  [PCJ_CONNECTFAIL]: { payload: of<BrokerError>(), fault: true },
  [PCJ_CONNECTED]: { payload: of<{ host: string; port: number | null }>() },
  [PCJ_STREAMSTART]: { payload: of<Element>() },
  [PCJ_SSLNEGOTIATE]: { payload: of<undefined>(), dialect: true, step: 'ssl' },
  [PCJ_SSLSUCCESS]: { payload: of<TlsFacts>(), step: 'connect' },
  [PCJ_SSLFAIL]: { payload: of<BrokerError>(), fault: true },
  /** `profile`: which one of SASL, when it is SASL. */
  [PCJ_AUTHNEGOTIATE]: {
    payload: of<{ mechanism: string; profile?: 'sasl' | 'sasl2' | undefined }>(),
    dialect: true,
    step: 'auth',
  },
  [PCJ_AUTHSUCCESS]: {
    payload: of<{ mechanism: string; profile?: 'sasl' | 'sasl2' | undefined }>(),
    dialect: true,
    step: 'connect',
  },
  [PCJ_TOKEN]: {
    payload: of<{
      what: 'issued' | 'used' | 'refused' | 'expired' | 'forgotten';
      mechanism: string;
      expiry: string;
    }>(),
    dialect: true,
  },
  [PCJ_AUTHFAIL]: { payload: of<BrokerError>(), fault: true },
  [PCJ_BINDNEGOTIATE]: { payload: of<undefined>(), dialect: true, step: 'bind' },
  [PCJ_BINDSUCCESS]: { payload: of<{ jid: JID }>(), dialect: true, step: 'connect' },
  [PCJ_BINDFAIL]: { payload: of<BrokerError>(), fault: true },
  [PCJ_SESSIONNEGOTIATE]: { payload: of<undefined>(), dialect: true, step: 'session' },
  [PCJ_SESSIONSUCCESS]: { payload: of<undefined>(), dialect: true, step: 'connect' },
  [PCJ_SESSIONFAIL]: { payload: of<BrokerError>(), fault: true },
  [PCJ_READY]: { payload: of<{ jid: JID; resumed: boolean }>() },
  [PCJ_NODESENT]: { payload: of<Element>() },
  [PCJ_NODEQUEUED]: { payload: of<Element>() },
  [PCJ_NODERECEIVED]: { payload: of<Element>() },
  [PCJ_RTS_START]: { payload: of<Element>() },
  [PCJ_RTS_FINISH]: { payload: of<Element>() },
  [PCJ_RTS_FAIL]: { payload: of<BrokerError & { readonly ticket: Ticket }>(), fault: true },
  [PCJ_STREAMEND]: { payload: of<undefined>() },
  [PCJ_SHUTDOWN_START]: { payload: of<undefined>() },
  [PCJ_SOCKETDISCONNECT]: { payload: of<Closed>() },
  [PCJ_SHUTDOWN_FINISH]: { payload: of<undefined>() },
  [PCJ_SOCKETFAIL]: { payload: of<BrokerError>(), fault: true },
  [PCJ_HANDLERERROR]: { payload: of<{ event: string; error: unknown }>(), fault: true },
  [PCJ_FILTERERROR]: {
    payload: of<BrokerError & { readonly event: string; readonly expression: string }>(),
    fault: true,
  },
  [PCJ_PROTOCOLERROR]: { payload: of<BrokerError>(), fault: true, dialect: true },
  [PCJ_QUEUEFAIL]: { payload: of<BrokerError>(), fault: true },
  [PCJ_STOREREADY]: { payload: of<{ queue: string; held: number; possibleDuplicates: number; epoch: number }>() },
  [PCJ_STOREFAIL]: { payload: of<BrokerError>(), fault: true },
  [PCJ_STANDBY]: { payload: of<{ queue: string; holder: string | null }>() },
  /** `after`: nobody had it, it was let go of, or its holder was silent for too long. */
  [PCJ_ACTIVE]: { payload: of<{ queue: string; epoch: number; after: 'free' | 'released' | 'expired' }>() },
  [PCJ_FENCED]: { payload: of<BrokerError>(), fault: true },
  /** `by` is who asked: `program`, `ready`, which is `queue.onReady`, or what another process calls itself. */
  [PCJ_PURGED]: { payload: of<{ queue: string; by: string; count: number }>() },
  [PCJ_DEADLETTER]: { payload: of<{ key: string; xml: string; error: BrokerError }>() },
  [PCJ_INTAKE]: { payload: of<{ paused: boolean; unsettled: number }>() },
  [PCJ_SM_ENABLED]: { payload: of<{ id: string | null; max: number | null; resumable: boolean }>(), dialect: true },
  [PCJ_SM_RESUMED]: { payload: of<{ id: string; replayed: number }>(), dialect: true },
  [PCJ_SM_FAILED]: { payload: of<BrokerError>(), fault: true, dialect: true },
  [PCJ_SM_ACK]: { payload: of<{ acked: readonly Ticket[]; pending: number }>(), dialect: true },
  [PCJ_RECONNECTING]: { payload: of<{ attempt: number; delayMs: number; error: BrokerError }>() },
  [PCJ_DOMAIN]: { payload: of<{ name: string; online: boolean }>(), dialect: true },
  [PCJ_ROUTEFAIL]: { payload: of<{ code: string; route: Element; stanza: Element | null }>(), dialect: true },
  /** `stanza` is in the route, or null when there is none. */
  [PCJ_ROUTE]: { payload: of<{ type: string; route: Element; stanza: Element | null }>(), dialect: true },
  /** With `error`, nothing changed: `bound` is what was wanted. */
  [PCJ_NAME]: { payload: of<{ name: string; bound: boolean; error?: BrokerError }>(), dialect: true },
  /** `inbound`: the router holds what is for us, because we asked. `outbound`: what we send is held here, because it asked. */
  [PCJ_THROTTLE]: { payload: of<{ throttled: boolean; side: 'inbound' | 'outbound' }>(), dialect: true },
} as const satisfies Readonly<Record<string, Row>>;

// The default is what index.ts does not hand on to programs, as it does everything else here.
export default EVENTS;

type Rows = typeof EVENTS;

/** Payload of every status event, by name. */
export type StatusEvents = {
  [Name in keyof Rows]: Rows[Name]['payload'] extends Payload<infer T> ? T : never;
};

/** Name of a status event. */
export type StatusEvent = keyof StatusEvents;

/** How the names of status events begin. Programs have no events of their own that do. */
export type StatusName = `PCJ_${string}`;

/** Status events a dialect reports while it negotiates. The broker publishes the others itself. */
export type NegotiationEvent = {
  [Name in StatusEvent]: Rows[Name] extends { readonly dialect: true } ? Name : never;
}[StatusEvent];
