// What the server itself answers: XEP-0199, XEP-0030, RFC 6121 §2 (an empty roster), RFC 3921 §3.
import type { JID } from '../jid/jid.js';
import { xml } from '../xml/builder.js';
import type { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';
import { reply } from '../stanza/replies.js';

/** What the server has to tell of itself. */
export interface About {
  /** Domains that are reached through it. */
  readonly names: readonly string[];
  /** What it can beside what everybody can. */
  readonly features: readonly string[];
  /** The same of accounts. */
  readonly accountFeatures: readonly string[];
}

const FEATURES = [NS.DISCO_INFO, NS.DISCO_ITEMS, NS.PING, NS.IQ_ROSTER];

/** Answers a request to the server or to an account, or gives null when it is about something unknown. */
export function answerRequest(request: Element, to: JID, { names, features, accountFeatures }: About): Element | null {
  const payload = request.firstElementChild;
  const get = request.getAttribute('type') === 'get';
  if (payload === null) return null;
  if (payload.is('ping', NS.PING) && get) return reply(request);
  if (payload.is('session', NS.SESSION) && !get) return reply(request);
  if (payload.is('query', NS.DISCO_INFO) && get && !payload.hasAttribute('node')) {
    const all = [...FEATURES, ...(to.local === null ? features : accountFeatures)];
    const personal = to.local !== null && accountFeatures.includes(NS.PUBSUB);
    const pep = personal ? xml('identity', { category: 'pubsub', type: 'pep' }) : null;
    return reply(request, xml('query', { xmlns: NS.DISCO_INFO }, identity(to), pep, all.map(feature)));
  }
  if (payload.is('query', NS.DISCO_ITEMS) && get && !payload.hasAttribute('node')) {
    const items = to.local === null ? names.map((jid) => xml('item', { jid })) : [];
    return reply(request, xml('query', { xmlns: NS.DISCO_ITEMS }, items));
  }
  const own = to.local !== null && request.getAttribute('from')?.startsWith(`${to.toString()}/`);
  if (payload.is('query', NS.IQ_ROSTER) && get && own) return reply(request, xml('query', { xmlns: NS.IQ_ROSTER }));
  return null;
}

function identity(to: JID): Element {
  return to.local === null
    ? xml('identity', { category: 'server', type: 'im', name: 'Loopback server' })
    : xml('identity', { category: 'account', type: 'registered' });
}

function feature(name: string): Element {
  return xml('feature', { var: name });
}
