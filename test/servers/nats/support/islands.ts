// A cluster of nats-server, each node in a network namespace of its own, so that the network between the nodes can be cut while
// programs reach all of them. It needs root and Debian's iproute2.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SERVERS } from '../../../../scripts/servers.mjs';

/** What is reserved for tests of networks (RFC 2544): one network for programs, one for the nodes among themselves. */
const OUTER = '198.18';
const INNER = '198.19';

const tried = (...args: string[]): boolean => spawnSync('ip', args, { stdio: 'ignore' }).status === 0;

function ip(...args: string[]): void {
  const { status, stderr } = spawnSync('ip', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr}`);
}

/** Whether a network can be made here: it is tried. */
function isAllowed(): boolean {
  if (SERVERS.nats.find() === null || process.getuid?.() !== 0) return false;
  const name = `xbt${process.pid}`;
  const works =
    tried('netns', 'add', name) &&
    tried('-n', name, 'link', 'add', 'name', 'bridge0', 'type', 'bridge') &&
    tried('-n', name, 'link', 'add', 'name', 'veth0', 'type', 'veth', 'peer', 'name', 'w');
  tried('netns', 'del', name);
  return works;
}

interface Island {
  readonly namespace: string;
  readonly address: string;
  readonly nats: ChildProcess;
}

export class Islands implements AsyncDisposable {
  static readonly isAllowed = isAllowed;
  readonly #id = `${process.pid}`;
  readonly #subnet = process.pid % 256;
  readonly #folder = mkdtempSync(join(tmpdir(), 'xmpp-broker-islands-'));
  readonly #islands: Island[] = [];
  /** As the harness calls it. */
  readonly ports = { client: 4222 };

  static async open(nodes: number): Promise<Islands> {
    const islands = new Islands();
    try {
      islands.#lay();
      for (let node = 0; node < nodes; node += 1) islands.#add(node, nodes);
      for (const { address } of islands.#islands) await served(address);
      return islands;
    } catch (error) {
      await islands[Symbol.asyncDispose]();
      throw error;
    }
  }

  get urls(): string[] {
    return this.#islands.map(({ address }) => `nats://${address}:4222`);
  }

  /** What the node sends to the others, and they to it, vanishes; programs reach it still. */
  cut(node: number): void {
    ip('-n', this.#switch, 'link', 'set', `i${node}`, 'down');
  }

  heal(node: number): void {
    ip('-n', this.#switch, 'link', 'set', `i${node}`, 'up');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { nats, namespace } of this.#islands.splice(0)) {
      const gone = nats.exitCode === null && nats.signalCode === null ? once(nats, 'exit') : null;
      nats.kill('SIGKILL');
      await gone;
      tried('netns', 'del', namespace);
    }
    tried('netns', 'del', this.#switch);
    tried('link', 'del', this.#plug);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #switch(): string {
    return `xbs${this.#id}`;
  }

  /** Where this machine is plugged in. */
  get #plug(): string {
    return `xbp${this.#id}`;
  }

  /** Two bridges, in a namespace that nobody else uses. */
  #lay(): void {
    ip('netns', 'add', this.#switch);
    for (const bridge of ['outer', 'inner']) {
      ip('-n', this.#switch, 'link', 'add', 'name', bridge, 'type', 'bridge');
      ip('-n', this.#switch, 'link', 'set', bridge, 'up');
    }
    ip('link', 'add', 'name', this.#plug, 'type', 'veth', 'peer', 'name', 'host', 'netns', this.#switch);
    ip('-n', this.#switch, 'link', 'set', 'host', 'master', 'outer', 'up');
    ip('addr', 'add', `${OUTER}.${this.#subnet}.1/24`, 'dev', this.#plug);
    ip('link', 'set', this.#plug, 'up');
  }

  #add(node: number, nodes: number): void {
    const namespace = `xbn${this.#id}-${node}`;
    const inner = (at: number): string => `${INNER}.${this.#subnet}.${10 + at}`;
    const address = `${OUTER}.${this.#subnet}.${10 + node}`;
    ip('netns', 'add', namespace);
    for (const [port, bridge, device, own] of [
      [`o${node}`, 'outer', 'eth0', address],
      [`i${node}`, 'inner', 'eth1', inner(node)],
    ] as const) {
      ip('-n', namespace, 'link', 'add', 'name', device, 'type', 'veth', 'peer', 'name', port, 'netns', this.#switch);
      ip('-n', this.#switch, 'link', 'set', port, 'master', bridge, 'up');
      ip('-n', namespace, 'addr', 'add', `${own}/24`, 'dev', device);
      ip('-n', namespace, 'link', 'set', device, 'up');
    }
    ip('-n', namespace, 'link', 'set', 'lo', 'up');
    const store = join(this.#folder, String(node));
    mkdirSync(store);
    const others = Array.from({ length: nodes }, (_, at) => at).filter((at) => at !== node);
    const routes = others.map((at) => `"nats-route://${inner(at)}:6222"`).join(', ');
    const file = join(this.#folder, `${node}.conf`);
    writeFileSync(
      file,
      [
        `listen: "${address}:4222"`,
        `server_name: "island${node}"`,
        'ping_interval: "1s"',
        'ping_max: 2',
        `jetstream { store_dir: ${JSON.stringify(store)} }`,
        `cluster { name: islands, listen: "${inner(node)}:6222", routes: [${routes}] }`,
      ].join('\n'),
    );
    const program = SERVERS.nats.find()?.server ?? 'nats-server';
    const nats = spawn('ip', ['netns', 'exec', namespace, program, '-c', file], { stdio: 'ignore' });
    this.#islands.push({ namespace, address, nats });
  }
}

/** Resolves when it takes connections. */
async function served(address: string): Promise<void> {
  const until = performance.now() + 60_000;
  for (;;) {
    const socket = connect({ host: address, port: 4222 });
    socket.on('error', () => undefined);
    try {
      await once(socket, 'data', { signal: AbortSignal.timeout(2_000) });
      return;
    } catch (error) {
      if (performance.now() > until) throw error;
    } finally {
      socket.destroy();
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
