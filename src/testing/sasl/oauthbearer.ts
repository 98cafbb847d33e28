// The server's side of OAUTHBEARER: RFC 7628.
import { SaslFailure, textOf, type ServerMechanism } from './mechanism.js';
import { sameText } from './same-text.js';

/** A token, which here is the account's password. */
export const OAUTHBEARER: ServerMechanism = {
  name: 'OAUTHBEARER',
  needs: ['account'],
  byDefault: 'never',
  async run(exchange, { accounts }) {
    const [header = '', ...pairs] = textOf(await exchange.initial()).split('\x01');
    const name = /^n,a=(?<name>[^,@]+)(?:@[^,]*)?,$/.exec(header)?.groups?.name ?? '';
    const token = pairs.find((pair) => pair.startsWith('auth=Bearer '))?.slice('auth=Bearer '.length);
    const username = accounts.nameOf(name) ?? '';
    const known = accounts.password(username);
    if (token !== undefined && known !== null && sameText(known, token)) return { username, data: null };
    // The client hears why, and has to answer once more before it is refused (RFC 7628 §3.2.3).
    await exchange.challenge(Buffer.from('{"status":"invalid_token"}'));
    throw new SaslFailure('not-authorized');
  },
};
