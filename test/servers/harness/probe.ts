import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** Time between two tries of something that is not ready yet, in milliseconds. */
const RETRY_MS = 25;

/**
 * Tries until `attempt` resolves. Between tries it waits a moment; `abort` may throw to give up early, for instance
 * because the process that is waited for has died.
 */
export async function eventually<T>(
  what: string,
  timeoutMs: number,
  attempt: () => Promise<T>,
  abort: () => void = () => undefined,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    abort();
    try {
      return await attempt();
    } catch (error) {
      abort();
      if (performance.now() > deadline) throw new Error(`${what}: not within ${timeoutMs} ms`, { cause: error });
    }
    await pause(RETRY_MS);
  }
}

async function dial(port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port });
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(2000) });
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** Resolves when something accepts connections at the port. */
export async function portAnswers(port: number): Promise<void> {
  (await dial(port)).destroy();
}

/**
 * Opens a client stream and reads until the stream features. Returns the socket, still open: the caller closes it.
 */
export async function featuresFrom(port: number, domain: string): Promise<Socket> {
  const socket = await dial(port);
  socket.on('error', () => undefined);
  socket.write(
    `<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='${domain}' version='1.0'>`,
  );
  const signal = AbortSignal.timeout(2000);
  const giveUp = () => socket.destroy();
  signal.addEventListener('abort', giveUp, { once: true });
  let received = '';
  try {
    for await (const chunk of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      received += chunk.toString('utf8');
      if (received.includes('<stream:error')) break;
      if (received.includes('</stream:features>')) return socket;
    }
  } catch {
    // told below with what came
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
  socket.destroy();
  throw new Error(`no stream features for ${domain} at port ${port}, received: ${received || '(nothing)'}`);
}
