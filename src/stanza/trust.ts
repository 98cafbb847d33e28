// Who may say what of our account: RFC 6121 §2.1.6, XEP-0280 §11, XEP-0313 §7, XEP-0163 §4.3.
import { text } from '../arguments/checks.js';
import { readOptions, type OptionTable } from '../arguments/options.js';
import { suggestion } from '../arguments/suggestion.js';
import { isA, kindOf, shown } from '../arguments/values.js';
import { usageError } from '../errors.js';
import { address } from '../jid/checks.js';
import { JID } from '../jid/jid.js';
import { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';

/** What `trusted` can be asked for, and the options of each. */
export interface TrustKinds {
  /** Any stanza of our own account. */
  account: [];
  /** A roster push. */
  roster: [];
  /** A copy of a message that another client of the account sent or received. */
  carbons: [];
  /** One result of an archive. */
  mam: [options: ArchiveTrust];
  /** An event of somebody's personal eventing. */
  pep: [options?: EventTrust];
}

/** Which archive result is meant. */
export interface ArchiveTrust {
  /** The `queryid` of the request that is under way: one that nobody can guess. Needed. */
  readonly queryid: string;
  /** The archive that was asked, a chat room for example. Default our own account. */
  readonly from?: JID | string | undefined;
}

/** Which event is meant. */
export interface EventTrust {
  /** Whose event: an account. Default our own. */
  readonly from?: JID | string | undefined;
  /** Name of the node. Default any. */
  readonly node?: string | undefined;
}

/** The options of every kind together. */
type Options = Partial<ArchiveTrust & EventTrust>;

/** What is looked for in a stanza whose sender is right. */
interface Kind {
  readonly options: OptionTable<object>;
  find(stanza: Element, options: Options): Element | null;
}

const NO_OPTIONS: OptionTable<object> = { checks: {} };
const ARCHIVE: OptionTable<ArchiveTrust> = {
  checks: { queryid: text, from: address },
  rule: (_right, given) =>
    given.has('queryid') ? [] : ['queryid is missing: it is that of the request whose results are awaited'],
};
const EVENT: OptionTable<EventTrust> = { checks: { from: address, node: text } };

const KINDS: { readonly [Name in keyof TrustKinds]: Kind } = {
  account: { options: NO_OPTIONS, find: (stanza) => stanza },
  roster: {
    options: NO_OPTIONS,
    find: (stanza) =>
      stanza.localName === 'iq' && stanza.getAttribute('type') === 'set'
        ? stanza.getChild('query', NS.IQ_ROSTER)
        : null,
  },
  carbons: {
    options: NO_OPTIONS,
    find: (stanza) => inMessage(stanza, 'received', NS.CARBONS) ?? inMessage(stanza, 'sent', NS.CARBONS),
  },
  mam: {
    options: ARCHIVE,
    find(stanza, { queryid }) {
      const result = inMessage(stanza, 'result', NS.MAM);
      return result?.getAttribute('queryid') === queryid ? result : null;
    },
  },
  pep: {
    options: EVENT,
    find(stanza, { node }) {
      const event = inMessage(stanza, 'event', NS.PUBSUB_EVENT);
      return node === undefined || event?.firstElementChild?.getAttribute('node') === node ? event : null;
    },
  },
};

/**
 * The part of a stanza that may be believed, or null if it is something else or from somebody else.
 * @param account our own account; null for a component, and before the first link
 * @throws BrokerError `USAGE_TRUST`
 */
export function trustedPart(account: JID | null, stanza: Element, name: unknown, given: unknown): Element | null {
  if (!isA(stanza, Element)) throw usageError('USAGE_TRUST', `trusted() takes an Element, not ${kindOf(stanza)}`);
  if (typeof name !== 'string' || !Object.hasOwn(KINDS, name)) {
    const hint = suggestion(name, Object.keys(KINDS));
    throw usageError('USAGE_TRUST', `trusted(): ${shown(name)} is no kind of trust; ${hint}`);
  }
  const kind = KINDS[name as keyof TrustKinds];
  const call = `trusted('${name}')`;
  const options: Options = readOptions('USAGE_TRUST', call, given === undefined ? {} : given, kind.options);
  // What was inside another stanza nobody has stamped, and an error may repeat what it answers.
  if (stanza.parentElement !== null || stanza.getAttribute('type') === 'error') return null;
  const { from } = options;
  const expected = typeof from === 'string' ? JID.parse(from) : (from ?? account);
  const isRight = isFrom(stanza.getAttribute('from'), expected, account);
  return isRight ? kind.find(stanza, options) : null;
}

/**
 * Whether the sender is the expected one. A stanza without a sender is from our own account (RFC 6120 §8.1.2.1): the
 * server stamps whatever is from others. Equal means equal after preparation, and nothing more lenient: on a server of
 * today `strasse@` is somebody else than `straße@`.
 */
function isFrom(sender: string | null, expected: JID | null, account: JID | null): boolean {
  if (expected === null) return false;
  return sender === null ? expected.equals(account) : expected.equals(sender);
}

function inMessage(stanza: Element, name: string, namespace: string): Element | null {
  return stanza.localName === 'message' ? stanza.getChild(name, namespace) : null;
}
