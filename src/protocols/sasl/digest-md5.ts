// DIGEST-MD5: RFC 2831, historic since RFC 6331. Only for servers that have nothing better, such as jabberd2's router.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { readChallenge, readResponseAuth, type DigestChallenge } from './digest-challenge.js';
import { notAuthenticated, saslError, unexpected, type Mechanism } from './mechanism.js';
import { readPassword, type Password } from './password.js';

export interface DigestMd5Settings {
  readonly username: string;
  readonly password: Password;
  readonly authzid?: string;
  /** Domain that was dialled: the host of `digest-uri`, and the realm to prefer when several are offered. */
  readonly host: string;
  /** Service of `digest-uri`. Default `xmpp`. */
  readonly service?: string;
  /** Realm to use. Default the one the server names, `host` when it is among several, otherwise the first. */
  readonly realm?: string;
  /** For tests with fixed vectors. Default 24 random bytes in base64. */
  readonly cnonce?: string;
}

/** The first and only use of a nonce. */
const NONCE_COUNT = '00000001';

type State =
  { readonly step: 'new' | 'started' | 'computing' | 'done' } | { readonly step: 'final'; readonly expected: string };

/** One sign-in with DIGEST-MD5, authentication only (qop `auth`). */
export class DigestMd5 implements Mechanism {
  readonly name = 'DIGEST-MD5';
  readonly #settings: DigestMd5Settings;
  #state: State = { step: 'new' };

  constructor(settings: DigestMd5Settings) {
    this.#settings = settings;
  }

  /** The server begins. */
  start(): Promise<null> {
    this.#state = { step: 'started' };
    return Promise.resolve(null);
  }

  async challenge(data: Buffer): Promise<Buffer> {
    const state = this.#state;
    if (state.step === 'started') {
      this.#state = { step: 'computing' };
      const { message, expected } = await this.#respond(readChallenge(data));
      this.#state = { step: 'final', expected };
      return message;
    }
    if (state.step === 'final') {
      this.#verify(data, state.expected);
      return Buffer.alloc(0);
    }
    throw unexpected(this.name, 'challenge');
  }

  success(data: Buffer | null): void {
    const state = this.#state;
    if (state.step === 'final') {
      if (data === null || data.length === 0) throw notAuthenticated(this.name);
      this.#verify(data, state.expected);
      return;
    }
    if (state.step !== 'done') throw notAuthenticated(this.name);
    if (data !== null && data.length > 0) throw unexpected(this.name, 'data');
  }

  /** The digest-response (RFC 2831 §2.1.2), and what the server has to prove itself with (§2.1.3). */
  async #respond(challenge: DigestChallenge): Promise<{ message: Buffer; expected: string }> {
    const { username, authzid, host, service = 'xmpp', cnonce = randomBytes(24).toString('base64') } = this.#settings;
    const password = await readPassword(this.#settings.password);
    const { utf8, nonce } = challenge;
    const charset = utf8 ? 'utf8' : 'latin1';
    if (!utf8 && !isLatin1(username + password)) {
      throw saslError(
        'SASL_PREP',
        'The user name or password has characters that this server cannot take: it knows ISO 8859-1 only.',
      );
    }
    const realm = this.#chooseRealm(challenge.realms);
    const uri = `${service}/${host}`;

    const secret = md5([stored(username), ':', Buffer.from(realm ?? '', charset), ':', stored(password)]);
    const a1 = [secret, Buffer.from(`:${nonce}:${cnonce}${authzid === undefined ? '' : `:${authzid}`}`, charset)];
    const session = hex(md5(a1));
    const digest = (a2: string) =>
      hex(md5([Buffer.from(`${session}:${nonce}:${NONCE_COUNT}:${cnonce}:auth:${hex(md5([a2]))}`, charset)]));

    const directives = [
      ...(utf8 ? ['charset=utf-8'] : []),
      `username=${quote(username)}`,
      ...(realm === undefined ? [] : [`realm=${quote(realm)}`]),
      `nonce=${quote(nonce)}`,
      `nc=${NONCE_COUNT}`,
      `cnonce=${quote(cnonce)}`,
      `digest-uri=${quote(uri)}`,
      `response=${digest(`AUTHENTICATE:${uri}`)}`,
      'qop=auth',
      ...(authzid === undefined ? [] : [`authzid=${quote(authzid)}`]),
    ];
    return { message: Buffer.from(directives.join(','), charset), expected: digest(`:${uri}`) };
  }

  #chooseRealm(offered: readonly string[]): string | undefined {
    const { realm, host } = this.#settings;
    if (realm !== undefined) return realm;
    return offered.includes(host) ? host : offered[0];
  }

  #verify(data: Buffer, expected: string): void {
    const proof = Buffer.from(readResponseAuth(data));
    const wanted = Buffer.from(expected);
    if (proof.length !== wanted.length || !timingSafeEqual(proof, wanted)) {
      throw saslError('DIGEST_RSPAUTH', "The server's rspauth is wrong: it does not know the password.");
    }
    this.#state = { step: 'done' };
  }
}

/** What the server's database has hashed: ISO 8859-1 where that can hold the text, UTF-8 otherwise (RFC 2831 §2.1.2.1). */
function stored(text: string): Buffer {
  return Buffer.from(text, isLatin1(text) ? 'latin1' : 'utf8');
}

function isLatin1(text: string): boolean {
  return /^[\0-\xff]*$/.test(text);
}

function md5(parts: readonly (string | Buffer)[]): Buffer {
  const hash = createHash('md5');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

function hex(digest: Buffer): string {
  return digest.toString('hex');
}

function quote(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}
