// The server's side of PLAIN: RFC 4616.
import { checkIdentity, SaslFailure, textOf, type ServerMechanism } from './mechanism.js';
import { sameText } from './same-text.js';

/** User name and password as they are. */
export const PLAIN: ServerMechanism = {
  name: 'PLAIN',
  needs: ['account'],
  byDefault: 'tls',
  async run(exchange, context) {
    const [authzid, name, password, ...rest] = textOf(await exchange.initial()).split('\0');
    if (authzid === undefined || name === undefined || password === undefined || rest.length > 0) {
      throw new SaslFailure('malformed-request');
    }
    const username = context.accounts.nameOf(name) ?? '';
    const known = context.accounts.password(username);
    if (known === null || !sameText(known, password)) throw new SaslFailure('not-authorized');
    checkIdentity(authzid, username, context);
    return { username, data: null };
  },
};
