import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { clearTimeout, setTimeout } from 'node:timers'; // the real ones, also under fake timers
import { Conversation, type ExpectOptions, type TlsOptions } from './conversation.js';

/** What the peer does on one connection. A rejection fails the test that awaits {@link ScriptedPeer.done}. */
export type Script = (conversation: Conversation, index: number) => Promise<void>;

export interface ScriptedPeerOptions {
  /** Direct TLS: the handshake comes first on every connection. An {@link Identity} fits. */
  readonly tls?: TlsOptions | undefined;
  /** Run on every connection. Without it, take connections with {@link ScriptedPeer.accept}. */
  readonly script?: Script | undefined;
  /** Loopback address to listen at. Default `127.0.0.1`. */
  readonly host?: '127.0.0.1' | '::1' | undefined;
}

/**
 * A listener that plays a server byte by byte, for what no real server does. Each connection is a
 * {@link Conversation}: either a script runs on it, or the test takes it with {@link accept}.
 */
export class ScriptedPeer implements AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** Every connection so far, in the order of arrival. */
  readonly conversations: Conversation[] = [];
  /** Handshakes of direct TLS that failed. */
  readonly handshakeErrors: Error[] = [];

  private readonly unclaimed: Conversation[] = [];
  private readonly takers = new Set<(conversation: Conversation) => void>();
  private readonly scripts: Promise<void>[] = [];
  private failure: Error | undefined;
  private closing = false;

  private constructor(
    private readonly server: Server,
    private readonly options: ScriptedPeerOptions,
  ) {
    const { address, port } = server.address() as AddressInfo;
    this.host = address;
    this.port = port;
    server.on('connection', (socket) => {
      this.scripts.push(this.welcome(new Conversation(socket)));
    });
  }

  static async listen(options: ScriptedPeerOptions = {}): Promise<ScriptedPeer> {
    const server = createServer({ allowHalfOpen: true });
    server.listen({ host: options.host ?? '127.0.0.1', port: 0 });
    await once(server, 'listening');
    return new ScriptedPeer(server, options);
  }

  /** The next connection that nobody has taken yet; with direct TLS, after its handshake. */
  accept(options: ExpectOptions = {}): Promise<Conversation> {
    const waiting = this.unclaimed.shift();
    if (waiting !== undefined) return Promise.resolve(waiting);
    const { timeoutMs = 5000 } = options;
    return new Promise((resolve, reject) => {
      const taker = (conversation: Conversation) => {
        clearTimeout(timer);
        resolve(conversation);
      };
      const timer = setTimeout(() => {
        this.takers.delete(taker);
        reject(new Error(`nobody connected within ${timeoutMs} ms`));
      }, timeoutMs);
      this.takers.add(taker);
    });
  }

  /** From now on new connections are refused; open ones stay. */
  refuse(): void {
    this.server.close();
  }

  /** Resolves when every script that was started has ended; rejects with the first failure. */
  async done(): Promise<void> {
    for (let settled = 0; settled < this.scripts.length; settled++) await this.scripts[settled];
    if (this.failure !== undefined) throw this.failure;
  }

  /** Ends everything at once. Rejects if a script had failed before. */
  async close(): Promise<void> {
    this.closing = true;
    this.server.close();
    for (const conversation of this.conversations) conversation.destroy();
    await this.done();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Never rejects: what goes wrong is kept for {@link done}. */
  private async welcome(conversation: Conversation): Promise<void> {
    const index = this.conversations.push(conversation) - 1;
    if (this.options.tls !== undefined) {
      try {
        await conversation.startTls(this.options.tls);
      } catch (error) {
        this.handshakeErrors.push(error as Error);
        conversation.destroy();
        return;
      }
    }
    if (this.options.script === undefined) {
      this.hand(conversation);
      return;
    }
    try {
      await this.options.script(conversation, index);
    } catch (error) {
      if (!this.closing) this.failure ??= error as Error; // closing ends scripts in the middle of what they wait for
      conversation.destroy();
    }
  }

  private hand(conversation: Conversation): void {
    const [taker] = this.takers;
    if (taker === undefined) {
      this.unclaimed.push(conversation);
      return;
    }
    this.takers.delete(taker);
    taker(conversation);
  }
}
