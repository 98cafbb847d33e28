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

// Everything but what is written as it is: characters to escape, and code units that may be forbidden. A class of what
// is fine is searched faster than one of what is not.
const TEXT_SUSPECT = /[^\t\n -%'-;=?-\ud7ff\ue000-\ufffd]/;
const VALUE_SUSPECT = /[^ -%(-;=-\ud7ff\ue000-\ufffd]/;

const FORBIDDEN_SUSPECT = /[^\t\n\r -\ud7ff\ue000-\ufffd]/;

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

/** Whether a value is written as it is. */
export function isPlainValue(value: string): boolean {
  return !VALUE_SUSPECT.test(value);
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
