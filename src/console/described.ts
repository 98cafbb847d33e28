// Stanzas and payloads in words, without what is secret. Whatever comes from others is text, and stays that.
import { isA, isArray, reasonOf } from '../arguments/values.js';
import { BrokerError, printable } from '../errors.js';
import { JID } from '../jid/jid.js';
import { redacted } from '../stanza/redaction.js';
import { isElement, type Element } from '../xml/element.js';
import { serialize } from '../xml/serializer.js';
import { parseInScope } from '../xml/tokenizer/parse.js';

/** Longest stanza that is shown, in UTF-16 code units. */
export const LONGEST = 32_768;
/** Longest line of text. */
const LINE = 240;

/** Most names of what is in a stanza. */
const MOST_NAMES = 8;

/** What is too long for a line. */
const LEFT_OUT: ReadonlySet<string> = new Set(['xml', 'fingerprint256']);

/** A stanza in words. */
export interface Described {
  readonly title: string;
  readonly text: string;
  readonly from: string | null;
  readonly to: string | null;
  readonly xml: string | null;
}

/** A text of others as one short line. */
export function line(text: string): string {
  return printable(text, LINE);
}

/** A stanza, without what is secret in it. */
export function describeStanza(given: Element): Described {
  const stanza = redacted(given);
  const type = stanza.getAttribute('type');
  const from = stanza.getAttribute('from');
  const to = stanza.getAttribute('to');
  return {
    title: line(type === null ? stanza.nodeName : `${stanza.nodeName} ${type}`),
    text: line(contentOf(stanza)),
    from: from === null ? null : line(from),
    to: to === null ? null : line(to),
    xml: xmlOf(stanza),
  };
}

/** A stanza that is only there as text, which may be none. */
export function describeText(xml: string, xmlns: string): Described | null {
  if (xml.length > LONGEST) return null;
  try {
    return describeStanza(parseInScope(xml, xmlns));
  } catch {
    return null;
  }
}

/** Null: it is too long. */
function xmlOf(stanza: Element): string | null {
  try {
    const xml = serialize(stanza);
    return xml.length > LONGEST ? null : xml;
  } catch {
    return null;
  }
}

/** The text of a message, else what is in the stanza. */
function contentOf(stanza: Element): string {
  const body = stanza.localName === 'message' ? stanza.getChildText('body') : null;
  if (body !== null) return body;
  return stanza.children
    .slice(0, MOST_NAMES)
    .map(({ nodeName, namespaceURI }) =>
      namespaceURI === null || namespaceURI === stanza.namespaceURI ? nodeName : `${nodeName} ${namespaceURI}`,
    )
    .join(', ');
}

/** A payload of a status event in one line. */
export function describePayload(payload: unknown): string {
  try {
    return line(inWords(payload));
  } catch {
    return 'it cannot be read';
  }
}

function inWords(payload: unknown): string {
  const plain = plainWords(payload);
  if (plain !== null) return plain;
  return Object.entries(payload as object)
    .filter(([name, value]) => !LEFT_OUT.has(name) && value !== false)
    .map(([name, value]) => (value === true ? name : [name, plainWords(value) || null]))
    .flatMap((words) => (typeof words === 'string' ? words : words.includes(null) ? [] : words.join(' ')))
    .join(', ');
}

/** Null for an object of names and values. What a program threw may be anything: of that only the reason is read. */
function plainWords(payload: unknown): string | null {
  if (payload === undefined || payload === null) return '';
  if (typeof payload === 'string') return payload;
  if (typeof payload === 'number' || typeof payload === 'boolean') return String(payload);
  if (typeof payload !== 'object') return '';
  if (isElement(payload)) return contentOf(redacted(payload)) || payload.nodeName;
  if (isA(payload, BrokerError)) return `${payload.code}: ${payload.message}`;
  if (isA(payload, Error)) return reasonOf(payload);
  if (isA(payload, JID)) return payload.toString();
  return isArray(payload) ? String(payload.length) : null;
}
