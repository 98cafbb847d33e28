import type { Duplex } from 'node:stream';
import { BrokerError, printable, usageError } from '../errors.js';
import { throwIfAborted, within } from './deadline.js';
import { attemptError, dialFailure } from './errors.js';
import { checkPort, type Target } from './resolve.js';

/**
 * A user's own way to the server, such as a proxy: opens a byte stream to a target. The stream may still be connecting
 * when it is handed over. The signal is aborted when the connection is no longer wanted.
 */
export type Connector = (target: Target, options: { signal: AbortSignal }) => Duplex | Promise<Duplex>;

/** Options of {@link dialThrough}. */
export interface ConnectorOptions {
  /** For each target, in milliseconds. Default 10 000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
  /** Called once, before the connector is called for the first time. */
  readonly onConnecting?: ((to: { host: string; port: number; address: null }) => void) | undefined;
}

/** A connection that a connector opened. What {@link Dialled.socket} says of errors holds here, too. */
export interface Connected {
  readonly socket: Duplex;
  readonly target: Target;
  /** Unknown: the connector has looked it up, or somebody behind it. */
  readonly address: null;
}

const ATTEMPT = 'the connection attempt';
const FACTS = { layer: 'tcp', phase: 'connect' } as const;

/**
 * Connects through a connector: the targets in order, one at a time, until one is connected.
 * @throws BrokerError `TCP_CONNECTOR` when the connector fails, `TCP_TIMEOUT` when it takes too long (both as
 * {@link dial} reports its failures); `USAGE_CONNECTOR` when what it returns is no open byte stream; `ABORTED`;
 * `USAGE_PORT` for a target that cannot be dialled
 */
export async function dialThrough(
  connector: Connector,
  targets: readonly Target[],
  options: ConnectorOptions = {},
): Promise<Connected> {
  const { signal, onConnecting, timeoutMs = 10_000 } = options;
  // Without a port: it knows the way by itself.
  for (const { port } of targets) if (port !== 0) checkPort(port);
  const errors: BrokerError[] = [];
  for (const [index, target] of targets.entries()) {
    throwIfAborted(signal, ATTEMPT, FACTS);
    if (index === 0) onConnecting?.({ host: target.host, port: target.port, address: null });
    try {
      return { socket: await open(connector, target, timeoutMs, signal), target, address: null };
    } catch (error) {
      throwIfAborted(signal, ATTEMPT, FACTS);
      if (!(error instanceof BrokerError)) errors.push(connectorFailure(target, error));
      else if (error.layer === 'usage') throw error;
      else errors.push(error);
    }
  }
  throw dialFailure(targets, errors);
}

async function open(connector: Connector, target: Target, timeoutMs: number, signal?: AbortSignal): Promise<Duplex> {
  const unwanted = new AbortController();
  const pending = Promise.resolve()
    .then(() => connector(target, { signal: unwanted.signal }))
    .then((socket) => connected(socket, unwanted.signal));
  const late = () =>
    attemptError('TCP_TIMEOUT', target, null, `the connector gave no connection within ${timeoutMs} ms`);
  try {
    return await within(pending, { timeoutMs, signal }, ATTEMPT, FACTS, late);
  } catch (error) {
    unwanted.abort(error);
    throw error;
  }
}

/** Checks what a connector returned, and waits until it is connected. What is no longer wanted is closed. */
function connected(socket: unknown, unwanted: AbortSignal): Promise<Duplex> {
  if (!isByteStream(socket)) {
    const wanted = 'an open stream.Duplex of bytes, such as a net.Socket, without an encoding';
    return Promise.reject(usageError('USAGE_CONNECTOR', `the connector must return ${wanted}, or a promise of one`));
  }
  socket.on('error', () => undefined);
  return new Promise((resolve, reject) => {
    const onConnect = () => {
      stop();
      resolve(socket);
    };
    const fail = (error?: Error) => {
      stop();
      socket.destroy();
      reject(error ?? new Error('the socket closed before it was connected'));
    };
    const onClose = () => {
      fail();
    };
    const stop = () => {
      unwanted.removeEventListener('abort', onClose);
      socket.off('connect', onConnect).off('error', fail).off('close', onClose);
    };
    if (unwanted.aborted) {
      fail();
    } else if ('connecting' in socket && socket.connecting === true) {
      unwanted.addEventListener('abort', onClose);
      socket.on('connect', onConnect).on('error', fail).on('close', onClose);
    } else {
      resolve(socket);
    }
  });
}

function isByteStream(value: unknown): value is Duplex {
  if (typeof value !== 'object' || value === null) return false;
  const socket = value as Partial<Duplex>;
  const methods = [socket.on, socket.off, socket.write, socket.end, socket.pause, socket.resume, socket.destroy];
  if (!methods.every((method) => typeof method === 'function')) return false;
  if (socket.destroyed === true || socket.readableEnded === true || socket.writableEnded === true) return false;
  return socket.readableObjectMode !== true && socket.writableObjectMode !== true && socket.readableEncoding == null;
}

function connectorFailure(target: Target, error: unknown): BrokerError {
  const text = error instanceof Error ? printable(error.message, 200) : 'it threw something that is no error';
  return attemptError('TCP_CONNECTOR', target, null, `the connector failed: ${text}`, error);
}
