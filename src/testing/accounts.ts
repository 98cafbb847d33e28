import { createHash, createHmac, pbkdf2, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { usageError } from '../errors.js';
import { JID } from '../jid/jid.js';
import { prepare } from '../protocols/sasl/password.js';

/** Hash of a SCRAM mechanism, as `node:crypto` names it. */
export type ScramHash = 'sha1' | 'sha256' | 'sha512';

/** What a server keeps for SCRAM (RFC 5802 §3). */
export interface ScramVerifier {
  readonly salt: Buffer;
  readonly iterations: number;
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
}

const HASH_LENGTH: Readonly<Record<ScramHash, number>> = { sha1: 20, sha256: 32, sha512: 64 };

const derive = promisify(pbkdf2);

/** What {@link isPassword} wants, in words. */
export const PASSWORD = 'a text that is not empty and that SASLprep (RFC 4013) allows';

export function isPassword(value: unknown): value is string {
  try {
    return typeof value === 'string' && prepare(value, 'password') !== '';
  } catch {
    return false;
  }
}

/** User names and passwords of one kind of users. */
export class Accounts {
  readonly #passwords = new Map<string, string>();
  readonly #verifiers = new Map<string, Promise<ScramVerifier>>();
  /** Makes the salts; those of users that do not exist look like the others. */
  readonly #secret = randomBytes(32);

  /**
   * @param domain names are local parts of it
   * @param iterations SCRAM's iteration count
   */
  constructor(
    readonly domain: string,
    readonly iterations: number,
  ) {}

  /** The name as it is in addresses, or null if it can be in none. */
  nameOf(username: string): string | null {
    try {
      return new JID(username, this.domain).local;
    } catch {
      return null;
    }
  }

  /**
   * Sets a password; `null` removes the user.
   * @returns the name as it is in addresses
   * @throws BrokerError `USAGE_JID` for a name that can be in no address, `USAGE_LOOPBACK` for a password that no
   * mechanism can take
   */
  set(username: string, password: string | null): string {
    const { local } = new JID(username, this.domain);
    if (local === null) throw usageError('USAGE_LOOPBACK', 'an account has a name, which is a text that is not empty');
    if (password !== null && !isPassword(password)) {
      throw usageError('USAGE_LOOPBACK', `a password has to be ${PASSWORD}`);
    }
    this.#verifiers.clear();
    if (password === null) this.#passwords.delete(local);
    else this.#passwords.set(local, password);
    return local;
  }

  has(name: string): boolean {
    return this.#passwords.has(name);
  }

  password(name: string): string | null {
    return this.#passwords.get(name) ?? null;
  }

  /** What SCRAM needs. A user that does not exist gets one that no password fits. */
  scram(name: string, hash: ScramHash): Promise<ScramVerifier> {
    const password = this.password(name);
    if (password === null) return this.#derive(name, hash, randomBytes(16).toString('base64'));
    const key = `${hash} ${name}`;
    let verifier = this.#verifiers.get(key);
    if (verifier === undefined) {
      verifier = this.#derive(name, hash, prepare(password, 'password'));
      this.#verifiers.set(key, verifier);
    }
    return verifier;
  }

  async #derive(name: string, hash: ScramHash, password: string): Promise<ScramVerifier> {
    const { iterations } = this;
    const salt = createHmac('sha256', this.#secret).update(`${hash} ${name}`).digest().subarray(0, 16);
    const salted = await derive(password, salt, iterations, HASH_LENGTH[hash], hash);
    const hmac = (text: string) => createHmac(hash, salted).update(text).digest();
    const storedKey = createHash(hash).update(hmac('Client Key')).digest();
    return { salt, iterations, storedKey, serverKey: hmac('Server Key') };
  }
}
