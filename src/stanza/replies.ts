// RFC 6120 §8.2.3 (iq semantics), §8.3 (stanza errors).
import { must, oneOf, string } from '../arguments/checks.js';
import { readOptions, type OptionTable } from '../arguments/options.js';
import { isA, kindOf } from '../arguments/values.js';
import { printable, usageError } from '../errors.js';
import { xml, type XmlChild } from '../xml/builder.js';
import { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';
import {
  isStanzaErrorCondition,
  STANZA_ERROR_CONDITIONS,
  STANZA_ERROR_TYPES,
  type StanzaErrorCondition,
  type StanzaErrorType,
} from './conditions.js';
import { isStanzaKind, type StanzaKind } from './kinds.js';

/** What an error reply may say beside its condition. */
export interface ErrorReplyOptions {
  /** Default: the type RFC 6120 §8.3.3 has for the condition. */
  type?: StanzaErrorType | undefined;
  /** For people. Default none. */
  text?: string | undefined;
  /** Language of the text. Default: that of the stream. */
  lang?: string | undefined;
  /** Who found the error, if it is not the one who answers. Default none. */
  by?: string | undefined;
  /** Where else to go: only with `gone` and `redirect`. Default none. */
  address?: string | undefined;
  /** A condition of the application's own namespace. Default none. */
  appCondition?: Element | undefined;
}

const OPTIONS: OptionTable<ErrorReplyOptions> = {
  checks: {
    type: oneOf(...STANZA_ERROR_TYPES),
    text: string,
    lang: string,
    by: string,
    address: string,
    appCondition: must('an Element', (value) => isA(value, Element)),
  },
};

/**
 * The answer to a stanza: `to` and `from` are swapped, the `id` is kept. An iq becomes a `result`, a message keeps its
 * type, a presence has none. The answer to a message of type `groupchat` goes to the room (XEP-0045 §7.4). The stanza
 * itself is not changed.
 * @throws BrokerError `USAGE_REPLY` for what is no stanza, for an error, and for an iq that is not a `get` or `set`
 */
export function reply(node: Element, ...children: XmlChild[]): Element {
  const kind = kindOfStanza(node);
  const type = node.getAttribute('type');
  if (type === 'error' || (kind === 'iq' && type !== 'get' && type !== 'set')) {
    throw usageError('USAGE_REPLY', `there is no reply to ${described(kind, type)}`);
  }
  const answered = answer(node, kind === 'iq' ? 'result' : kind === 'message' ? type : null, children);
  if (kind === 'message' && type === 'groupchat') toTheRoom(answered);
  return answered;
}

/**
 * An error answer to a stanza (RFC 6120 §8.3): `to` and `from` are swapped, the `id` is kept, the type is `error`.
 * The stanza itself is not changed, and nothing of its content is repeated.
 * @throws BrokerError `USAGE_REPLY` for what is no stanza, and for an error or a result: those are never answered (§8.3.1);
 * `USAGE_CONDITION` for an unknown condition or type
 */
export function errorReply(node: Element, condition: StanzaErrorCondition, options: ErrorReplyOptions = {}): Element {
  const kind = kindOfStanza(node);
  const answered = node.getAttribute('type');
  if (answered === 'error' || (kind === 'iq' && answered === 'result')) {
    throw usageError('USAGE_REPLY', `${described(kind, answered)} is never answered with an error`);
  }
  if (!isStanzaErrorCondition(condition)) {
    throw usageError(
      'USAGE_CONDITION',
      `the condition is one of RFC 6120 §8.3.3: ${Object.keys(STANZA_ERROR_CONDITIONS).join(', ')}`,
    );
  }
  const given = readOptions('USAGE_CONDITION', 'errorReply()', options, OPTIONS);
  const { type = STANZA_ERROR_CONDITIONS[condition], text, lang, by, address, appCondition } = given;
  if (address !== undefined && condition !== 'gone' && condition !== 'redirect') {
    throw usageError('USAGE_CONDITION', `an address goes with gone and redirect, not with ${condition}`);
  }
  const error = xml(
    'error',
    { type, by },
    xml(condition, { xmlns: NS.STANZAS }, address),
    text === undefined ? null : xml('text', { xmlns: NS.STANZAS, 'xml:lang': lang }, text),
    appCondition?.clone(),
  );
  return answer(node, 'error', [error]);
}

function kindOfStanza(node: Element): StanzaKind {
  if (!isA(node, Element)) throw usageError('USAGE_REPLY', `only a stanza has a reply, not ${kindOf(node)}`);
  const { localName } = node;
  if (isStanzaKind(localName)) return localName;
  throw usageError('USAGE_REPLY', `only a message, presence or iq has a reply, not <${printable(node.nodeName, 64)}>`);
}

/** What is said in a room is said to all of it: a message of type groupchat to one occupant is refused. */
function toTheRoom(message: Element): void {
  const to = message.getAttribute('to');
  const slash = to?.indexOf('/') ?? -1;
  if (to !== null && slash >= 0) message.setAttribute('to', to.slice(0, slash));
}

function described(kind: string, type: string | null): string {
  return `${kind === 'iq' ? 'an' : 'a'} ${kind} of ${type === null ? 'no type' : `type "${printable(type, 64)}"`}`;
}

function answer(node: Element, type: string | null, children: readonly XmlChild[]): Element {
  const { localName, qname } = node;
  const xmlns = qname.inherits ? null : (qname.namespaceURI ?? '');
  const [to, from, id] = [node.getAttribute('from'), node.getAttribute('to'), node.getAttribute('id')];
  return xml(localName, { xmlns, type, id, from, to }, ...children);
}
