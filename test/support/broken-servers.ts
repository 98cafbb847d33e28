// Servers that are broken, each in its way, and the command line with which doctor looks at each.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { LoopbackServer, type LoopbackOptions } from 'xmpp-broker/testing';
import { selfSigned, TestAuthority, type CertificateOptions, type Identity } from './certificates.js';

/** What the servers take for the right secret. */
export const SECRET = 'a secret that nobody is to see';
const DAY = 86_400_000;

/** Where doctor is to look. */
export const at = (port: number): string[] => ['--host', '127.0.0.1', '--port', String(port), '--timeout', '30'];

/** Starts servers, and ends them. */
export class BrokenServers {
  readonly #running: { stop(): Promise<void> }[] = [];

  private constructor(
    private readonly folder: string,
    private readonly authority: TestAuthority,
  ) {}

  static async create(): Promise<BrokenServers> {
    const folder = mkdtempSync(join(tmpdir(), 'xmpp-broker-doctor-'));
    const authority = await TestAuthority.create();
    writeFileSync(join(folder, 'ca.pem'), authority.ca);
    return new BrokenServers(folder, authority);
  }

  /** Has the tests' authority trusted. */
  get ours(): string[] {
    return ['--ca', join(this.folder, 'ca.pem')];
  }

  /** Starts the server that is broken in that way. @returns the arguments of doctor */
  async start(kind: string): Promise<string[]> {
    const args = await BROKEN[kind]?.(this, this.authority);
    if (args === undefined) throw new Error(`there is no server of the kind ${kind}`);
    return args.includes('--pin') || args.includes('--no-tls') ? args : [...args, ...this.ours];
  }

  /** The loopback server with a certificate of the tests' authority. */
  async loopback(
    options: LoopbackOptions = {},
    certificate: CertificateOptions | Identity = {},
  ): Promise<LoopbackServer> {
    const isIdentity = 'key' in certificate && 'cert' in certificate;
    const { cert, key } = isIdentity ? certificate : await this.authority.issue(certificate);
    const started = await LoopbackServer.start({
      accounts: { juliet: SECRET },
      tls: { cert, key },
      websocket: true,
      ...options,
    });
    this.#running.push({ stop: () => started.stop() });
    return started;
  }

  /** A server of something else. */
  async listen(other: Server): Promise<number> {
    const sockets = new Set<Socket>();
    other.on('connection', (socket: Socket) => sockets.add(socket.on('error', () => undefined)));
    const stop = (): Promise<void> =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        other.close(() => resolve());
      });
    this.#running.push({ stop });
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    return (other.address() as AddressInfo).port;
  }

  /** Ends them all. */
  async stop(): Promise<void> {
    await Promise.all(this.#running.splice(0).map((one) => one.stop()));
  }

  /** A port where nobody listens. */
  async closedPort(): Promise<number> {
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
    const { port } = closed.address() as AddressInfo;
    await new Promise<void>((resolve) => closed.close(() => resolve()));
    return port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true });
  }
}

type Start = (servers: BrokenServers, authority: TestAuthority) => Promise<string[]>;

async function client(
  servers: BrokenServers,
  options?: LoopbackOptions,
  certificate?: CertificateOptions | Identity,
): Promise<string[]> {
  return ['localhost', ...at((await servers.loopback(options, certificate)).ports.client)];
}

async function component(servers: BrokenServers, name: string): Promise<string[]> {
  const { ports } = await servers.loopback({ components: { 'echo.localhost': SECRET } });
  return [name, '--component', ...at(ports.component)];
}

const BROKEN: Readonly<Record<string, Start>> = {
  'name not found': () => Promise.resolve(['nothing.invalid', '--host', 'nothing.invalid']),
  'closed port': async (servers) => ['localhost', ...at(await servers.closedPort())],
  'silent server': async (servers) => {
    const sockets = createServer((socket) => socket.resume());
    return ['localhost', ...at(await servers.listen(sockets)), '--timeout', '1.5'];
  },
  'closed without a word': async (servers) => [
    'localhost',
    ...at(await servers.listen(createServer((socket) => socket.once('data', () => socket.end())))),
  ],
  'HTTP in place of XMPP': async (servers) => {
    const web = createHttpServer();
    return ['localhost', ...at(await servers.listen(web))];
  },
  'no XMPP there': async (servers) => {
    const mail = createServer((socket) => socket.write('220 mail.example.org ESMTP\r\n'));
    return ['localhost', ...at(await servers.listen(mail))];
  },
  'port for another kind': async (servers) => {
    const { ports } = await servers.loopback({ components: { 'echo.localhost': SECRET } });
    return ['localhost', ...at(ports.component)];
  },
  'unknown domain': (servers) => component(servers, 'nobody.localhost'),
  'wrong secret': (servers) => component(servers, 'echo.localhost'),
  'no STARTTLS': (servers) => client(servers, { tls: false }),
  'TLS left out where it is required': async (servers, authority) => {
    const { cert, key } = await authority.issue();
    return [...(await client(servers, { tls: { cert, key, starttls: 'required' } })), '--no-tls'];
  },
  'TLS from the start in place of STARTTLS': async (servers) => [
    'localhost',
    ...at((await servers.loopback()).ports.clientDirectTls),
  ],
  'STARTTLS in place of TLS from the start': async (servers) => [...(await client(servers)), '--direct-tls'],
  'no TLS in common': async (servers, authority) => {
    const { cert, key } = await authority.issue();
    const old = createTlsServer({
      cert,
      key,
      minVersion: 'TLSv1.1',
      maxVersion: 'TLSv1.1',
      ciphers: 'ALL:@SECLEVEL=0',
    });
    old.on('tlsClientError', () => undefined);
    return ['localhost', ...at(await servers.listen(old)), '--direct-tls'];
  },
  'self-signed certificate': async (servers) => client(servers, {}, await selfSigned()),
  'unknown authority': async (servers) => client(servers, {}, await (await TestAuthority.create()).issue()),
  'expired certificate': (servers) =>
    client(servers, {}, { notAfter: new Date(Date.now() - DAY), notBefore: new Date(0) }),
  'certificate of the future': (servers) => client(servers, {}, { notBefore: new Date(Date.now() + DAY) }),
  'certificate for another name': (servers) => client(servers, {}, { names: [{ dns: 'example.org' }] }),
  'certificate for another purpose': (servers) => client(servers, {}, { usages: ['clientAuth'] }),
  'another key than the pin': async (servers) => [...(await client(servers)), '--pin', `${'A'.repeat(43)}=`],
  'no way to sign in': (servers) => client(servers, { mechanisms: ['ANONYMOUS'] }),
  'wrong password': async (servers) => [...(await client(servers)), '--jid', 'juliet@localhost'],
  'no WebSocket there': async (servers) => {
    const web = createHttpServer((_request, response) => response.writeHead(404).end());
    return ['localhost', '--websocket', `ws://127.0.0.1:${String(await servers.listen(web))}/?${SECRET}`, '--no-tls'];
  },
};

/** Every kind, by the name that doctor has for it. */
export const KINDS: readonly string[] = Object.keys(BROKEN);
