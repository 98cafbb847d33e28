import { X509Certificate, createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { createServer as createTlsServer, type TlsOptions as ServerOptions, type TLSSocket } from 'node:tls';
import { afterEach, expect } from 'vitest';
import { BrokerError } from '../../../src/errors.js';
import { upgrade, type UpgradeOptions } from '../../../src/tls/upgrade.js';
import { TestAuthority, type Identity } from '../../support/certificates.js';

export const DAY = 24 * 3_600_000;

export const authority = await TestAuthority.create();

export const good = await authority.issue();

export const pinOf = ({ der: certificate }: Identity) =>
  createHash('sha256')
    .update(new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64');

export const open: { close(done: () => void): unknown }[] = [];

export const sockets = new Set<{ destroy(): unknown }>();

/** Behind each test of the file that imports this. */
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  await Promise.all(open.splice(0).map((server) => new Promise<void>((done) => server.close(done))));
});

export async function listening(server: Server): Promise<number> {
  open.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** A TLS server; each connection is given to the test once its handshake is complete. */
export async function tlsServer(options: ServerOptions, onSecure: (socket: TLSSocket) => void = () => undefined) {
  const server = createTlsServer(options, (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    onSecure(socket);
  });
  server.on('tlsClientError', () => undefined);
  return await listening(server);
}

/** A TCP server that does what the test says with each connection, and records what the client sends. */
export async function rawServer(onConnection: (socket: Socket) => void = () => undefined) {
  const received: Buffer[] = [];
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('data', (chunk: Buffer) => received.push(chunk));
    onConnection(socket);
  });
  return { port: await listening(server), received: () => Buffer.concat(received) };
}

export async function tcp(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  sockets.add(socket);
  await once(socket, 'connect');
  return socket;
}

export const DEFAULTS: UpgradeOptions = { tls: { ca: authority.ca }, domain: 'broker.test', timeoutMs: 5000 };

export const secure = async (port: number, options: Partial<UpgradeOptions> = {}) =>
  await upgrade(await tcp(port), { ...DEFAULTS, ...options });

export async function failure(pending: Promise<unknown>): Promise<BrokerError> {
  const error: unknown = await pending.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(BrokerError);
  return error as BrokerError;
}

/** Types of the TLS records in some bytes: 20 change cipher, 21 alert, 22 handshake, 23 data; undefined for others. */
export function recordTypes(bytes: Buffer): (number | undefined)[] {
  const types: (number | undefined)[] = [];
  for (let at = 0; at + 5 <= bytes.length; at += 5 + bytes.readUInt16BE(at + 3)) {
    const type = bytes[at] ?? 0;
    types.push(type >= 20 && type <= 23 ? type : undefined);
  }
  return types;
}

/** The same bytes through a stream that is no socket. */
export function wrapped(socket: Socket): Duplex {
  const stream = new Duplex({
    read: () => socket.resume(),
    write: (chunk, _encoding, done) => socket.write(chunk as Buffer, done),
    final: (done) => socket.end(done),
    destroy: (error, done) => {
      socket.destroy();
      done(error);
    },
  });
  socket.on('data', (chunk) => stream.push(chunk)).on('end', () => stream.push(null));
  return stream;
}

export function pem(certificate: Buffer): string {
  return `-----BEGIN CERTIFICATE-----\n${certificate.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`;
}
