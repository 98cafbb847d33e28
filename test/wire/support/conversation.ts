import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { clearTimeout, setImmediate, setTimeout } from 'node:timers'; // the real ones, also under fake timers
import * as tls from 'node:tls';

/** Text to wait for, an expression, or a function that tells how many characters of the text it takes (or false). */
export type Pattern = string | RegExp | ((text: string) => number | false);

export interface ExpectOptions {
  /** Longest wait in milliseconds. Default 5000. */
  readonly timeoutMs?: number;
}

/** One side of a TLS handshake. `cert` and `key` are PEM; see the Node documentation for the rest. */
export type TlsOptions = Pick<
  tls.SecureContextOptions & tls.TLSSocketOptions,
  'cert' | 'key' | 'ca' | 'minVersion' | 'maxVersion' | 'ciphers' | 'ALPNProtocols' | 'requestCert' | 'SNICallback'
>;

const DEFAULT_TIMEOUT_MS = 5000;

/**
 * One connection of a test, driven byte by byte. What comes in is kept until an expectation takes it; everything that
 * went either way is recorded. It never decides anything by itself: it does not answer, close or complain.
 */
export class Conversation {
  /** Resolves when the connection is gone, however it went. */
  readonly closed: Promise<void>;
  /** Resolves when the other side has sent its last byte (FIN), or the connection is gone. */
  readonly ended: Promise<void>;
  /** How many bytes were received, decrypted. */
  receivedBytes = 0;
  /** Why the connection broke, if it did. */
  error: Error | undefined;

  private socket: Socket;
  private readonly raw: Socket;
  /** What nobody has taken yet; joined when it is looked at. */
  private chunks: Buffer[] = [];
  private readonly record: { readonly ours: boolean; bytes: Buffer }[] = [];
  private readonly waiters = new Set<() => void>();
  private atEnd = false;
  private gone = false;
  private handshaking = false;
  private markEnded: () => void = () => undefined;

  constructor(socket: Socket) {
    this.raw = socket.setNoDelay(true);
    this.socket = socket;
    this.ended = new Promise((resolve) => (this.markEnded = resolve));
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.gone = true;
        this.onEnd();
        resolve();
      });
    });
    this.listen(socket);
  }

  /** Connects to a port of this machine, so that a test can also play the client against a real server. */
  static async dial(port: number, host = '127.0.0.1'): Promise<Conversation> {
    const socket = connect({ port, host, allowHalfOpen: true });
    await once(socket, 'connect');
    return new Conversation(socket);
  }

  /** Everything received, decrypted. */
  get received(): Buffer {
    return Buffer.concat(this.record.filter((entry) => !entry.ours).map((entry) => entry.bytes));
  }

  /** Everything sent, before encryption. */
  get sent(): Buffer {
    return Buffer.concat(this.record.filter((entry) => entry.ours).map((entry) => entry.bytes));
  }

  /** What was received and no expectation has taken yet. */
  get unread(): string {
    return this.pending.toString('utf8');
  }

  /** The TLS side of the connection: server name, protocol, certificates, keying material. Null before TLS. */
  get tls(): tls.TLSSocket | null {
    return this.socket instanceof tls.TLSSocket ? this.socket : null;
  }

  /** The connection in lines, `>` received and `<` sent, for messages. */
  get transcript(): string {
    return this.record.map(({ ours, bytes }) => `${ours ? '<' : '>'} ${bytes.toString('utf8')}`).join('\n');
  }

  /**
   * Waits until the pattern is in what was received, and takes everything up to its end. Returns what it took.
   * Rejects, with the conversation so far, when the time is over or the other side ends before.
   */
  async expect(pattern: Pattern, options: ExpectOptions = {}): Promise<string> {
    const end = await this.await(`expected ${describe(pattern)}`, options, () => find(this.pending, pattern));
    return this.take(end);
  }

  /** Like {@link expect}, for an expression whose groups matter. */
  async match(pattern: RegExp, options: ExpectOptions = {}): Promise<RegExpExecArray> {
    const found = await this.await(`expected ${String(pattern)}`, options, () => exec(pattern, this.unread));
    this.take(byteLength(this.unread, found.index + found[0].length));
    return found;
  }

  /** Waits for the other side's end of the connection. Returns what it sent and nobody took. */
  async expectEnd(options: ExpectOptions = {}): Promise<string> {
    await this.await('expected the end of the connection', options, () => (this.atEnd ? true : undefined));
    return this.take(this.pending.length);
  }

  /** Sends text as UTF-8. Resolves when the system has it; a connection that is gone swallows it. */
  async send(text: string): Promise<void> {
    await this.sendBytes(Buffer.from(text, 'utf8'));
  }

  async sendBytes(bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0 || this.gone) return;
    this.record.push({ ours: true, bytes: Buffer.from(bytes) });
    await new Promise<void>((resolve) => {
      this.socket.write(bytes, () => resolve());
    });
  }

  /**
   * Sends text in pieces, each in a write of its own: `sizes` in bytes, the last one repeated. `sendSplit(text, [1])`
   * sends byte by byte.
   */
  async sendSplit(text: string | Uint8Array, sizes: readonly number[]): Promise<void> {
    const bytes = typeof text === 'string' ? Buffer.from(text, 'utf8') : text;
    for (let at = 0, piece = 0; at < bytes.length; piece++) {
      const size = Math.max(1, sizes[Math.min(piece, sizes.length - 1)] ?? 1);
      await this.sendBytes(bytes.subarray(at, at + size));
      await new Promise((resolve) => setImmediate(resolve));
      at += size;
    }
  }

  /** Ends our direction (close_notify and FIN) and goes on reading. */
  end(): void {
    this.socket.end();
  }

  /** Cuts the connection with RST: the other side gets ECONNRESET. */
  reset(): void {
    // TLS does not survive in the middle of a handshake that its socket is taken away below it. Later it must stay: what
    // it says when it is destroyed would be read as an orderly end.
    if (this.handshaking) this.socket.destroy();
    this.raw.resetAndDestroy();
  }

  /** Ends the TCP connection without TLS close_notify: a truncated stream. */
  truncate(): void {
    this.raw.end();
  }

  /** Drops the connection. */
  destroy(): void {
    this.socket.destroy();
    this.raw.destroy();
  }

  /** Stops reading: the other side's writes pile up. */
  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  /**
   * Starts TLS as the server, behind everything read so far. Bytes that arrived and were not taken belong to the
   * handshake. Rejects with the handshake's error.
   */
  async startTls(options: TlsOptions): Promise<tls.TLSSocket> {
    const { requestCert, ALPNProtocols, SNICallback, ...context } = options;
    return this.secure(
      (socket) =>
        new tls.TLSSocket(socket, {
          isServer: true,
          secureContext: tls.createSecureContext(context),
          rejectUnauthorized: false, // tests look at `tls.authorized` themselves
          ...(requestCert === undefined ? {} : { requestCert }),
          ...(ALPNProtocols === undefined ? {} : { ALPNProtocols }),
          ...(SNICallback === undefined ? {} : { SNICallback }),
        }),
      'secure',
    );
  }

  /** Starts TLS as the client. */
  async startTlsAsClient(options: tls.ConnectionOptions): Promise<tls.TLSSocket> {
    return this.secure((socket) => tls.connect({ ...options, socket }), 'secureConnect');
  }

  private async secure(wrap: (socket: Socket) => tls.TLSSocket, event: string): Promise<tls.TLSSocket> {
    const plain = this.socket;
    plain.off('data', this.onData).off('end', this.onEnd).pause();
    if (this.pending.length > 0) plain.unshift(this.pending);
    this.forget(this.pending.length); // it comes again, decrypted
    this.chunks = [];
    const secured = wrap(plain);
    this.socket = secured;
    this.handshaking = true;
    this.listen(secured);
    await new Promise<void>((resolve, reject) => {
      secured.once(event, resolve);
      secured.once('error', reject);
      void this.closed.then(() => reject(this.error ?? new Error('the connection ended in the TLS handshake')));
    });
    // The event comes from within OpenSSL, where a script must not close the socket below.
    await new Promise((resolve) => setImmediate(resolve));
    this.handshaking = false;
    return secured;
  }

  /** Strikes the last received bytes from the record. */
  private forget(bytes: number): void {
    this.receivedBytes -= bytes;
    for (let left = bytes, at = this.record.length - 1; left > 0 && at >= 0; at--) {
      const entry = this.record[at];
      if (entry === undefined || entry.ours) continue;
      const kept = Math.max(0, entry.bytes.length - left);
      left -= entry.bytes.length - kept;
      entry.bytes = entry.bytes.subarray(0, kept);
    }
  }

  private listen(socket: Socket): void {
    socket.on('data', this.onData).on('end', this.onEnd);
    socket.on('error', (error) => {
      this.error ??= error;
    });
  }

  private readonly onData = (bytes: Buffer): void => {
    this.record.push({ ours: false, bytes });
    this.receivedBytes += bytes.length;
    this.chunks.push(bytes);
    this.notify();
  };

  private readonly onEnd = (): void => {
    this.atEnd = true;
    this.markEnded();
    this.notify();
  };

  private notify(): void {
    for (const waiter of this.waiters) waiter();
  }

  /** What is unread, in one piece. */
  private get pending(): Buffer {
    if (this.chunks.length !== 1) this.chunks = [Buffer.concat(this.chunks)];
    return this.chunks[0] ?? Buffer.alloc(0);
  }

  private take(bytes: number): string {
    const text = this.pending.toString('utf8', 0, bytes);
    this.chunks = [this.pending.subarray(bytes)];
    return text;
  }

  private await<T>(wanted: string, options: ExpectOptions, attempt: () => T | undefined): Promise<T> {
    const { timeoutMs = DEFAULT_TIMEOUT_MS } = options;
    return new Promise((resolve, reject) => {
      const settle = (action: () => void) => {
        clearTimeout(timer);
        this.waiters.delete(look);
        action();
      };
      const fail = (why: string) => {
        const unread = this.unread === '' ? '(nothing)' : this.unread;
        const error = new Error(`${wanted}, but ${why}.\nUnread: ${unread}\nSo far:\n${this.transcript}`);
        if (this.error !== undefined) error.cause = this.error;
        settle(() => reject(error));
      };
      const look = () => {
        const value = attempt();
        if (value !== undefined) settle(() => resolve(value));
        else if (this.atEnd) fail(this.gone ? 'the connection is gone' : 'the other side has ended the connection');
      };
      const timer = setTimeout(() => fail(`it did not come within ${timeoutMs} ms`), timeoutMs);
      this.waiters.add(look);
      look();
    });
  }
}

/** After how many bytes the pattern ends. Expressions and functions see the bytes as UTF-8 and want it to be valid. */
function find(bytes: Buffer, pattern: Pattern): number | undefined {
  if (typeof pattern === 'string') {
    const at = bytes.indexOf(pattern);
    return at === -1 ? undefined : at + Buffer.byteLength(pattern);
  }
  const text = bytes.toString('utf8');
  if (typeof pattern === 'function') {
    const end = pattern(text);
    return end === false ? undefined : byteLength(text, end);
  }
  const found = exec(pattern, text);
  return found === undefined ? undefined : byteLength(text, found.index + found[0].length);
}

const byteLength = (text: string, end: number): number => Buffer.byteLength(text.slice(0, end));

/** The first match, whatever the expression's flags and state. */
function exec(pattern: RegExp, text: string): RegExpExecArray | undefined {
  return new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, '')).exec(text) ?? undefined;
}

function describe(pattern: Pattern): string {
  if (typeof pattern === 'function') return `what ${pattern.name || 'a function'} looks for`;
  return typeof pattern === 'string' ? JSON.stringify(pattern) : String(pattern);
}
