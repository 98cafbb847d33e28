import { XmlDocument, XmlParseError } from 'libxml2-wasm';

/** Any text may be the name of a namespace (Namespaces in XML §2.2), though it should be a URI. */
const OPINION = /is not a valid URI/;

/** Levels below this are warnings. */
const ERROR = 2;

/** Whether libxml2 takes a document. */
export function libxml2Takes(document: Buffer): boolean {
  try {
    XmlDocument.fromBuffer(document).dispose();
    return true;
  } catch (error) {
    if (!(error instanceof XmlParseError)) throw error;
    return error.details.every(({ level, message }) => level < ERROR || OPINION.test(message));
  }
}
