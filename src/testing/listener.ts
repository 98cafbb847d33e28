import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { reasonOf } from '../arguments/values.js';
import { BrokerError } from '../errors.js';

/** One TCP port. */
export class Listener {
  private constructor(
    readonly port: number,
    private readonly server: Server,
  ) {}

  /** @throws BrokerError `LOOPBACK_LISTEN` when the port cannot be had */
  static async open(host: string, port: number, onSocket: (socket: Socket) => void): Promise<Listener> {
    const server = createServer({ noDelay: true }, (socket) => {
      // The stream listens from now on; a socket that breaks before that has nobody else to tell.
      socket.on('error', () => undefined);
      onSocket(socket);
    });
    server.listen({ host, port });
    try {
      await once(server, 'listening');
    } catch (cause) {
      throw new BrokerError('LOOPBACK_LISTEN', `the loopback server cannot listen: ${reasonOf(cause)}`, {
        layer: 'tcp',
        origin: 'os',
        retryable: true,
        cause,
      });
    }
    // What happens to it later ends with the sockets it gave.
    server.on('error', () => undefined);
    return new Listener((server.address() as AddressInfo).port, server);
  }

  /** Accepts no more connections. Resolves when those it accepted are closed. */
  async close(): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    await closed;
  }
}
