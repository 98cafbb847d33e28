// Binding within the sign-in: Bind 2, XEP-0386.
import type { JID } from '../../jid/jid.js';
import { xml } from '../../xml/builder.js';
import type { Element } from '../../xml/element.js';
import { NS } from '../../xml/namespaces.js';
import type { Negotiation } from '../dialect.js';
import type { ManagedSession } from './managed-session.js';
import { enabled, enabling } from './stream-management.js';

/** What is asked for. */
export interface BindRequest {
  /** The visible part of the resource, which the server makes up. */
  readonly tag: string;
  /** Whether stream management is to be on, and to be resumable; null: off, or not offered here. */
  readonly management: { readonly resume: boolean } | null;
}

/** Names of the features that can be enabled with the binding; null when Bind 2 is not offered. Some come twice. */
export function readBindOffer(inline: Element | null): ReadonlySet<string> | null {
  const offer = inline?.getChild('bind', NS.BIND2) ?? null;
  if (offer === null) return null;
  const features = offer.getChild('inline', NS.BIND2)?.getChildren('feature', NS.BIND2) ?? [];
  return new Set(features.map((feature) => feature.getAttribute('var') ?? ''));
}

/** The request, to stand in `<authenticate/>`. */
export function binding({ tag, management }: BindRequest): Element {
  return xml(
    'bind',
    { xmlns: NS.BIND2 },
    xml('tag', {}, tag),
    management === null ? null : enabling(management.resume),
  );
}

/** What was bound with the sign-in. */
export interface BoundInline {
  readonly jid: JID;
  /** Stream management; null where it was refused, undefined where it is still to be asked for. */
  readonly managed: ManagedSession | null | undefined;
}

/** The server has bound `jid` with the sign-in. Publishes what binding publishes. */
export function bound(session: Negotiation, answer: Element, jid: JID, { management }: BindRequest): BoundInline {
  session.publish('PCJ_BINDNEGOTIATE');
  session.publish('PCJ_BINDSUCCESS', { jid });
  if (management === null) return { jid, managed: undefined };
  const answered = answer.children.find(({ namespaceURI }) => namespaceURI === NS.SM);
  return {
    jid,
    managed: answered === undefined ? null : enabled(session, answered, jid.toString(), management.resume),
  };
}
