// EXTERNAL: RFC 4422 appendix A, with client certificates in XMPP: XEP-0178.
import { notAuthenticated, unexpected, type Mechanism } from './mechanism.js';
import { prepare } from './password.js';

/** Signs in by what lies below, the client certificate of TLS. */
export class External implements Mechanism {
  readonly name = 'EXTERNAL';
  readonly #identity: string;
  #started = false;

  /** @param authzid whom to act for, when the certificate does not say or names several; default empty */
  constructor(authzid = '') {
    this.#identity = authzid === '' ? '' : prepare(authzid, 'authorization identity');
  }

  start(): Promise<Buffer> {
    this.#started = true;
    return Promise.resolve(Buffer.from(this.#identity));
  }

  challenge(): Promise<Buffer> {
    return Promise.reject(unexpected(this.name, 'challenge'));
  }

  success(data: Buffer | null): void {
    if (!this.#started) throw notAuthenticated(this.name);
    if (data !== null && data.length > 0) throw unexpected(this.name, 'data');
  }
}
