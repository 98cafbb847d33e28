// Opening a WebSocket on a connection that is there: RFC 6455 §4, RFC 7395 §3.1.
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { BrokerError, printable } from '../errors.js';
import { WebSocketStream } from './web-socket-stream.js';

const SUBPROTOCOL = 'xmpp';

/**
 * The package that frames messages; it is loaded when it is needed. It is `typeof import('ws')`, which nothing that is declared
 * may say: a program without that package, or without its types, would not compile.
 */
export interface WebSocketPackage {
  readonly WebSocket: unknown;
  readonly WebSocketServer: unknown;
}

/** What is asked for. */
export interface WebSocketRequest {
  readonly url: URL;
  /** Sent with the request. Their values are secret. */
  readonly headers: Readonly<Record<string, string>>;
  /** Content namespace of the stream. */
  readonly xmlns: string;
  /** Most bytes of a message; `Infinity` for no limit. */
  readonly maxBytes: number;
  /** For the server's answer, in milliseconds. */
  readonly timeoutMs: number;
  /** For the end of the WebSocket, in milliseconds. */
  readonly closeMs: number;
  readonly signal: AbortSignal;
}

/** @throws BrokerError `WS_NOT_INSTALLED` */
export async function loadWebSockets(): Promise<WebSocketPackage> {
  try {
    return await import('ws');
  } catch (cause) {
    const text = 'the option websocket needs the package ws, which cannot be loaded: npm install ws';
    throw new BrokerError('WS_NOT_INSTALLED', text, { layer: 'usage', cause });
  }
}

/**
 * Asks for a WebSocket with the subprotocol `xmpp` on a connection that is open, and inside TLS if it is to be. Nothing is
 * compressed, no redirect is followed, and neither `Origin` nor `User-Agent` is sent.
 * @throws BrokerError `WS_REFUSED`, `WS_SUBPROTOCOL`, `WS_BAD_ACCEPT`, `STREAM_TIMEOUT`, or the signal's reason
 */
export function openWebSocket(
  framing: WebSocketPackage,
  connection: Duplex,
  { url, headers, xmlns, maxBytes, timeoutMs, closeMs, signal }: WebSocketRequest,
): Promise<Duplex> {
  if (connection.readableLength > 0) {
    connection.destroy();
    return Promise.reject(unasked());
  }
  const { WebSocket: Socket } = framing as typeof import('ws');
  return new Promise((resolve, reject) => {
    let answer: IncomingHttpHeaders | null = null;
    const ws = new Socket(url, [SUBPROTOCOL], {
      createConnection: () => connection,
      headers: { ...headers },
      perMessageDeflate: false,
      skipUTF8Validation: false,
      followRedirects: false,
      maxPayload: Number.isFinite(maxBytes) ? maxBytes : 0,
      closeTimeout: closeMs,
    } as ConstructorParameters<typeof WebSocket>[2]);
    // Node's HTTP does not set a connection flowing that was paused.
    connection.resume();
    const settle = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      ws.off('error', onError);
      // A late error has no listener left but this one.
      ws.on('error', () => undefined);
    };
    const fail = (error: BrokerError) => {
      settle();
      reject(error);
      ws.terminate();
      connection.destroy();
    };
    const onError = (error: Error) => {
      fail(answer === null ? brokenOff(error) : unacceptable(answer, error.message));
    };
    const onAbort = () => {
      fail(signal.reason as BrokerError);
    };
    const timer = setTimeout(() => {
      fail(unanswered(timeoutMs));
    }, timeoutMs);
    signal.addEventListener('abort', onAbort);
    ws.on('upgrade', (response) => {
      answer = response.headers;
    });
    ws.on('unexpected-response', (_request, response) => {
      fail(refused(response));
    });
    ws.on('error', onError);
    ws.on('open', () => {
      settle();
      resolve(new WebSocketStream(ws, connection, xmlns));
    });
  });
}

/** Bytes that the HTTP client would not see. */
function unasked(): BrokerError {
  const text = 'the server spoke before it was asked, so it does not speak HTTP; is it the right port?';
  return new BrokerError('WS_REFUSED', text, { layer: 'websocket', origin: 'peer' });
}

/** Statuses after which another try can help (RFC 9110 §15). */
function mayPass(status: number): boolean {
  return status >= 500 || status === 408 || status === 429;
}

function refused({ statusCode = 0, statusMessage = '', headers }: IncomingMessage): BrokerError {
  const type = headers['content-type'];
  const body = type === undefined ? '' : `, with ${printable(type, 200)}`;
  const said = `${String(statusCode)} ${printable(statusMessage, 100)}`.trim();
  return new BrokerError(
    'WS_REFUSED',
    `the server answered the request for a WebSocket with ${said}${body}${advice(statusCode)}`,
    {
      layer: 'websocket',
      origin: 'peer',
      retryable: mayPass(statusCode),
    },
  );
}

function advice(status: number): string {
  if (status >= 300 && status < 400) return '; redirects are not followed: give the URL that it leads to';
  if (status === 401 || status === 403 || status === 407) return '; is something missing in websocket.headers?';
  return status === 404 ? '; is the path of the URL right?' : '';
}

/** The connection broke, or what came is not HTTP. */
function brokenOff(error: Error & { code?: string }): BrokerError {
  const notHttp = error.code?.startsWith('HPE_') === true;
  const why = notHttp ? 'its answer is no HTTP; is it the right port?' : printable(error.message, 200);
  return new BrokerError('WS_REFUSED', `the server did not open a WebSocket: ${why}`, {
    layer: 'websocket',
    origin: 'peer',
    retryable: !notHttp,
  });
}

function unacceptable(headers: IncomingHttpHeaders, why: string): BrokerError {
  const subprotocol = headers['sec-websocket-protocol'];
  const isOther = subprotocol !== SUBPROTOCOL;
  const found = subprotocol === undefined ? 'none' : printable(subprotocol, 60);
  return new BrokerError(
    isOther ? 'WS_SUBPROTOCOL' : 'WS_BAD_ACCEPT',
    isOther
      ? `the server opened a WebSocket with the subprotocol ${found} in place of xmpp: it is for something else`
      : `the server opened a WebSocket in a way that is not allowed: ${printable(why, 200)}`,
    { layer: 'websocket', origin: 'peer' },
  );
}

function unanswered(limitMs: number): BrokerError {
  const text = `the server did not answer the request for a WebSocket within ${String(limitMs)} ms (timeouts.stream)`;
  return new BrokerError('STREAM_TIMEOUT', text, { layer: 'stream', origin: 'peer', retryable: true });
}
