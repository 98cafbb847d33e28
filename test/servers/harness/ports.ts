import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

/**
 * Ports below the range that the kernel gives to outgoing connections, so that nothing takes a server's port while it
 * is down between two starts. The first port of a block stays bound by this process for as long as the block is in
 * use: that keeps other test processes away from the rest of it.
 */
const FIRST_PORT = 20_000;
const BLOCK_SIZE = 16;
const BLOCKS = 768;

async function bind(port: number): Promise<Server | null> {
  const server = createServer().listen({ host: '127.0.0.1', port, exclusive: true });
  server.unref();
  try {
    await once(server, 'listening');
    return server;
  } catch {
    return null;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = await bind(port);
  if (server === null) return false;
  server.close();
  await once(server, 'close');
  return true;
}

export class PortBlock {
  private constructor(
    readonly ports: readonly number[],
    private readonly guard: Server,
  ) {}

  /** Finds `count` free loopback ports (at most 15) that stay ours until {@link release}. */
  static async reserve(count: number): Promise<PortBlock> {
    if (count >= BLOCK_SIZE) throw new RangeError(`a block has ${BLOCK_SIZE - 1} ports, ${count} are wanted`);
    const start = Math.floor(Math.random() * BLOCKS);
    for (let i = 0; i < BLOCKS; i++) {
      const base = FIRST_PORT + ((start + i) % BLOCKS) * BLOCK_SIZE;
      const guard = await bind(base);
      if (guard === null) continue;
      const ports = Array.from({ length: count }, (_, offset) => base + 1 + offset);
      const free = await Promise.all(ports.map(isFree));
      if (free.every(Boolean)) return new PortBlock(ports, guard);
      guard.close();
    }
    throw new Error(`no ${count} free ports side by side between ${FIRST_PORT} and 32000 on 127.0.0.1`);
  }

  release(): void {
    this.guard.close();
  }
}
