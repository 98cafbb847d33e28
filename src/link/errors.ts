// What can be wrong with a ready link.
import { isA, reasonOf } from '../arguments/values.js';
import { BrokerError, type ErrorFacts } from '../errors.js';
import type { Dialect } from '../protocols/dialect.js';
import { streamError } from '../stream/stream-error.js';
import type { Element } from '../xml/element.js';

const PEER = { origin: 'peer', phase: 'ready', retryable: true } as const satisfies Partial<ErrorFacts>;

/** RFC 6120 §4.9. What we write is well-formed: if it arrived as something else, a new link may do better. */
export function streamErrorOf(element: Element): BrokerError {
  const error = streamError(element, { phase: 'ready' });
  return error.condition === 'not-well-formed' ? error.with({ retryable: true }) : error;
}

/** RFC 6120 §4.4: the peer's closing tag came first. */
export function streamClosed(): BrokerError {
  return new BrokerError('STREAM_CLOSED', 'the server closed the stream', { layer: 'stream', ...PEER });
}

/** RFC 6120 §4.4: without closing tags it may have been cut short. */
export function connectionClosed(): BrokerError {
  const text = 'the server closed the connection without closing the stream';
  return new BrokerError('STREAM_CLOSED', text, { layer: 'tcp', ...PEER });
}

/** RFC 6120 §4.4: nobody waits for ever for the peer to close. The patience that is over is ours. */
export function notClosed(limitMs: number, endSent: boolean): BrokerError {
  const why = endSent ? 'the server did not close its side' : 'the server did not take what was to be written before';
  const text = `the stream was not closed within ${String(Math.round(limitMs))} ms, and the connection was dropped: ${why}`;
  return new BrokerError('CLOSE_TIMEOUT', text, { layer: 'stream', phase: 'closing' });
}

/** RFC 6120 §4.3.5: nothing is negotiated again on a stream that is complete. */
export function unexpected(element: Element): BrokerError {
  const text = `the server sent <${element.nodeName}/> after the negotiation was complete; it was ignored`;
  return new BrokerError('STREAM_UNEXPECTED', text, { layer: 'stream', origin: 'peer', phase: 'ready' });
}

/** RFC 6120 §4.6. */
export function noSignOfLife(limitMs: number): BrokerError {
  const text = `the server gave no sign of life for ${String(limitMs)} ms after it was asked (liveness.timeoutMs)`;
  return new BrokerError('LIVENESS_TIMEOUT', text, { layer: 'tcp', ...PEER, sentCondition: 'connection-timeout' });
}

/** XEP-0198 §4: a request for an acknowledgement has to be answered. */
export function notAcknowledged(limitMs: number): BrokerError {
  const text = `the server was asked for an acknowledgement and gave none within ${String(limitMs)} ms (liveness.intervalMs and timeoutMs)`;
  return new BrokerError('SM_NO_ACK', text, { layer: 'sm', ...PEER, sentCondition: 'connection-timeout' });
}

export function slowStanza(limitMs: number): BrokerError {
  const text = `an element was not complete within ${String(limitMs)} ms (timeouts.stanza)`;
  return new BrokerError('LIMIT_STANZA_TIME', text, { layer: 'xml', ...PEER, sentCondition: 'policy-violation' });
}

/** RFC 6120 §13.7.2.3. */
export function certificateExpired(): BrokerError {
  const text = "the server's certificate expired while the stream was open";
  return new BrokerError('TLS_CERT_EXPIRED_LIVE', text, { layer: 'tls', ...PEER, sentCondition: 'reset' });
}

/** A dialect threw, whatever it was. */
export function dialectFailed(error: unknown, { name }: Dialect, at: string): BrokerError {
  if (isA(error, BrokerError)) return error;
  const text = `the dialect ${name} failed ${at}: ${reasonOf(error)}`;
  return new BrokerError('DIALECT_FAILED', text, { layer: 'stream', phase: 'ready', dialect: name, cause: error });
}
