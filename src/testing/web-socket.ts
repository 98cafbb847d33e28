// The server's side of a WebSocket: RFC 6455 §4.2, RFC 7395 §3.1; host-meta, XEP-0156.
import { createServer, STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { BrokerError } from '../errors.js';
import type { WebSocketPackage } from '../stream/web-socket.js';
import { WebSocketStream } from '../stream/web-socket-stream.js';
import { NS } from '../xml/namespaces.js';

/** How WebSockets are accepted. */
export interface WebSocketTerms {
  /** Most bytes of a message. */
  readonly maxBytes: number;
  /** For the end of a WebSocket, in milliseconds. */
  readonly closeMs: number;
  /** What host-meta says; null for no host-meta. */
  readonly hostMeta: string | null;
}

const SUBPROTOCOL = 'xmpp';

/** Reads the request that comes on a connection, and accepts a WebSocket. Rejects when something else was wanted. */
export function acceptWebSocket(
  framing: WebSocketPackage,
  connection: Duplex,
  { maxBytes, closeMs, hostMeta }: WebSocketTerms,
): Promise<Duplex> {
  const { WebSocketServer } = framing as typeof import('ws');
  return new Promise((resolve, reject) => {
    const over = () => {
      reject(new BrokerError('WS_REFUSED', 'the peer asked for no WebSocket', { layer: 'websocket', origin: 'peer' }));
    };
    const sockets = new WebSocketServer({
      noServer: true,
      perMessageDeflate: false,
      maxPayload: Number.isFinite(maxBytes) ? maxBytes : 0,
      handleProtocols: () => SUBPROTOCOL,
      clientTracking: false,
      closeTimeout: closeMs,
    } as ConstructorParameters<typeof WebSocketServer>[0]);
    const http = createServer((request, response) => {
      answer(request, response, hostMeta);
      response.on('finish', () => connection.end());
    });
    http.on('upgrade', (request: IncomingMessage, _socket, head: Buffer) => {
      if (!asksForXmpp(request)) {
        connection.end(`HTTP/1.1 400 ${STATUS_CODES[400] ?? ''}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
        return;
      }
      sockets.handleUpgrade(request, connection, head, (ws) => {
        connection.off('close', over);
        resolve(new WebSocketStream(ws, connection, NS.CLIENT));
      });
    });
    http.on('clientError', () => connection.destroy());
    connection.once('close', over);
    http.emit('connection', connection);
    // HTTP does not set a connection flowing that was paused.
    connection.resume();
  });
}

function asksForXmpp({ headers }: IncomingMessage): boolean {
  const asked = headers['sec-websocket-protocol'] ?? '';
  return asked.split(',').some((name) => name.trim() === SUBPROTOCOL);
}

function answer({ url = '' }: IncomingMessage, response: ServerResponse, hostMeta: string | null): void {
  const rel = 'urn:xmpp:alt-connections:websocket';
  response.setHeader('Connection', 'close');
  if (hostMeta !== null && url === '/.well-known/host-meta.json') {
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify({ links: [{ rel, href: hostMeta }] }));
  } else if (hostMeta !== null && url === '/.well-known/host-meta') {
    response.setHeader('Content-Type', 'application/xrd+xml');
    response.end(
      `<XRD xmlns='http://docs.oasis-open.org/ns/xri/xrd-1.0'><Link rel='${rel}' href='${hostMeta}'/></XRD>`,
    );
  } else {
    response.writeHead(404).end();
  }
}
