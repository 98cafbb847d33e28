// The server's side of DIGEST-MD5: RFC 2831 §2.1. Historic (RFC 6331), but the jabberd2 router knows nothing else.
import { createHash, randomBytes } from 'node:crypto';
import { checkIdentity, SaslFailure, textOf, type ServerMechanism } from './mechanism.js';
import { sameText } from './same-text.js';

const DIRECTIVE = /[\t\n\r ]*(?<name>[a-z-]+)=(?:"(?<quoted>(?:[^"\\]|\\.)*)"|(?<token>[^",\s]+))[\t\n\r ]*(?:,|$)/gsy;

/** DIGEST-MD5 with `qop=auth`. The `digest-uri` may be any: routers and clients name it differently. */
export const DIGEST_MD5: ServerMechanism = {
  name: 'DIGEST-MD5',
  needs: ['account'],
  byDefault: 'never',
  async run(exchange, context) {
    const nonce = randomBytes(16).toString('base64');
    const { realm } = context;
    const challenge = `realm="${realm}",nonce="${nonce}",qop="auth",charset=utf-8,algorithm=md5-sess`;
    const fields = directives(textOf(await exchange.challenge(Buffer.from(challenge))));

    const cnonce = fields.get('cnonce') ?? '';
    const uri = fields.get('digest-uri') ?? '';
    const wrong =
      fields.get('nonce') !== nonce ||
      fields.get('nc') !== '00000001' ||
      (fields.get('qop') ?? 'auth') !== 'auth' ||
      (fields.get('realm') ?? '') !== realm ||
      cnonce === '' ||
      uri === '';
    if (wrong) throw new SaslFailure('malformed-request');
    const name = fields.get('username') ?? '';
    const username = context.accounts.nameOf(name) ?? '';
    const password = context.accounts.password(username);
    if (password === null) throw new SaslFailure('not-authorized');
    const authzid = fields.get('authzid');
    checkIdentity(authzid, username, context);

    const response = fields.get('response') ?? '';
    for (const user of encodings(`${name}:${realm}:${password}`)) {
      const suffix = authzid === undefined ? '' : `:${authzid}`;
      const session = md5(Buffer.concat([md5(user), Buffer.from(`:${nonce}:${cnonce}${suffix}`)])).toString('hex');
      const answer = (operation: string) =>
        md5(`${session}:${nonce}:00000001:${cnonce}:auth:${md5(`${operation}:${uri}`).toString('hex')}`).toString(
          'hex',
        );
      if (sameText(answer('AUTHENTICATE'), response)) {
        return exchange.finish(username, Buffer.from(`rspauth=${answer('')}`));
      }
    }
    throw new SaslFailure('not-authorized');
  },
};

/** Text that fits into ISO 8859-1 is hashed in it; not every client does so (RFC 2831 §2.1.2.1). */
function encodings(text: string): Buffer[] {
  const utf8 = Buffer.from(text, 'utf8');
  return /^[\0-\xff]*$/.test(text) ? [Buffer.from(text, 'latin1'), utf8] : [utf8];
}

function directives(text: string): Map<string, string> {
  const found = new Map<string, string>();
  let end = 0;
  for (const match of text.matchAll(DIRECTIVE)) {
    const { name = '', quoted, token } = match.groups ?? {};
    if (found.has(name)) throw new SaslFailure('malformed-request');
    found.set(name, quoted?.replace(/\\(.)/gs, '$1') ?? token ?? '');
    end = match.index + match[0].length;
  }
  if (end !== text.length) throw new SaslFailure('malformed-request');
  return found;
}

function md5(data: string | Buffer): Buffer {
  return createHash('md5').update(data).digest();
}
