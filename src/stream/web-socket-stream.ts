import { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { BrokerError, printable } from '../errors.js';
import { standalone } from './standalone.js';

/** Bytes that may wait to be written before whoever writes is asked to wait. */
const HIGH_WATER_MARK = 64 * 1024;

/** Messages that may wait to be read before nothing more is read from the connection: each may be large. */
const MESSAGES = 1;

/** The status of a WebSocket that ended without one (RFC 6455 §7.1.5). */
const NO_CLOSE_FRAME = 1006;

/** The status for a kind of data that is not taken (RFC 6455 §7.4.1). */
const UNSUPPORTED_DATA = 1003;

/** What is needed of the socket below. */
type Corkable = Pick<Duplex, 'cork' | 'uncork'>;

/**
 * An open WebSocket as a stream: each write is an element and becomes a text message, each message that arrives is read
 * as one piece. Ending it closes the WebSocket. It never pings, because jabberd2 answers that with rubbish; it answers pings.
 */
export class WebSocketStream extends Duplex {
  readonly #ws: WebSocket;
  readonly #below: Corkable;
  readonly #contentNamespace: string;
  /** Why it ends, when that is not how it should. */
  #failure: BrokerError | null = null;
  #ending = false;
  #over = false;

  /** @param below the connection that the WebSocket is on */
  constructor(ws: WebSocket, below: Corkable, contentNamespace: string) {
    super({
      readableObjectMode: true,
      readableHighWaterMark: MESSAGES,
      writableHighWaterMark: HIGH_WATER_MARK,
      decodeStrings: false,
      emitClose: true,
    });
    this.#ws = ws;
    this.#below = below;
    this.#contentNamespace = contentNamespace;
    ws.on('message', (data: Buffer, isBinary: boolean) => {
      this.#received(data, isBinary);
    });
    ws.on('error', (error) => {
      this.#finish(badFrame(error.message));
    });
    ws.on('close', (code, reason) => {
      this.#finish(code === NO_CLOSE_FRAME ? null : closed(code, reason));
    });
  }

  override _read(): void {
    if (this.#ws.isPaused) this.#ws.resume();
  }

  override _write(text: string, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#send(text, done);
  }

  /** What was written while the last write was under way leaves in one. */
  override _writev(chunks: { chunk: string }[], done: (error?: Error | null) => void): void {
    this.#below.cork();
    chunks.forEach(({ chunk }, index) => {
      this.#send(chunk, index === chunks.length - 1 ? done : undefined);
    });
    this.#below.uncork();
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#ending = true;
    if (this.#ws.readyState === this.#ws.OPEN) this.#ws.close(1000);
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#over = true;
    if (this.#ws.readyState === this.#ws.CLOSED) {
      done(error);
      return;
    }
    this.#ws.once('close', () => {
      done(error);
    });
    this.#ws.terminate();
  }

  #send(text: string, done?: () => void): void {
    this.#ws.send(standalone(text, this.#contentNamespace), (error) => {
      // An error is followed by the end of the WebSocket, which says more.
      if (error == null) done?.();
    });
  }

  #received(data: Buffer, isBinary: boolean): void {
    if (this.#over) return;
    if (isBinary) {
      this.#ws.close(UNSUPPORTED_DATA);
      this.#finish(badFrame('it is binary, where only text may be'));
    } else if (!this.push(data)) {
      this.#ws.pause();
    }
  }

  /** Nothing more comes. What was read before is delivered, then this closes. */
  #finish(failure: BrokerError | null): void {
    if (this.#over) return;
    this.#over = true;
    // What comes behind our own close frame changes nothing; jabberd2 sends rubbish then.
    this.#failure = this.#ending ? null : failure;
    this.push(null);
    this.once('end', () => this.destroy(this.#failure ?? undefined));
  }
}

function badFrame(why: string): BrokerError {
  const size = why.includes('payload size') ? ' (limits.stanzaBytes)' : '';
  return new BrokerError('WS_BAD_FRAME', `a WebSocket frame of the server is refused: ${printable(why, 200)}${size}`, {
    layer: 'websocket',
    origin: 'peer',
    retryable: true,
  });
}

/** The server closed the WebSocket, without having closed the stream. */
function closed(code: number, reason: Buffer): BrokerError {
  const said = printable(reason.toString('utf8'), 123);
  return new BrokerError(
    'WS_CLOSED',
    `the server closed the WebSocket: ${String(code)}${said === '' ? '' : ` ${said}`}`,
    {
      layer: 'tcp',
      origin: 'peer',
      retryable: true,
    },
  );
}
