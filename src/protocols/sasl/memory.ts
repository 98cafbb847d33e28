// What is remembered of earlier sign-ins, so that nobody can talk us down to PLAIN: XEP-0474 §6.

/** Most accounts remembered. */
export const MEMORY_LIMIT = 10_000;

/**
 * Accounts whose server is known to have something better than PLAIN. Kept in memory, for the life of the process;
 * the least recently seen goes first when it is full.
 */
export class SaslMemory {
  readonly #accounts = new Set<string>();

  /** Notes that an account was offered SCRAM inside verified TLS, or has signed in by SCRAM or EXTERNAL. */
  remember(account: string): void {
    this.#accounts.delete(account);
    this.#accounts.add(account);
    for (const oldest of this.#accounts) {
      if (this.#accounts.size <= MEMORY_LIMIT) break;
      this.#accounts.delete(oldest);
    }
  }

  /** Whether sending the password in clear would be a step down for this account. */
  knows(account: string): boolean {
    return this.#accounts.has(account);
  }
}

/** Of every sign-in of the process, whatever broker does it and over whatever profile. */
export const sharedMemory = new SaslMemory();

/** Accounts that had a token which was bound to the connection or the certificate: none without binding follows on it. */
export const boundTokens = new SaslMemory();
