// SCRAM: RFC 5802, with SHA-256 (RFC 7677) and SHA-512, with and without channel binding; downgrade check of XEP-0474.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { notAuthenticated, saslError, unexpected, type Mechanism } from './mechanism.js';
import { offerText, type SaslOffer } from './offer.js';
import { prepare, readPassword, type Password } from './password.js';
import { hmac, ScramKeyCache, type ScramHash } from './scram-keys.js';
import { DEFAULT_ITERATION_LIMITS, readServerFinal, readServerFirst, type IterationLimits } from './scram-message.js';

/**
 * What the client says about channel binding (RFC 5802 §6): it is used; the client could and thinks the server cannot;
 * the client cannot.
 */
export type ScramBinding =
  | { readonly flag: 'p'; readonly type: string; readonly data: Buffer }
  | { readonly flag: 'y' }
  | { readonly flag: 'n' };

export interface ScramSettings {
  readonly hash: ScramHash;
  readonly binding: ScramBinding;
  readonly username: string;
  readonly password: Password;
  /** Whom to act for, when it is not the user (RFC 6120 §6.3.8). */
  readonly authzid?: string;
  /** Names the account in the cache of keys. Default the user name. */
  readonly account?: string;
  readonly iterations?: Partial<IterationLimits>;
  readonly cache?: ScramKeyCache;
  /** What the server offered, to be checked against what it signs (XEP-0474). */
  readonly offer?: SaslOffer;
  /** Whether a server that does not sign its offer is refused. Default false. */
  readonly requireOfferHash?: boolean;
  /** Abandons the exchange while keys are derived. */
  readonly signal?: AbortSignal;
  /** For tests with fixed vectors. Default 24 random bytes in base64. */
  readonly nonce?: string;
}

/** Errors a server-final message may name (RFC 5802 §7). */
const SERVER_ERRORS = new Set([
  'invalid-encoding',
  'extensions-not-supported',
  'invalid-proof',
  'channel-bindings-dont-match',
  'server-does-support-channel-binding',
  'channel-binding-not-supported',
  'unsupported-channel-binding-type',
  'unknown-user',
  'invalid-username-encoding',
  'no-resources',
  'other-error',
]);

const NAMES: Readonly<Record<ScramHash, string>> = {
  sha1: 'SCRAM-SHA-1',
  sha256: 'SCRAM-SHA-256',
  sha512: 'SCRAM-SHA-512',
};

/** Kept for all sign-ins of the process that bring no cache of their own. */
const sharedCache = new ScramKeyCache();

type State =
  | { readonly step: 'new' }
  | { readonly step: 'first'; readonly bare: string; readonly nonce: string }
  | { readonly step: 'computing' }
  | { readonly step: 'final'; readonly signature: Buffer }
  | { readonly step: 'done' };

/** One sign-in with SCRAM. */
export class Scram implements Mechanism {
  readonly name: string;
  readonly #settings: ScramSettings;
  readonly #gs2Header: string;
  #state: State = { step: 'new' };

  /** @throws BrokerError `SASL_PREP` when the user name or `authzid` cannot be prepared */
  constructor(settings: ScramSettings) {
    const { hash, binding, authzid } = settings;
    this.name = NAMES[hash] + (binding.flag === 'p' ? '-PLUS' : '');
    this.#settings = settings;
    const flag = binding.flag === 'p' ? `p=${binding.type}` : binding.flag;
    const identity = authzid === undefined ? '' : `a=${saslname(prepare(authzid, 'authorization identity'))}`;
    this.#gs2Header = `${flag},${identity},`;
  }

  start(): Promise<Buffer> {
    if (this.#state.step !== 'new') return Promise.reject(unexpected(this.name, 'challenge'));
    const { username, nonce = randomBytes(24).toString('base64') } = this.#settings;
    return Promise.resolve().then(() => {
      const bare = `n=${saslname(prepare(username, 'user name'))},r=${nonce}`;
      this.#state = { step: 'first', bare, nonce };
      return Buffer.from(this.#gs2Header + bare);
    });
  }

  async challenge(data: Buffer): Promise<Buffer> {
    const state = this.#state;
    if (state.step === 'first') {
      this.#state = { step: 'computing' };
      const { message, signature } = await this.#prove(data, state.bare, state.nonce);
      this.#state = { step: 'final', signature };
      return message;
    }
    if (state.step === 'final') {
      this.#verify(data, state.signature);
      return Buffer.alloc(0);
    }
    throw unexpected(this.name, 'challenge');
  }

  success(data: Buffer | null): void {
    const state = this.#state;
    if (state.step === 'final') {
      if (data === null || data.length === 0) {
        throw saslError(
          'SCRAM_SERVER_SIGNATURE',
          'The server reported success without its signature: it has not shown that it knows the password.',
        );
      }
      this.#verify(data, state.signature);
      return;
    }
    if (state.step !== 'done') throw notAuthenticated(this.name);
    if (data !== null && data.length > 0) throw unexpected(this.name, 'data');
  }

  /** Makes the client-final message, and the signature that the server has to answer with. */
  async #prove(data: Buffer, bare: string, nonce: string): Promise<{ message: Buffer; signature: Buffer }> {
    const { hash, iterations, username, account = username, cache = sharedCache, signal } = this.#settings;
    const { min, max } = DEFAULT_ITERATION_LIMITS;
    const first = readServerFirst(data, nonce, { min: iterations?.min ?? min, max: iterations?.max ?? max });
    this.#checkOffer(first.offerHash);

    const password = prepare(await readPassword(this.#settings.password), 'password');
    const keys = await cache.keys(account, { hash, salt: first.salt, iterations: first.iterations, password });
    if (signal?.aborted === true) {
      throw saslError('SASL_ABORTED', 'The sign-in was given up.', { origin: 'local', cause: signal.reason });
    }
    const withoutProof = `c=${this.#bindingInput()},r=${first.nonce}`;
    const authMessage = `${bare},${first.text},${withoutProof}`;
    const clientSignature = hmac(hash, keys.storedKey, authMessage);
    const proof = keys.clientKey.map((byte, i) => byte ^ (clientSignature[i] ?? 0));
    return {
      message: Buffer.from(`${withoutProof},p=${Buffer.from(proof).toString('base64')}`),
      signature: hmac(hash, keys.serverKey, authMessage),
    };
  }

  /** The GS2 header exactly as it was sent, and the binding data (RFC 5802 §5.1 `c`). */
  #bindingInput(): string {
    const { binding } = this.#settings;
    const header = Buffer.from(this.#gs2Header);
    return (binding.flag === 'p' ? Buffer.concat([header, binding.data]) : header).toString('base64');
  }

  #checkOffer(offerHash: string | null): void {
    const { hash, offer, requireOfferHash = false } = this.#settings;
    if (offerHash === null) {
      if (!requireOfferHash) return;
      throw saslError(
        'SASL_DOWNGRADE',
        'The server offers channel binding in ways that are not known here and does not sign its offer (XEP-0474): somebody may have changed it.',
      );
    }
    if (offer === undefined) return;
    const expected = createHash(hash).update(offerText(offer)).digest('base64');
    if (offerHash === expected) return;
    throw saslError(
      'SASL_DOWNGRADE',
      'The mechanisms or channel bindings that arrived are not those that the server signs (XEP-0474): somebody changed them on the way.',
    );
  }

  #verify(data: Buffer, expected: Buffer): void {
    const final = readServerFinal(data);
    if ('error' in final) {
      const condition = SERVER_ERRORS.has(final.error) ? final.error : 'other-error';
      throw saslError('SCRAM_SERVER_ERROR', `The server refused the sign-in: ${condition}.`, {
        condition,
        text: final.error,
      });
    }
    const { signature } = final;
    if (signature.length !== expected.length || !timingSafeEqual(signature, expected)) {
      throw saslError(
        'SCRAM_SERVER_SIGNATURE',
        "The server's signature is wrong: it does not know the password, or the messages were changed on the way.",
      );
    }
    this.#state = { step: 'done' };
  }
}

/** A name as SCRAM writes it (RFC 5802 §5.1 `saslname`). */
function saslname(name: string): string {
  return name.replaceAll('=', '=3D').replaceAll(',', '=2C');
}
