// Negotiating stream management: XEP-0198 §3 and §5.
import { BrokerError } from '../../errors.js';
import type { Ticket } from '../../queue/ticket.js';
import { redirectTarget } from '../../stream/stream-error.js';
import { xml } from '../../xml/builder.js';
import type { Element } from '../../xml/element.js';
import { NS } from '../../xml/namespaces.js';
import type { Negotiation } from '../dialect.js';
import { ManagedSession, type SessionTerms } from './managed-session.js';

/** Longest id of a session that is kept (XEP-0198 §3). */
const ID_LIMIT = 4_000;

/** Whether the features offer stream management. */
function offersManagement(features: Element): boolean {
  return features.getChild('sm', NS.SM) !== null;
}

function isAnswer({ localName, namespaceURI }: Element, success: 'enabled' | 'resumed'): boolean {
  return namespaceURI === NS.SM && (localName === success || localName === 'failed');
}

/** What asks for stream management. */
export const enabling = (resume: boolean): Element => xml('enable', { xmlns: NS.SM, resume: resume ? 'true' : null });

/**
 * Enables stream management, after binding and where it is offered. A refusal is published, not thrown: the stream
 * works without.
 * @returns the session's state, or null
 */
export async function enable(
  session: Negotiation,
  features: Element,
  jid: string,
  resume: boolean,
): Promise<ManagedSession | null> {
  if (!offersManagement(features)) return null;
  session.send(enabling(resume));
  // A server that counts already may ask, or tell, before it says that it does.
  const answer = await session.next((element) => isAnswer(element, 'enabled'));
  return enabled(session, answer, jid, resume);
}

/** What comes of the answer to {@link enabling}: the session's state, or null; it is published. */
export function enabled(session: Negotiation, answer: Element, jid: string, resume: boolean): ManagedSession | null {
  if (answer.localName !== 'enabled') {
    session.publish('PCJ_SM_FAILED', failure(answer, 'the server did not enable stream management'));
    return null;
  }
  const managed = new ManagedSession(jid, resume ? terms(answer, session) : {});
  const { id, max } = managed;
  session.publish('PCJ_SM_ENABLED', { id, max, resumable: id !== null });
  return managed;
}

/** What `<enabled/>` says of resuming. A place to resume is believed only when the server has proved who it is. */
function terms(enabled: Element, { tls }: Negotiation): SessionTerms {
  const granted = enabled.getAttribute('resume');
  const id = enabled.getAttribute('id') ?? '';
  const max = enabled.getAttribute('max') ?? '';
  const location = enabled.getAttribute('location') ?? '';
  if ((granted !== 'true' && granted !== '1') || id === '' || id.length > ID_LIMIT) return {};
  return {
    id,
    max: /^\d{1,9}$/.test(max) ? Number(max) : null,
    location: tls?.verified === true ? redirectTarget(location) : null,
  };
}

/** What asks for the session of a lost link, when everything that it tells is kept; null when it cannot be resumed. */
export async function resuming(managed: ManagedSession): Promise<Element | null> {
  await managed.allTellable();
  const { id, tellable } = managed;
  return id === null ? null : xml('resume', { xmlns: NS.SM, h: tellable, previd: id });
}

/**
 * Resumes the session of a lost link, in place of binding. What the server has handled becomes `acked`; the rest stays
 * in `managed`, to be sent again.
 * @returns whether the session goes on. If not, `managed` still holds what the server did not acknowledge
 * @throws BrokerError `SM_BAD_RESUMED`, `SM_BAD_H`, `SM_EXPIRED`
 */
export async function resume(session: Negotiation, features: Element, managed: ManagedSession): Promise<boolean> {
  const request = await resuming(managed);
  if (request === null) return false;
  if (!offersManagement(features)) {
    const text = 'the session could not be resumed: the server offers no stream management any more';
    session.publish('PCJ_SM_FAILED', new BrokerError('SM_FAILED', text, { layer: 'sm', origin: 'peer' }));
    return false;
  }
  session.send(request);
  return resumed(session, await answerToResume(session, managed), managed);
}

/**
 * What comes of the answer to {@link resuming}: whether the session goes on. It is published. Without an answer it does not.
 * @throws BrokerError as {@link resume}
 */
export function resumed(session: Negotiation, answer: Element | null, managed: ManagedSession): boolean {
  const { id } = managed;
  if (id !== null && answer?.localName === 'resumed') {
    const acked = takeUp(managed, answer, session.resumable === managed);
    tellAcked(session, managed, acked);
    session.publish('PCJ_SM_RESUMED', { id, replayed: managed.size });
    return true;
  }
  // The count is optional; one that makes no sense proves nothing, and everything is held as a possible duplicate.
  const h = answer?.getAttribute('h') ?? null;
  if (h !== null) tellAcked(session, managed, ackedIfSensible(managed, h));
  session.publish('PCJ_SM_FAILED', failure(answer, 'the session could not be resumed'));
  return false;
}

/**
 * The error of a sign-in that asked for a resumption, too. What speaks of the sign-in leaves the session alone. Where the
 * connection or the stream ends instead, the resumption may be the cause: once that may be chance.
 */
export function behindResuming(error: unknown, managed: ManagedSession): unknown {
  if (!(error instanceof BrokerError) || error.layer === 'usage') return error;
  if (error.layer === 'sasl' && error.code !== 'SASL_TIMEOUT') return error;
  if (managed.lostWhileResuming() > 1) managed.abandon();
  return error.with({ retryable: true });
}

/**
 * Whatever comes in place of an answer, the session is over: a server that ends the stream over a resumption will do it
 * again. Only a connection that is lost without a word may have nothing to do with it, once. What we end ourselves says
 * nothing.
 */
async function answerToResume(session: Negotiation, managed: ManagedSession): Promise<Element> {
  try {
    return await session.next((element) => isAnswer(element, 'resumed'));
  } catch (error) {
    if (!(error instanceof BrokerError) || error.layer === 'usage') throw error;
    if (error.layer !== 'tcp' || managed.lostWhileResuming() > 1) managed.abandon();
    throw error.with({ retryable: true });
  }
}

/** Goes on with the session as the server sees it. One that does not fit is not tried again. */
function takeUp(managed: ManagedSession, resumed: Element, isKept: boolean): Ticket[] {
  try {
    if (resumed.getAttribute('previd') !== managed.id) {
      throw new BrokerError('SM_BAD_RESUMED', 'the server resumed another session than ours', {
        layer: 'sm',
        origin: 'peer',
        sentCondition: 'undefined-condition',
      });
    }
    if (!isKept) {
      const text = 'the session was over here by the time that the server resumed it';
      throw new BrokerError('SM_EXPIRED', text, { layer: 'sm' });
    }
    const acked = managed.onAck(resumed.getAttribute('h'));
    managed.goesOn();
    return acked;
  } catch (error) {
    managed.abandon();
    throw (error as BrokerError).with({ retryable: true });
  }
}

function ackedIfSensible(managed: ManagedSession, h: string | null): Ticket[] {
  try {
    return managed.onAck(h);
  } catch {
    return [];
  }
}

function tellAcked(session: Negotiation, managed: ManagedSession, acked: readonly Ticket[]): void {
  if (acked.length > 0) session.publish('PCJ_SM_ACK', { acked, pending: managed.size });
}

/** Reads `<failed/>`; the condition may be wrapped in another element, as old servers and SASL2 of Prosody do. */
function failure(answer: Element | null, what: string): BrokerError {
  const inner = answer?.firstElementChild ?? null;
  const found = [inner, inner?.firstElementChild ?? null].find((element) => element?.namespaceURI === NS.STANZAS);
  const why = answer === null ? 'the server did not answer' : found?.localName;
  return new BrokerError('SM_FAILED', `${what}${why === undefined ? '' : `: ${why}`}`, {
    layer: 'sm',
    origin: 'peer',
    condition: found?.localName,
  });
}
