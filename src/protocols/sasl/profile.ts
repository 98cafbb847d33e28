// How an exchange looks on the wire. The profile of RFC 6120 §6.4; that of XEP-0388 is in sasl2-profile.ts.
import { xml } from '../../xml/builder.js';
import type { Element } from '../../xml/element.js';
import { NS } from '../../xml/namespaces.js';

/** `sasl` is that of RFC 6120, `sasl2` that of XEP-0388. */
export type ProfileName = 'sasl' | 'sasl2';

/** A SASL profile (RFC 4422 §4): the elements of an exchange, and nothing of when they are sent. */
export interface SaslProfile {
  readonly name: ProfileName;
  /** Asks for a mechanism. `initial` is null where the server has the first word; empty is not the same. */
  begin(mechanism: string, initial: Buffer | null): Element;
  response(data: Buffer): Element;
  abort(): Element;
  /** What an element of the server is, or null when it has no place in an exchange. */
  read(element: Element): SaslStep | null;
}

/**
 * A step of the server. `data` is the element whose text is the step's data in base64, where `=` stands for none; null when
 * success comes without.
 */
export type SaslStep =
  | { readonly type: 'challenge'; readonly data: Element }
  | { readonly type: 'success'; readonly data: Element | null }
  | { readonly type: 'failure' }
  /** It is not enough: the server wants one of these tasks done, too (XEP-0388 §2.6). */
  | { readonly type: 'continue'; readonly tasks: readonly string[] };

/** SASL as in RFC 6120. */
export const SASL: SaslProfile = {
  name: 'sasl',
  begin: (mechanism, initial) =>
    xml('auth', { xmlns: NS.SASL, mechanism }, initial === null ? undefined : encode(initial, '=')),
  response: (data) => xml('response', { xmlns: NS.SASL }, encode(data, '')),
  abort: () => xml('abort', { xmlns: NS.SASL }),
  read(element) {
    if (element.namespaceURI !== NS.SASL) return null;
    switch (element.localName) {
      case 'challenge':
        return { type: 'challenge', data: element };
      case 'success':
        return { type: 'success', data: element.firstChild === null ? null : element };
      case 'failure':
        return { type: 'failure' };
      default:
        return null;
    }
  },
};

function encode(data: Buffer, empty: string): string {
  return data.length === 0 ? empty : data.toString('base64');
}
