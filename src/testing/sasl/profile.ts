// How an exchange looks on the wire, from the server's side. The profile of XMPP: RFC 6120 §6.4.
import { xml } from '../../xml/builder.js';
import type { Element } from '../../xml/element.js';
import { NS } from '../../xml/namespaces.js';
import type { SaslFailure, SaslGrant } from './mechanism.js';

/** A SASL profile: the elements of an exchange, and nothing of when they are sent. */
export interface ServerProfile {
  /** What the element that begins an exchange asks for. `initial` is base64, where `=` stands for none; null without any. */
  begin(element: Element): { readonly mechanism: string; readonly initial: string | null };
  /** `data` is null where the client is to say what it did not say at once. */
  challenge(data: Buffer | null): Element;
  /** What the client says to a challenge, or null when it has no place in an exchange. */
  read(element: Element): { readonly type: 'response'; readonly data: string } | { readonly type: 'abort' } | null;
  success(grant: SaslGrant): Element;
  failure(failure: SaslFailure): Element;
}

/** SASL as in RFC 6120. */
export const SASL: ServerProfile = {
  begin(element) {
    const text = element.textContent;
    return { mechanism: element.getAttribute('mechanism') ?? '', initial: text === '' ? null : text };
  },
  challenge: (data) => xml('challenge', { xmlns: NS.SASL }, data === null ? null : encode(data)),
  read(element) {
    if (element.is('response', NS.SASL)) return { type: 'response', data: element.textContent };
    return element.is('abort', NS.SASL) ? { type: 'abort' } : null;
  },
  success: ({ data }) => xml('success', { xmlns: NS.SASL }, data === null ? null : encode(data)),
  failure: ({ condition, text }) =>
    xml('failure', { xmlns: NS.SASL }, xml(condition), text === undefined ? null : xml('text', {}, text)),
};

function encode(data: Buffer): string {
  return data.length === 0 ? '=' : data.toString('base64');
}
