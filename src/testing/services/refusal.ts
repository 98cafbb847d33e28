import { StanzaError } from '../../stanza/stanza-error.js';
import type { Element } from '../../xml/element.js';

/** Does what a stanza asks for. @returns the answer to a stanza that is refused, or null when there is nothing to answer */
export function refusal(stanza: Element, action: () => void): Element | null {
  try {
    action();
    return null;
  } catch (error) {
    if (!(error instanceof StanzaError)) throw error;
    const type = stanza.getAttribute('type');
    const silent = type === 'error' || (stanza.localName === 'iq' && type === 'result');
    return silent ? null : error.replyTo(stanza);
  }
}
