import { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';
import { unprefixed } from '../xml/qname.js';

/**
 * A copy of a stanza in `jabber:client`, whichever content namespace it was built for (RFC 6120 §4.8.3): the stanza
 * itself, and what in it has the same namespace.
 * @param also a further namespace that becomes `jabber:client`
 */
export function inClientNamespace(stanza: Element, also?: string): Element {
  const copy = stanza.clone();
  const { namespaceURI, inherits } = stanza.qname;
  for (const element of [copy, ...copy.descendants()]) {
    if (!(element instanceof Element)) continue;
    const { qname } = element;
    const alike = qname.namespaceURI === namespaceURI && qname.inherits === inherits;
    if (!alike && (also === undefined || qname.namespaceURI !== also)) continue;
    element.removeAttribute('xmlns');
    element.qname = unprefixed(element.localName, NS.CLIENT);
  }
  return copy;
}
