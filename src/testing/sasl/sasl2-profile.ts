// SASL2 on the wire, from the server's side: XEP-0388.
import { xml } from '../../xml/builder.js';
import type { Element } from '../../xml/element.js';
import { NS } from '../../xml/namespaces.js';
import type { SaslGrant } from './mechanism.js';
import type { ServerProfile } from './profile.js';

/** SASL2. `complete` does what was asked for with the sign-in, and gives what success tells of it. */
export function sasl2(complete: (grant: SaslGrant) => readonly Element[]): ServerProfile {
  return {
    begin: (element) => ({
      mechanism: element.getAttribute('mechanism') ?? '',
      initial: element.getChildText('initial-response', NS.SASL2),
    }),
    challenge: (data) => xml('challenge', { xmlns: NS.SASL2 }, data?.toString('base64')),
    read(element) {
      if (element.is('response', NS.SASL2)) return { type: 'response', data: element.textContent };
      return element.is('abort', NS.SASL2) ? { type: 'abort' } : null;
    },
    success(grant) {
      const { data } = grant;
      const proof = data === null ? null : xml('additional-data', {}, data.toString('base64'));
      return xml('success', { xmlns: NS.SASL2 }, proof, [...complete(grant)]);
    },
    failure: ({ condition, text }) =>
      xml(
        'failure',
        { xmlns: NS.SASL2 },
        xml(condition, { xmlns: NS.SASL }),
        text === undefined ? null : xml('text', {}, text),
      ),
  };
}
