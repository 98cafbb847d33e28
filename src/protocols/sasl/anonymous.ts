// ANONYMOUS: RFC 4505, in XMPP: XEP-0175.
import { notAuthenticated, unexpected, type Mechanism } from './mechanism.js';

/** Signs in without an account; the server makes up an address. No trace information is sent (RFC 4505 §5). */
export class Anonymous implements Mechanism {
  readonly name = 'ANONYMOUS';
  #started = false;

  start(): Promise<Buffer> {
    this.#started = true;
    return Promise.resolve(Buffer.alloc(0));
  }

  challenge(): Promise<Buffer> {
    return Promise.reject(unexpected(this.name, 'challenge'));
  }

  success(data: Buffer | null): void {
    if (!this.#started) throw notAuthenticated(this.name);
    if (data !== null && data.length > 0) throw unexpected(this.name, 'data');
  }
}
