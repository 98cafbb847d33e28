import { NS } from '../xml/namespaces.js';

/** The names of attributes in a start tag of ours: values are in single quotes and have none inside. */
const ATTRIBUTE = /\s+([^\s=>/]+)='[^']*'/y;

/**
 * An element's text that was written for a stream's content, so that it can stand alone (RFC 7395 §3.3.2): with the
 * content namespace and the prefix `stream` declared where they are needed and are not.
 * @param text what our serializer wrote, one element
 */
export function standalone(text: string, contentNamespace: string): string {
  // What is no element stays what it is.
  if (!/^<[^/?!\s]/.test(text)) return text;
  const end = nameEnd(text);
  const prefixed = text.lastIndexOf(':', end) > 0;
  const usesStream = text.includes('stream:');
  if (!prefixed && !usesStream) {
    // Without a prefix the declaration, where there is one, comes first.
    return text.startsWith(" xmlns='", end)
      ? text
      : `${text.slice(0, end)} xmlns='${contentNamespace}'${text.slice(end)}`;
  }
  const declared = declarations(text, end);
  const content = declared.has('xmlns') ? '' : ` xmlns='${contentNamespace}'`;
  const stream = !usesStream || declared.has('xmlns:stream') ? '' : ` xmlns:stream='${NS.STREAM}'`;
  return text.slice(0, end) + content + stream + text.slice(end);
}

/** Where the name of the first tag ends. */
function nameEnd(text: string): number {
  for (let at = 1; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    // White space, "/" or ">".
    if (unit <= 0x20 || unit === 0x2f || unit === 0x3e) return at;
  }
  return text.length;
}

function declarations(text: string, from: number): Set<string> {
  const names = new Set<string>();
  ATTRIBUTE.lastIndex = from;
  for (let found = ATTRIBUTE.exec(text); found !== null; found = ATTRIBUTE.exec(text)) names.add(found[1] as string);
  return names;
}
