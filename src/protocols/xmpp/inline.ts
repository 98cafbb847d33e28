// Signing in by SASL2, and what is done with it: XEP-0388, XEP-0198 §9, XEP-0386, XEP-0484.
import { BrokerError } from '../../errors.js';
import { JID } from '../../jid/jid.js';
import type { Element } from '../../xml/element.js';
import { NS } from '../../xml/namespaces.js';
import type { Negotiation } from '../dialect.js';
import type { FastSignIn } from '../fast/fast-sign-in.js';
import { binding, bound, readBindOffer, type BindRequest, type BoundInline } from '../features/bind2.js';
import type { ManagedSession } from '../features/managed-session.js';
import { readOwnAddress, warnOfOtherUser } from '../features/own-address.js';
import { behindResuming, resumed, resuming } from '../features/stream-management.js';
import { saslError } from '../sasl/errors.js';
import { authenticate } from '../sasl/negotiate.js';
import { sasl2 } from '../sasl/sasl2-profile.js';
import type { ChosenMechanism, SaslLink } from '../sasl/selection.js';
import { userAgent, type UserAgent } from './user-agent.js';

/** What is wanted with the sign-in. */
export interface InlineWishes {
  readonly userAgent: UserAgent | 'none';
  /** The session of a lost link, to go on with where the server does that with the sign-in; null: none. */
  readonly previous: ManagedSession | null;
  /** Null: binding is left to what follows. */
  readonly bind: BindRequest | null;
  /** Null: nothing is done with tokens. */
  readonly fast: FastSignIn | null;
}

/** What came of it. */
export interface InlineOutcome {
  /** The earlier session, if it goes on: nothing more is to be negotiated, and no features come (XEP-0198 §9.2). */
  readonly resumed: ManagedSession | null;
  /** Whether an earlier session was asked for. */
  readonly tried: boolean;
  readonly bound: BoundInline | null;
}

/**
 * Signs in by SASL2. Behind success nothing is read before all of it has been looked at: what follows belongs to the session
 * that it tells of (XEP-0198 §9).
 * @throws BrokerError as `authenticate` does, `SASL2_BAD_IDENTIFIER`, and of a resumption that went wrong
 */
export async function signInInline(
  session: Negotiation,
  features: Element,
  { chosen, link }: { chosen: ChosenMechanism; link: SaslLink },
  wishes: InlineWishes,
): Promise<InlineOutcome> {
  const offer = features.getChild('authentication', NS.SASL2)?.getChild('inline', NS.SASL2) ?? null;
  const previous = offer?.getChild('sm', NS.SM) == null ? null : wishes.previous;
  const bind = requestFor(readBindOffer(offer), wishes.bind);
  const { fast } = wishes;
  const agent = userAgent(wishes.userAgent, fast?.userAgentId ?? session.userAgentId);
  const profile = sasl2(
    [
      agent,
      previous === null ? null : await resuming(previous),
      bind === null ? null : binding(bind),
      ...(fast?.wishes() ?? []),
    ].filter((element) => element !== null),
  );
  const success = await authenticate(session, profile, chosen, link).catch(async (error: unknown) => {
    const seen = fast === null ? error : await fast.failed(error);
    throw previous === null ? seen : behindResuming(seen, previous);
  });
  const boundAnswer = bind === null ? null : success.getChild('bound', NS.BIND2);
  const resumption = previous === null ? null : managementAnswer(success);
  const jid = addressIn(success, session, {
    previous: resumption?.localName === 'resumed' ? previous : null,
    boundAnswer,
  });
  session.publish('PCJ_AUTHSUCCESS', { mechanism: chosen.mechanism.name, profile: 'sasl2' });
  await fast?.succeeded(success, agent?.getAttribute('id') ?? '');
  const tried = previous !== null;
  if (tried && resumed(session, resumption, previous)) return { resumed: previous, tried, bound: null };
  if (bind === null || boundAnswer === null || jid === null) return { resumed: null, tried, bound: null };
  warnOfOtherUser(session, jid);
  return { resumed: null, tried, bound: bound(session, boundAnswer, jid, bind) };
}

/** What of the wish is offered; null when Bind 2 is not. */
function requestFor(offered: ReadonlySet<string> | null, wish: BindRequest | null): BindRequest | null {
  if (offered === null || wish === null) return null;
  return offered.has(NS.SM) ? wish : { ...wish, management: null };
}

function managementAnswer(success: Element): Element | null {
  return success.children.find(({ namespaceURI }) => namespaceURI === NS.SM) ?? null;
}

/**
 * The address that success names, which has to be ours (XEP-0388 §2.6). Only a resumption may leave it out, since its session
 * has one; then it is null.
 */
function addressIn(
  success: Element,
  { config: { domain } }: Negotiation,
  { previous, boundAnswer }: { previous: ManagedSession | null; boundAnswer: Element | null },
): JID | null {
  const text = success.getChildText('authorization-identifier', NS.SASL2);
  if (text === null && previous !== null) return null;
  const bad = (why: string, cause?: unknown): BrokerError => {
    previous?.abandon();
    return saslError('SASL2_BAD_IDENTIFIER', `the server's <authorization-identifier/> cannot be used: ${why}`, {
      cause,
    });
  };
  if (text === null) throw bad('there is none');
  const jid = readOwnAddress(text, { domain, bound: boundAnswer !== null && previous === null, bad });
  if (previous !== null && !JID.equivalent(jid.bare().toString(), JID.parse(previous.jid).bare().toString())) {
    throw bad('it is not that of the resumed session');
  }
  return jid;
}
