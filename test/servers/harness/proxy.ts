import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { Lane, type LaneOptions } from './proxy-lane.js';
import { PortBlock } from './ports.js';

/** Which way bytes go: from who dialled to the server, or back. */
export type Direction = 'toServer' | 'toClient';

export type ProxyOptions = LaneOptions;

/** One forwarded connection. */
export class ProxyLink {
  /** Resolves when both sides are gone. */
  readonly closed: Promise<void>;
  private readonly lanes: Readonly<Record<Direction, Lane>>;

  constructor(
    private readonly client: Socket,
    private readonly server: Socket,
    options: ProxyOptions,
  ) {
    this.lanes = { toServer: new Lane(client, server, options), toClient: new Lane(server, client, options) };
    const gone = (socket: Socket, other: Socket, lane: Lane) =>
      new Promise<void>((resolve) => {
        socket.setNoDelay(true).once('close', (broken) => {
          // An orderly end goes through the lane; a broken side takes the other one with it.
          if (broken && !lane.losing) other.resetAndDestroy();
          resolve();
        });
      });
    this.closed = Promise.all([
      gone(client, server, this.lanes.toServer),
      gone(server, client, this.lanes.toClient),
    ]).then(() => undefined);
  }

  get open(): boolean {
    return !(this.client.destroyed && this.server.destroyed);
  }

  /** Bytes forwarded so far. */
  get bytes(): Readonly<Record<Direction, number>> {
    return { toServer: this.lanes.toServer.bytes, toClient: this.lanes.toClient.bytes };
  }

  /** What went through, if the proxy records. */
  recorded(direction: Direction): Buffer {
    return Buffer.concat(this.lanes[direction].recorded);
  }

  /** Cuts both sides at once: `reset` with RST, `end` with FIN. What was under way is lost. */
  cut(how: 'reset' | 'end' = 'reset'): void {
    this.lose();
    for (const socket of [this.client, this.server]) {
      if (how === 'reset') socket.resetAndDestroy();
      else socket.destroy();
    }
  }

  /** Forwards nothing more, one way or both, while both ends believe in the link: half-open. What comes waits. */
  stall(direction?: Direction): void {
    for (const lane of this.select(direction)) lane.stall(true);
  }

  /** Ends a stall; what has piled up goes out. */
  resume(direction?: Direction): void {
    for (const lane of this.select(direction)) lane.stall(false);
  }

  /** Swallows everything from now on, the end too: the path is gone and nobody is told. There is no way back. */
  lose(direction?: Direction): void {
    for (const lane of this.select(direction)) lane.lose();
  }

  /** Forwards that many bytes more one way, and swallows the rest; resolves when they are through. */
  truncate(direction: Direction, bytes: number): Promise<void> {
    return this.lanes[direction].truncate(bytes);
  }

  private select(direction: Direction | undefined): readonly Lane[] {
    return direction === undefined ? Object.values(this.lanes) : [this.lanes[direction]];
  }
}

/**
 * A TCP proxy on loopback for tests of failing links. It forwards to one port; {@link links} can be cut, stalled or
 * lost, one by one or all together. Its own port stays the same over {@link refuse} and {@link accept}.
 */
export class Proxy implements AsyncDisposable {
  readonly host = '127.0.0.1';
  /** Every link so far, in the order of arrival. */
  readonly links: ProxyLink[] = [];
  private listener: Server | null = null;
  private readonly waiting: ((link: ProxyLink) => void)[] = [];

  private constructor(
    readonly port: number,
    private readonly block: PortBlock,
    /** Where it forwards to. */
    readonly targetPort: number,
    /** For the links to come; may be replaced at any time. */
    public options: ProxyOptions,
  ) {}

  static async listen(targetPort: number, options: ProxyOptions = {}): Promise<Proxy> {
    const block = await PortBlock.reserve(1);
    const proxy = new Proxy(block.ports[0] ?? 0, block, targetPort, options);
    await proxy.accept();
    return proxy;
  }

  /** Accepts connections, again after {@link refuse}. */
  async accept(): Promise<void> {
    if (this.listener !== null) return;
    const listener = createServer({ allowHalfOpen: true }, (client) => void this.forward(client));
    this.listener = listener;
    listener.listen({ host: this.host, port: this.port, exclusive: true });
    await once(listener, 'listening');
  }

  /** Refuses new connections; open links stay. */
  refuse(): void {
    this.listener?.close();
    this.listener = null;
  }

  /** The next link that is established. */
  nextLink(): Promise<ProxyLink> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  get openLinks(): readonly ProxyLink[] {
    return this.links.filter((link) => link.open);
  }

  /** Cuts every open link, see {@link ProxyLink.cut}. */
  cut(how: 'reset' | 'end' = 'reset'): void {
    for (const link of this.openLinks) link.cut(how);
  }

  async close(): Promise<void> {
    this.refuse();
    this.cut();
    await Promise.all(this.links.map((link) => link.closed));
    this.block.release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  private async forward(client: Socket): Promise<void> {
    client.pause().on('error', () => undefined);
    const server = connect({ host: '127.0.0.1', port: this.targetPort, allowHalfOpen: true });
    server.pause().on('error', () => undefined);
    try {
      await once(server, 'connect');
    } catch {
      client.resetAndDestroy();
      return;
    }
    const link = new ProxyLink(client, server, this.options);
    this.links.push(link);
    client.resume();
    server.resume();
    for (const resolve of this.waiting.splice(0)) resolve(link);
  }
}
