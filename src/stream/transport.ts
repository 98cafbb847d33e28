import type { Duplex } from 'node:stream';
import { Deferred } from '../deferred.js';
import { BrokerError } from '../errors.js';
import { Tally } from '../stats.js';

/** Who is told what happens on a transport. Every callback may be called again after an upgrade to TLS. */
export interface TransportHandler {
  onData(chunk: Buffer): void;
  /** The socket took what was written. */
  onDrain(): void;
  /** The peer sent its last byte; what we write may still arrive. */
  onEnd(): void;
  /** The socket is closed. Called once; the error is null when both sides ended in order. */
  onClose(error: BrokerError | null): void;
}

/**
 * One byte stream to the server: a TCP socket, TLS over it, or a socket the user brought. It never throws into an
 * event of the socket, and reports its end exactly once.
 */
export class Transport {
  #socket: Duplex;
  readonly #tally: Tally;
  #handler: TransportHandler | null = null;
  #error: BrokerError | null = null;
  #closed = false;
  #ended = false;
  /** For those who wait for the end. */
  #gone: Deferred<void> | null = null;

  /** @param bytes counts what is read and written */
  constructor(socket: Duplex, tally = new Tally()) {
    this.#socket = socket;
    this.#tally = tally;
    this.#attach(socket);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** The socket itself, for the facts it knows (addresses, TLS). */
  get socket(): Duplex {
    return this.#socket;
  }

  /** Starts delivery. What happened before is delivered now. */
  listen(handler: TransportHandler): void {
    this.#handler = handler;
    if (this.#closed) {
      queueMicrotask(() => {
        handler.onClose(this.#error);
      });
    } else {
      this.#socket.resume();
    }
  }

  /** Writes text as UTF-8. Returns false when the socket is congested: wait for `onDrain`. */
  write(text: string, done?: (error?: Error | null) => void): boolean {
    if (this.#closed || !this.#socket.writable) {
      const error =
        this.#error ?? new BrokerError('TCP_CLOSED', 'the connection is closed', { layer: 'tcp', origin: 'os' });
      if (done !== undefined) queueMicrotask(() => done(error));
      return false;
    }
    const bytes = Buffer.byteLength(text);
    this.#tally.bytesOut += bytes;
    // What is ASCII is the same in both, and sockets write Latin-1 in less time.
    return this.#socket.write(text, bytes === text.length ? 'latin1' : 'utf8', done);
  }

  /** Stops reading: the peer is held back by TCP's flow control. */
  pause(): void {
    if (!this.#closed) this.#socket.pause();
  }

  resume(): void {
    if (!this.#closed) this.#socket.resume();
  }

  /** Puts another socket, such as TLS over this one, in place of the one used so far. */
  async replace(upgrade: (socket: Duplex) => Promise<Duplex>): Promise<void> {
    detach(this.#socket);
    const old = this.#socket;
    let failed: BrokerError | null = null;
    const onError = (error: Error) => {
      failed ??= socketError(error);
    };
    old.on('error', onError);
    old.pause();
    try {
      const socket = await upgrade(old);
      this.#socket = socket;
      this.#attach(socket, failed);
    } catch (error) {
      old.destroy();
      this.#finish(failed);
      throw error;
    }
  }

  /** Sends our last byte (FIN, and `close_notify` with TLS); what the peer still sends is delivered. */
  end(): void {
    if (!this.#closed && this.#socket.writable) this.#socket.end();
  }

  /** Closes at once. */
  destroy(): void {
    if (!this.#closed) this.#socket.destroy();
  }

  /** Resolves when the socket is closed; after `limitMs` it is closed by force. */
  closedWithin(limitMs: number): Promise<void> {
    if (this.#closed) return Promise.resolve();
    const timer = setTimeout(() => {
      this.destroy();
    }, limitMs);
    this.#gone ??= new Deferred();
    return this.#gone.promise.finally(() => {
      clearTimeout(timer);
    });
  }

  /** @internal called by the socket's listeners */
  onData(chunk: Buffer): void {
    this.#tally.bytesIn += chunk.length;
    this.#handler?.onData(chunk);
  }

  /** @internal */
  onDrain(): void {
    this.#handler?.onDrain();
  }

  /** @internal */
  onEnd(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#handler?.onEnd();
  }

  /** @internal */
  onError(error: Error): void {
    this.#error ??= socketError(error);
  }

  /** @internal */
  onClose(): void {
    // What was received before a reset may lie in a socket that is paused.
    for (let chunk = unread(this.#socket); chunk !== null; chunk = unread(this.#socket)) this.#handler?.onData(chunk);
    this.onEnd();
    this.#finish(null);
  }

  /** @param failed what happened to the socket below it */
  #attach(socket: Duplex, failed: BrokerError | null = null): void {
    attach(socket, this);
    // Attaching a data listener starts the flow; nothing is read until somebody listens.
    if (this.#handler === null) socket.pause();
    else socket.resume();
    if (socket.destroyed) this.#finish(failed ?? (socket.errored == null ? null : socketError(socket.errored)));
  }

  #finish(error: BrokerError | null): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#error ??= error;
    // A late error of a closed socket has no listener left but this one.
    this.#socket.on('error', () => undefined);
    this.#handler?.onClose(this.#error);
    this.#gone?.resolve();
  }
}

/** Where a socket's listeners find its transport: they are the same functions for all sockets. */
const TRANSPORT = Symbol('transport');

type Attached = Duplex & { [TRANSPORT]?: Transport | undefined };

const LISTENERS = {
  data(this: Attached, chunk: Buffer): void {
    this[TRANSPORT]?.onData(chunk);
  },
  drain(this: Attached): void {
    this[TRANSPORT]?.onDrain();
  },
  end(this: Attached): void {
    this[TRANSPORT]?.onEnd();
  },
  error(this: Attached, error: Error): void {
    this[TRANSPORT]?.onError(error);
  },
  close(this: Attached): void {
    this[TRANSPORT]?.onClose();
  },
};

const EVENTS = Object.entries(LISTENERS);

function attach(socket: Attached, transport: Transport): void {
  socket[TRANSPORT] = transport;
  for (const [event, listener] of EVENTS) socket.on(event, listener);
}

function detach(socket: Attached): void {
  socket[TRANSPORT] = undefined;
  for (const [event, listener] of EVENTS) socket.off(event, listener);
}

function unread(socket: Duplex): Buffer | null {
  return socket.readableLength === 0 ? null : (socket.read() as Buffer | null);
}

/** A system error of a socket as a BrokerError: operation, errno and text stay visible. */
function socketError(error: Error & { code?: string; syscall?: string }): BrokerError {
  if (error instanceof BrokerError) return error;
  const code = error.code ?? 'unknown error';
  const operation = error.syscall ?? 'socket';
  const layer = code.startsWith('ERR_SSL') || code.startsWith('ERR_TLS') ? 'tls' : 'tcp';
  return new BrokerError(
    layer === 'tls' ? 'TLS_PROTOCOL' : code === 'ECONNRESET' || code === 'EPIPE' ? 'TCP_RESET' : 'TCP_FAILED',
    error.message.includes(code)
      ? `the connection failed: ${error.message}`
      : `the connection failed: ${operation} ${code}: ${error.message}`,
    { layer, origin: 'os', retryable: true, cause: error },
  );
}
