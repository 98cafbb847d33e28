// What goes wrong between a broker and the workers that handle what it gets.
import { reasonOf } from '../arguments/values.js';
import { BrokerError, printable } from '../errors.js';
import type { Element } from '../xml/element.js';

const layer = 'nats';

/** No worker answered a request in time. */
export function unanswered(iq: Element, withinMs: number): BrokerError {
  const payload = iq.firstElementChild;
  const what =
    payload === null
      ? 'iq'
      : `<${printable(payload.localName, 64)} xmlns='${printable(payload.namespaceURI ?? '', 128)}'>`;
  const who = `${printable(iq.getAttribute('id') ?? '', 64)} of ${printable(iq.getAttribute('from') ?? 'the server', 200)}`;
  const text = `no worker answered the request ${who}, ${what}, within ${withinMs} ms: the broker answered with an error. Start more workers, answer with work.reply(), or raise answerWithinMs`;
  return new BrokerError('WORK_UNANSWERED', text, { layer });
}

/** What a lost link brought was given up. */
export function lost(count: number, most: number): BrokerError {
  const text = `${count} of the stanzas that links brought that are lost now were given up: JetStream did not take them, and no more than ${most} of them are kept (limits.unsettled). What came in a session that can be resumed comes again`;
  return new BrokerError('WORK_LOST', text, { layer });
}

/** It was closed before JetStream had everything. */
export function unstored(count: number): BrokerError {
  const text = `the fan-out is closed, and JetStream does not have ${count} of the stanzas that arrived: with stream management the server is not told that they were handled`;
  return new BrokerError('WORK_LOST', text, { layer });
}

/** A stanza became larger when it was written anew, as CDATA does. */
export function outgrown(bytes: number, most: number, from: string | null): BrokerError {
  const text = `a stanza of ${printable(from ?? 'the server', 200)} has ${bytes} bytes when it is written anew, and NATS takes ${most} with its headers: it was not handed on`;
  return new BrokerError('NATS_TOO_BIG', text, { layer });
}

/** The group is not there. */
export function noGroup(queue: string, group: string, known: readonly string[]): BrokerError {
  const others = known.length === 0 ? 'none yet' : known.map((name) => printable(name, 80)).join(', ');
  const text = `the queue "${printable(queue, 200)}" has no group "${printable(group, 80)}"; there are: ${others}. fanOut() of its broker makes groups; this worker waits for it`;
  return new BrokerError('WORK_NO_GROUP', text, { layer, retryable: true });
}

/** Order is a matter of the group. */
export function notOrdered(group: string): BrokerError {
  const text = `the worker wants its stanzas ordered, and the group "${printable(group, 80)}" is not: say so where it is made, fanOut({ groups: { … : { events, ordered: true } } })`;
  return new BrokerError('NATS_SETUP', text, { layer });
}

/** A handler failed for the last time. */
export function gaveUp(cause: unknown, tries: number): BrokerError {
  const text = `a stanza failed ${tries} times in its handler, the last time with: ${reasonOf(cause)}`;
  return new BrokerError('WORK_FAILED', text, { layer, cause });
}

/** Whoever had it went away, again and again. */
export function abandoned(tries: number): BrokerError {
  const text = `a stanza was handed to workers ${tries} times, and none of them said what became of it: they ended, or were stuck, while they had it`;
  return new BrokerError('WORK_ABANDONED', text, { layer });
}

/** What is in the stream is no stanza. */
export function unreadable(cause: unknown): BrokerError {
  const text = `what was handed to workers cannot be read as a stanza: ${reasonOf(cause)}`;
  return new BrokerError('QUEUE_UNREADABLE', text, { layer: 'queue', cause });
}
