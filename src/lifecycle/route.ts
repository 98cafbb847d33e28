import type { Duplex } from 'node:stream';
import type { Target } from '../dial/resolve.js';
import type { WebSocketPackage } from '../stream/web-socket.js';

/** A WebSocket on the way to the server. */
export interface WebSocketRoute {
  readonly url: URL;
  /** Headers of the request, whose values are secret. */
  readonly headers: Readonly<Record<string, string>>;
  /** A name that the certificate may have in place of the URL's host; null for none. */
  readonly alternative: string | null;
  readonly package: WebSocketPackage;
}

/** Where an attempt may find the server, in the order to try. */
export interface Route {
  readonly targets: readonly Target[];
  /** Null for TCP. */
  readonly websocket: WebSocketRoute | null;
}

/** Where to go. */
export interface Place {
  readonly host: string | undefined;
  readonly port: number | undefined;
  /** Of a WebSocket that the server named. */
  readonly url?: string | undefined;
}

/** A connection to the server. */
export interface Dialled {
  readonly socket: Duplex;
  readonly target: Target;
  readonly address: string | null;
}

/** A connection, and what it is for. */
export interface Reached {
  readonly dialled: Dialled;
  /** Null for TCP. */
  readonly websocket: WebSocketRoute | null;
}

/** The place of a WebSocket's server. */
export function targetOf({ hostname, port, protocol }: URL): Target {
  const secure = protocol === 'wss:';
  const number = port === '' ? (secure ? 443 : 80) : Number(port);
  return { host: hostname, port: number, tls: secure ? 'direct' : 'starttls', srv: null };
}

/** The port as events tell it: null for none. */
export function portOf({ port }: { readonly port: number }): number | null {
  return port === 0 ? null : port;
}
