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

/** Payload of every status event, by name. */
export interface StatusEvents {
  PCJ_CONNECT: undefined;
  PCJ_CONNECTING: { host: string; port: number };
  PCJ_CONNECTFAIL: BrokerError;
  PCJ_CONNECTED: { host: string; port: number };
  PCJ_STREAMSTART: Element;
  PCJ_SSLNEGOTIATE: undefined;
  PCJ_SSLSUCCESS: TlsFacts;
  PCJ_SSLFAIL: BrokerError;
  PCJ_AUTHNEGOTIATE: { mechanism: string };
  PCJ_AUTHSUCCESS: { mechanism: string };
  PCJ_AUTHFAIL: BrokerError;
  PCJ_BINDNEGOTIATE: undefined;
  PCJ_BINDSUCCESS: { jid: JID };
  PCJ_BINDFAIL: BrokerError;
  PCJ_SESSIONNEGOTIATE: undefined;
  PCJ_SESSIONSUCCESS: undefined;
  PCJ_SESSIONFAIL: BrokerError;
  PCJ_READY: { jid: JID; resumed: boolean };
  PCJ_NODESENT: Element;
  PCJ_NODEQUEUED: Element;
  PCJ_NODERECEIVED: Element;
  PCJ_RTS_START: Element;
  PCJ_RTS_FINISH: Element;
  PCJ_RTS_FAIL: BrokerError & { readonly ticket: Ticket };
  PCJ_STREAMEND: undefined;
  PCJ_SHUTDOWN_START: undefined;
  PCJ_SOCKETDISCONNECT: { clean: boolean; error?: BrokerError };
  PCJ_SHUTDOWN_FINISH: undefined;
  PCJ_SOCKETFAIL: BrokerError;
  PCJ_HANDLERERROR: { event: string; error: unknown };
  PCJ_FILTERERROR: BrokerError & { readonly event: string; readonly expression: string };
  PCJ_PROTOCOLERROR: BrokerError;
  PCJ_QUEUEFAIL: BrokerError;
  PCJ_SM_ENABLED: { id: string | null; max: number | null; resumable: boolean };
  PCJ_SM_RESUMED: { id: string; replayed: number };
  PCJ_SM_FAILED: BrokerError;
  PCJ_SM_ACK: { acked: readonly Ticket[]; pending: number };
  PCJ_RECONNECTING: { attempt: number; delayMs: number; error: BrokerError };
  PCJ_DOMAIN: { name: string; online: boolean };
  PCJ_ROUTEFAIL: { code: string; route: Element; stanza: Element | null };
  /** `stanza` is in the route, or null when there is none. */
  PCJ_ROUTE: { type: string; route: Element; stanza: Element | null };
  /** With `error`, nothing changed: `bound` is what was wanted. */
  PCJ_NAME: { name: string; bound: boolean; error?: BrokerError };
  /** `inbound`: the router holds what is for us, because we asked. `outbound`: what we send is held here, because it asked. */
  PCJ_THROTTLE: { throttled: boolean; side: 'inbound' | 'outbound' };
}

/** Name of a status event. */
export type StatusEvent = keyof StatusEvents;
