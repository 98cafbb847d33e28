import { Duplex } from 'node:stream';

/** One end of a byte stream in memory: what is written to it is read at the other end. */
class PairEnd extends Duplex {
  other: PairEnd | null = null;
  /** Told when the other end wants more. */
  #wanted: (() => void) | null = null;

  override _read(): void {
    const wanted = this.#wanted;
    this.#wanted = null;
    wanted?.();
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    const other = this.other;
    if (other === null || other.destroyed || other.readableEnded) done();
    else if (other.push(chunk)) process.nextTick(done);
    else other.#wanted = done;
  }

  override _final(done: () => void): void {
    this.#hangUp();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#hangUp();
    done(error);
  }

  #hangUp(): void {
    const other = this.other;
    if (other !== null && !other.destroyed && !other.readableEnded) other.push(null);
  }
}

/** Two ends of a connection without a socket. */
export function duplexPair(): readonly [Duplex, Duplex] {
  const [one, other] = [new PairEnd(), new PairEnd()];
  one.other = other;
  other.other = one;
  return [one, other];
}
