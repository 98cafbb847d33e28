// The server's side of SCRAM: RFC 5802 §5, RFC 7677; signed offers: XEP-0474 §5.
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { prepare } from '../../protocols/sasl/password.js';
import type { ScramHash } from '../accounts.js';
import { checkIdentity, SaslFailure, textOf, type SaslContext, type ServerMechanism } from './mechanism.js';

/** The client's first message: GS2 header, then the part that is signed. */
const CLIENT_FIRST =
  /^(?<header>(?<flag>p=(?<type>[A-Za-z0-9.-]{1,64})|y|n),(?:a=(?<authzid>[^,]{1,3071}))?,)(?<bare>n=(?<name>[^,]{1,3071}),r=(?<nonce>[!-+\--~]{1,1024})(?:,[A-Za-z]=[^,]+)*)$/;
const CLIENT_FINAL =
  /^(?<signed>c=(?<binding>[^,]+),r=(?<nonce>[^,]+)(?:,[A-Za-z]=[^,]+)*),p=(?<proof>[A-Za-z0-9+/]+={0,2})$/;

/** Every SCRAM, best first. */
export const SCRAM: readonly ServerMechanism[] = [
  scram('SCRAM-SHA-512-PLUS', 'sha512', true),
  scram('SCRAM-SHA-256-PLUS', 'sha256', true),
  scram('SCRAM-SHA-1-PLUS', 'sha1', true),
  scram('SCRAM-SHA-512', 'sha512', false),
  scram('SCRAM-SHA-256', 'sha256', false),
  scram('SCRAM-SHA-1', 'sha1', false),
];

/** SCRAM with a hash, with or without channel binding. */
function scram(name: string, hash: ScramHash, plus: boolean): ServerMechanism {
  return {
    name,
    needs: plus ? ['account', 'channel-binding'] : ['account'],
    byDefault: 'always',
    async run(exchange, context) {
      const first = CLIENT_FIRST.exec(textOf(await exchange.initial()))?.groups;
      if (first === undefined) throw new SaslFailure('malformed-request');
      const { header = '', flag = '', bare = '', name: saslname = '', nonce: theirs = '' } = first;
      const bindingData = binding(flag, first.type, plus, context);
      const username = context.accounts.nameOf(prepare(nameIn(saslname), 'user name')) ?? '';
      checkIdentity(first.authzid === undefined ? undefined : nameIn(first.authzid), username, context);

      const verifier = await context.accounts.scram(username, hash);
      const nonce = theirs + randomBytes(18).toString('base64');
      const serverFirst =
        `r=${nonce},s=${verifier.salt.toString('base64')},i=${verifier.iterations}` +
        (context.signOffer ? `,h=${offerHash(hash, context)}` : '');

      const final = CLIENT_FINAL.exec(textOf(await exchange.challenge(Buffer.from(serverFirst))))?.groups;
      if (final === undefined) throw new SaslFailure('malformed-request');
      const { signed = '', proof = '' } = final;
      const expected = Buffer.concat([Buffer.from(header), bindingData]).toString('base64');
      const authMessage = `${bare},${serverFirst},${signed}`;
      const clientSignature = hmac(hash, verifier.storedKey, authMessage);
      const clientKey = xor(Buffer.from(proof, 'base64'), clientSignature);
      const known = clientKey !== null && timingSafeEqual(digest(hash, clientKey), verifier.storedKey);
      if (final.nonce !== nonce || final.binding !== expected || !known || !context.accounts.has(username)) {
        throw new SaslFailure('not-authorized');
      }
      const signature = hmac(hash, verifier.serverKey, authMessage).toString('base64');
      return exchange.finish(username, Buffer.from(`v=${signature}`));
    },
  };
}

/** Checks what the client says about channel binding (RFC 5802 §6), and gives the data it has to sign. */
function binding(flag: string, type: string | undefined, plus: boolean, context: SaslContext): Buffer {
  if (plus !== flag.startsWith('p')) throw new SaslFailure('malformed-request', 'channel binding and mechanism differ');
  if (!plus) {
    // The client believes that this server cannot do it: somebody took -PLUS out of the offer.
    const offered = context.mechanisms.some((name) => name.endsWith('-PLUS'));
    if (flag === 'y' && offered) throw new SaslFailure('not-authorized', 'this server does channel binding');
    return Buffer.alloc(0);
  }
  const data = context.bindings.get(type ?? '');
  if (data === undefined) throw new SaslFailure('not-authorized', 'this type of channel binding is not known here');
  return data;
}

/** Undoes SCRAM's way of writing names (RFC 5802 §5.1 `saslname`). */
function nameIn(text: string): string {
  if (/=(?!2C|3D)/.test(text)) throw new SaslFailure('malformed-request', 'a name is not written as it should be');
  return text.replaceAll('=2C', ',').replaceAll('=3D', '=');
}

/** What was offered, so that a client notices when somebody changed it (XEP-0474 §5.1). */
function offerHash(hash: ScramHash, { mechanisms, bindings, bindingsListed }: SaslContext): string {
  const sorted = (names: Iterable<string>) =>
    [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))).join('\x1e');
  const text = sorted(mechanisms) + (bindingsListed ? `\x1f${sorted(bindings.keys())}` : '');
  return digest(hash, Buffer.from(text)).toString('base64');
}

function xor(a: Buffer, b: Buffer): Buffer | null {
  return a.length === b.length ? Buffer.from(a.map((byte, i) => byte ^ b.readUInt8(i))) : null;
}

function hmac(hash: ScramHash, key: Buffer, text: string): Buffer {
  return createHmac(hash, key).update(text).digest();
}

function digest(hash: ScramHash, data: Buffer): Buffer {
  return createHash(hash).update(data).digest();
}
