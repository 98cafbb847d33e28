import { Duplex } from 'node:stream';

/**
 * A connection that a test holds in its hands: the library's side of a byte stream without a socket. Every chunk that
 * is fed arrives as it is, so a transcript can be cut anywhere, thousands of times a second.
 */
export class MemoryPipe extends Duplex {
  /** Everything that was written into it. */
  sent = '';
  /** Called behind each write. */
  onSent: () => void = () => undefined;
  /** Called when the library has sent its last byte. */
  onFinished: () => void = () => undefined;

  constructor() {
    super({ decodeStrings: false });
    this.on('error', () => undefined);
  }

  /** One chunk for the library to read. */
  feed(bytes: Uint8Array): void {
    if (!this.destroyed && !this.readableEnded) this.push(bytes);
  }

  /** The other side's last byte (FIN). */
  finish(): void {
    if (!this.destroyed && !this.readableEnded) this.push(null);
  }

  /** The connection breaks (RST). */
  reset(): void {
    this.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', syscall: 'read' }));
  }

  override _read(): void {
    // Chunks come by themselves.
  }

  override _write(chunk: string | Buffer, _: string, done: () => void): void {
    this.sent += typeof chunk === 'string' ? chunk : chunk.toString('utf8');
    done();
    this.onSent();
  }

  override _final(done: () => void): void {
    done();
    this.onFinished();
  }
}
