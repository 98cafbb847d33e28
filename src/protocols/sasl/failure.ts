// The failures that a server reports: RFC 6120 §6.5, XEP-0388 §2.6.
import type { BrokerError } from '../../errors.js';
import type { Element } from '../../xml/element.js';
import { NS } from '../../xml/namespaces.js';
import { saslError } from './errors.js';
import type { Mechanism } from './mechanism.js';

/** Conditions of RFC 6120 §6.5. */
const CONDITIONS = new Set([
  'aborted',
  'account-disabled',
  'credentials-expired',
  'encryption-required',
  'incorrect-encoding',
  'invalid-authzid',
  'invalid-mechanism',
  'malformed-request',
  'mechanism-too-weak',
  'not-authorized',
  'temporary-auth-failure',
]);

/** SASL2 keeps the conditions of RFC 6120 in their namespace (XEP-0388 §2.6); servers forget to say so. */
const NAMESPACES: ReadonlySet<string | null> = new Set([NS.SASL, NS.SASL2]);

/**
 * The error for a `<failure/>`. What is not known means `not-authorized` (RFC 6120 §6.5).
 * @param detail what the mechanism has learnt of the reason, or null
 */
export function failureOf(
  failure: Element,
  { name, advice }: Pick<Mechanism, 'name' | 'advice'>,
  detail: string | null,
): BrokerError {
  const children = failure.children.filter(({ namespaceURI }) => NAMESPACES.has(namespaceURI));
  const named = children.find((child) => CONDITIONS.has(child.localName));
  const condition = named === undefined ? 'not-authorized' : named.localName;
  const text = children.find((child) => child.localName === 'text');
  const more = detail === null ? '' : ` (${detail})`;
  return saslError(
    'SASL_FAILURE',
    `the server refused the sign-in with ${name}: ${condition}${more}.${advice?.[condition] ?? adviceFor(condition)}`,
    {
      condition,
      text: text?.textContent,
      lang: text?.getAttribute('xml:lang') ?? undefined,
      retryable: condition === 'temporary-auth-failure',
    },
  );
}

function adviceFor(condition: string): string {
  switch (condition) {
    case 'not-authorized':
      return ' Check user name and password.';
    case 'encryption-required':
      return ' The server wants TLS first.';
    case 'mechanism-too-weak':
    case 'invalid-mechanism':
      return ' The server wants another mechanism.';
    case 'temporary-auth-failure':
      return ' It may work later.';
    default:
      return '';
  }
}
