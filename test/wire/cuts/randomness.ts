import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
// Loaded before, it draws its keys and masks as ever: they are not compared, and must not move what is.
import 'ws';

const real = { randomBytes: crypto.randomBytes, randomUUID: crypto.randomUUID };
const { createHash } = crypto;

/**
 * What draws random bytes for what we say, ids and nonces, from a sequence that can be begun again: then what is said can be
 * compared. Each length is a sequence of its own: what is drawn in advance for many does not move the others.
 */
export class Randomness {
  readonly #drawn = new Map<number, number>();

  constructor() {
    Object.assign(crypto, { randomBytes: (size: number) => this.#bytes(size), randomUUID: () => this.#uuid() });
    syncBuiltinESMExports();
  }

  begin(): void {
    this.#drawn.clear();
  }

  restore(): void {
    Object.assign(crypto, real);
    syncBuiltinESMExports();
  }

  #bytes(size: number): Buffer {
    const count = (this.#drawn.get(size) ?? 0) + 1;
    this.#drawn.set(size, count);
    const pieces: Buffer[] = [];
    for (let i = 0; i < size; i += 32) {
      pieces.push(
        createHash('sha256')
          .update(`${String(size)} ${String(count)} ${String(i)}`)
          .digest(),
      );
    }
    return Buffer.concat(pieces).subarray(0, size);
  }

  #uuid(): string {
    const hex = this.#bytes(16).toString('hex');
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`;
  }
}
