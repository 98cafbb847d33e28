// A stanza inside another one: XEP-0297, as XEP-0356 and XEP-0355 use it.
import type { StanzaKind } from '../stanza/kinds.js';
import { xml } from '../xml/builder.js';
import type { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';

/** `<forwarded/>` around a stanza, which has to be in `jabber:client` already. */
export function forwarded(stanza: Element): Element {
  return xml('forwarded', { xmlns: NS.FORWARD }, stanza);
}

/** The one stanza of that kind in a wrapper's `<forwarded/>`, or null. */
export function forwardedIn(wrapper: Element | null, kind: StanzaKind): Element | null {
  const inside = wrapper?.getChild('forwarded', NS.FORWARD)?.children ?? [];
  const [stanza, ...more] = inside.filter(({ namespaceURI }) => namespaceURI === NS.CLIENT);
  return stanza !== undefined && more.length === 0 && stanza.localName === kind ? stanza : null;
}
