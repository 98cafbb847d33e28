import { BrokerError, usageError } from '../errors.js';
import { indexOfForbidden } from './characters.js';

// XML 1.0 §2.4, §2.11, §3.3.3: what is not written as it is, or would not be read as it was.
const TEXT_ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '\r': '&#xD;' };
const VALUE_ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  "'": '&apos;',
  '\t': '&#x9;',
  '\n': '&#xA;',
  '\r': '&#xD;',
};

// Everything that needs a look: characters to escape, and code units that may be forbidden.
// eslint-disable-next-line no-control-regex -- control characters are what is searched
const TEXT_SUSPECT = /[\u0000-\u0008\u000b-\u001f&<>\ud800-\udfff\ufffe\uffff]/;
// eslint-disable-next-line no-control-regex -- control characters are what is searched
const VALUE_SUSPECT = /[\u0000-\u001f&<'\ud800-\udfff\ufffe\uffff]/;

// eslint-disable-next-line no-control-regex -- control characters are what is searched
const FORBIDDEN_SUSPECT = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ud800-\udfff\ufffe\uffff]/;

/** Text as it is written between tags. @throws BrokerError `XML_UNSERIALIZABLE` */
export function escapeText(text: string): string {
  if (!TEXT_SUSPECT.test(text)) return text;
  checkCharacters(text);
  return text.replace(/[&<>\r]/g, (char) => TEXT_ESCAPES[char] as string);
}

/** A value as it is written between single quotes. @throws BrokerError `XML_UNSERIALIZABLE` */
export function escapeValue(value: string): string {
  if (!VALUE_SUSPECT.test(value)) return value;
  checkCharacters(value);
  return value.replace(/[&<'\t\n\r]/g, (char) => VALUE_ESCAPES[char] as string);
}

/** Whether a value is written as it is; it is looked through once for both. @throws BrokerError as {@link checkCharacters} */
export function checkedPlainValue(value: string): boolean {
  return checkedPlain(value, VALUE_SUSPECT);
}

/** The same for text. */
export function checkedPlainText(text: string): boolean {
  return checkedPlain(text, TEXT_SUSPECT);
}

function checkedPlain(text: string, suspect: RegExp): boolean {
  if (typeof text === 'string' && !suspect.test(text)) return true;
  checkCharacters(text);
  return false;
}

/** @throws BrokerError `XML_UNSERIALIZABLE` if no XML document can hold the text, `USAGE_XML` if it is none */
export function checkCharacters(text: string): void {
  if (typeof text !== 'string') throw usageError('USAGE_XML', `a text or value must be a string, not ${typeof text}`);
  if (!FORBIDDEN_SUSPECT.test(text)) return;
  const at = indexOfForbidden(text);
  if (at < 0) return;
  const code = text.charCodeAt(at).toString(16).toUpperCase().padStart(4, '0');
  throw new BrokerError(
    'XML_UNSERIALIZABLE',
    `U+${code} at index ${at} of a text or value cannot be written in XML: remove or encode it`,
    { layer: 'xml', offset: at },
  );
}
