import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { SERVERS } from '../../../scripts/servers.mjs';
import { PortBlock } from './ports.js';
import { type Blueprint, type CommonOptions, TestServer } from './server.js';
import type { Site } from './site.js';

/** `client` is for clients. */
export type NatsPort = 'client';

/** A login, and what it may do: default everything. */
export interface NatsUser {
  readonly user: string;
  readonly password: string;
  readonly publish?: readonly string[];
  readonly subscribe?: readonly string[];
}

export interface NatsOptions extends Pick<CommonOptions, 'certificate'> {
  /** Default true. */
  readonly jetstream?: boolean;
  /** Who may connect. Default: anybody, and may do everything. */
  readonly users?: readonly NatsUser[];
  /** Bytes that all streams together may reserve. Default: what the disk has. */
  readonly maxFile?: number;
  /** Most bytes of a message. Default 1 MiB. */
  readonly maxPayload?: number;
  /** With `true`, only TLS; the authority is `server.ca`. Default false. */
  readonly tls?: boolean;
  /** A node of a cluster: its name, its port for other nodes, and theirs. Default: alone. */
  readonly cluster?: { readonly node: string; readonly port: number; readonly meets: readonly number[] };
  /** Appended to the configuration. */
  readonly extra?: string;
}

export type NatsServer = TestServer<NatsPort>;

const quoted = (text: string): string => JSON.stringify(text);
const list = (texts: readonly string[]): string => `[${texts.map(quoted).join(', ')}]`;

function userOf({ user, password, publish, subscribe }: NatsUser): string {
  const permissions = [
    publish === undefined ? '' : `publish: { allow: ${list(publish)} }`,
    subscribe === undefined ? '' : `subscribe: { allow: ${list(subscribe)} }`,
  ].filter((part) => part !== '');
  const may = permissions.length === 0 ? '' : `, permissions: { ${permissions.join(', ')} }`;
  return `{ user: ${quoted(user)}, password: ${quoted(password)}${may} }`;
}

function configuration(at: Pick<Site<NatsPort>, 'ports' | 'path'>, options: NatsOptions): string {
  const { jetstream = true, users, maxFile, maxPayload, tls = false, cluster, extra = '' } = options;
  return [
    'host: "127.0.0.1"',
    `port: ${at.ports.client}`,
    `server_name: ${quoted(cluster?.node ?? 'alone')}`,
    'write_deadline: "10s"',
    maxPayload === undefined ? '' : `max_payload: ${maxPayload}`,
    jetstream
      ? `jetstream { store_dir: ${quoted(at.path('jetstream'))}${maxFile === undefined ? '' : `, max_file: ${maxFile}`} }`
      : '',
    users === undefined ? '' : `authorization { users: [\n  ${users.map(userOf).join(',\n  ')}\n] }`,
    tls
      ? `tls { cert_file: ${quoted(at.path('tls/server.crt'))}, key_file: ${quoted(at.path('tls/server.key'))} }`
      : '',
    cluster === undefined
      ? ''
      : `cluster { name: tests, listen: "127.0.0.1:${cluster.port}", routes: ${list(cluster.meets.map((port) => `nats-route://127.0.0.1:${port}`))} }`,
    extra,
  ].join('\n');
}

/** Reads what NATS says first. */
async function infoFrom(port: number): Promise<void> {
  const socket = connect({ host: '127.0.0.1', port });
  socket.on('error', () => undefined);
  try {
    const [chunk] = (await once(socket, 'data', { signal: AbortSignal.timeout(2000) })) as [Buffer];
    if (!chunk.toString('latin1').startsWith('INFO ')) throw new Error(`port ${port} does not speak NATS`);
  } finally {
    socket.destroy();
  }
}

function blueprint(options: NatsOptions): Blueprint<NatsPort> {
  return {
    name: 'nats',
    ports: ['client'],
    stopGraceMs: 10_000,
    prepare(site) {
      site.folder('jetstream');
      site.write('nats.conf', configuration(site, options));
    },
    programs: (site) => [
      {
        name: 'nats-server',
        command: SERVERS.nats.find()?.server ?? 'nats-server',
        args: ['-c', site.path('nats.conf')],
        async ready(attempt) {
          await attempt(`port ${site.ports.client}`, () => infoFrom(site.ports.client));
        },
      },
    ],
    addUser() {
      throw new Error('users of NATS are in its configuration: reconfigure()');
    },
  };
}

/** A private nats-server with JetStream. */
export const Nats = {
  start: (options: NatsOptions = {}): Promise<NatsServer> =>
    TestServer.start(blueprint(options), options.certificate === undefined ? {} : { certificate: options.certificate }),

  /** Its address for clients. */
  url: (server: Pick<NatsServer, 'ports'>): string => `nats://127.0.0.1:${server.ports.client}`,

  /** Changes users and permissions while it runs: connections whose login changed are closed by it. */
  reconfigure(server: NatsServer, options: NatsOptions): void {
    const at = { ports: server.ports, path: (...names: string[]) => join(server.directory, ...names) };
    writeFileSync(at.path('nats.conf'), configuration(at, options));
    for (const pid of Object.values(server.pids)) process.kill(pid, 'SIGHUP');
  },
};

/** Nodes of a cluster, each of which can be killed, stopped and started again. It may have no leader yet. */
export class NatsCluster implements AsyncDisposable {
  readonly nodes: NatsServer[] = [];
  private constructor(private readonly block: PortBlock) {}

  static async start(nodes = 3, options: NatsOptions = {}): Promise<NatsCluster> {
    const cluster = new NatsCluster(await PortBlock.reserve(nodes));
    const { ports } = cluster.block;
    try {
      for (const [i, port] of ports.entries()) {
        const meets = ports.filter((other) => other !== port);
        cluster.nodes.push(await Nats.start({ ...options, cluster: { node: `node${i}`, port, meets } }));
      }
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The addresses of all nodes, for clients. */
  get urls(): string[] {
    return this.nodes.map(Nats.url);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map((server) => server.dispose()));
    this.block.release();
  }
}
