// Who may say what of our account: RFC 6121 §2.1.6, XEP-0280 §11, XEP-0313 §7, XEP-0163 §4.3.
import { isA, kindOf, readOptions, shown } from '../arguments/arguments.js';
import { usageError } from '../errors.js';
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
  /** The `queryid` of the request that is under way: one that nobody can guess. */
  readonly queryid: string;
  /** The archive that was asked, a chat room for example. Default our own account. */
  readonly from?: JID | string;
}

/** Which event is meant. */
export interface EventTrust {
  /** Whose event: an account. Default our own. */
  readonly from?: JID | string;
  /** Name of the node. Default any. */
  readonly node?: string;
}

/** The options, checked. */
interface Options {
  readonly from?: JID | undefined;
  readonly queryid?: string | undefined;
  readonly node?: string | undefined;
}

/** What is looked for in a stanza whose sender is right. */
interface Kind {
  /** Names of the options. */
  readonly options: readonly (keyof Options)[];
  find(stanza: Element, options: Options): Element | null;
}

const KINDS: { readonly [Name in keyof TrustKinds]: Kind } = {
  account: { options: [], find: (stanza) => stanza },
  roster: {
    options: [],
    find: (stanza) =>
      stanza.localName === 'iq' && stanza.getAttribute('type') === 'set'
        ? stanza.getChild('query', NS.IQ_ROSTER)
        : null,
  },
  carbons: {
    options: [],
    find: (stanza) => inMessage(stanza, 'received', NS.CARBONS) ?? inMessage(stanza, 'sent', NS.CARBONS),
  },
  mam: {
    options: ['queryid', 'from'],
    find(stanza, { queryid }) {
      const result = inMessage(stanza, 'result', NS.MAM);
      return result?.getAttribute('queryid') === queryid ? result : null;
    },
  },
  pep: {
    options: ['from', 'node'],
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
    const names = Object.keys(KINDS).join(', ');
    throw usageError('USAGE_TRUST', `trusted() knows ${names}, not ${shown(name)}`);
  }
  const kind = KINDS[name as keyof TrustKinds];
  const options = checkedOptions(name, kind, given);
  // What was inside another stanza nobody has stamped, and an error may repeat what it answers.
  if (stanza.parentElement !== null || stanza.getAttribute('type') === 'error') return null;
  const isRight = isFrom(stanza.getAttribute('from'), options.from ?? account, account);
  return isRight ? kind.find(stanza, options) : null;
}

/** @throws BrokerError `USAGE_TRUST` */
function checkedOptions(name: string, kind: Kind, given: unknown): Options {
  const call = `trusted('${name}')`;
  const { from, queryid, node } = readOptions('USAGE_TRUST', call, given, kind.options);
  for (const [option, value] of Object.entries({ queryid, node })) {
    if (value === undefined || (typeof value === 'string' && value !== '')) continue;
    throw usageError(
      'USAGE_TRUST',
      `the option ${option} of ${call} is a string that is not empty, not ${shown(value)}`,
    );
  }
  if (name === 'mam' && queryid === undefined) {
    throw usageError('USAGE_TRUST', `${call} needs { queryid }: the one of the request whose results are awaited`);
  }
  return {
    from: from === undefined || isA(from, JID) ? from : JID.parse(from as string),
    queryid: queryid as string | undefined,
    node: node as string | undefined,
  };
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
