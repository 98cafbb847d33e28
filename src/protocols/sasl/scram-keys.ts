// Keys of SCRAM, RFC 5802 §3, derived off the main thread and kept for the next connection (§5.1).
import { createHash, createHmac, pbkdf2, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';

/** Hash of a SCRAM mechanism, as `node:crypto` names it. */
export type ScramHash = 'sha1' | 'sha256' | 'sha512';

/** What an exchange needs of the password. */
export interface ScramKeys {
  readonly clientKey: Buffer;
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
}

/** What the keys depend on. */
export interface KeySource {
  readonly hash: ScramHash;
  readonly salt: Buffer;
  readonly iterations: number;
  /** Prepared by SASLprep. */
  readonly password: string;
}

const derive = promisify(pbkdf2);

/** Length of the hashes in bytes. */
const HASH_LENGTH: Readonly<Record<ScramHash, number>> = { sha1: 20, sha256: 32, sha512: 64 };

/** Runs the key derivation on the thread pool. */
export async function deriveKeys({ hash, salt, iterations, password }: KeySource): Promise<ScramKeys> {
  const salted = await derive(password, salt, iterations, HASH_LENGTH[hash], hash);
  const clientKey = hmac(hash, salted, 'Client Key');
  return {
    clientKey,
    storedKey: createHash(hash).update(clientKey).digest(),
    serverKey: hmac(hash, salted, 'Server Key'),
  };
}

export function hmac(hash: ScramHash, key: Buffer, text: string): Buffer {
  return createHmac(hash, key).update(text).digest();
}

/** Most keys kept. */
export const KEYS_LIMIT = 64;

/**
 * Keys of recent sign-ins, so that reconnecting does not cost a key derivation. Bounded; the least recently used goes
 * first. An entry is found only with the same account, hash, salt, iteration count and password.
 */
export class ScramKeyCache {
  readonly #keys = new Map<string, ScramKeys>();
  /** Makes what stands for a password useless outside of this process. */
  readonly #secret = randomBytes(32);

  get size(): number {
    return this.#keys.size;
  }

  /** The keys, from the cache or derived now. A derivation that fails leaves nothing behind. */
  async keys(account: string, source: KeySource): Promise<ScramKeys> {
    const name = this.#nameOf(account, source);
    const keys = this.#keys.get(name) ?? (await deriveKeys(source));
    this.#keys.delete(name);
    this.#keys.set(name, keys);
    for (const oldest of this.#keys.keys()) {
      if (this.#keys.size <= KEYS_LIMIT) break;
      this.#keys.delete(oldest);
    }
    return keys;
  }

  #nameOf(account: string, { hash, salt, iterations, password }: KeySource): string {
    const parts = JSON.stringify([account, hash, salt.toString('base64'), iterations, password]);
    return createHmac('sha256', this.#secret).update(parts).digest('base64');
  }
}

/** Of every sign-in of the process. */
export const sharedKeys = new ScramKeyCache();
