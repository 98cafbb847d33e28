// The server's side of EXTERNAL: RFC 4422 appendix A, XEP-0178.
import { presentedNames } from '../../tls/certificate.js';
import { SaslFailure, textOf, type SaslContext, type ServerMechanism } from './mechanism.js';

/** Whoever the client's certificate names as `user@domain` (XmppAddr). */
export const EXTERNAL: ServerMechanism = {
  name: 'EXTERNAL',
  needs: ['account', 'certificate'],
  byDefault: 'never',
  async run(exchange, context) {
    const wanted = textOf(await exchange.initial());
    const names = certifiedUsers(context);
    const asked = wanted === '' ? names[0] : names.find((name) => wanted === `${name}@${context.accounts.domain}`);
    if (asked === undefined) throw new SaslFailure(names.length === 0 ? 'not-authorized' : 'invalid-authzid');
    return { username: asked, data: null };
  },
};

function certifiedUsers({ certificate, accounts }: SaslContext): string[] {
  if (certificate === null) return [];
  const suffix = `@${accounts.domain}`;
  return presentedNames(certificate)
    .filter(({ type, value }) => type === 'XMPP' && value.endsWith(suffix))
    .map(({ value }) => value.slice(0, -suffix.length))
    .filter((name) => accounts.has(name));
}
