import { client, type ForeignClient, type ForeignElement } from '@xmpp/client';
import { setTimeout as pause } from 'node:timers/promises';
import type { TestServer } from '../harness/index.js';

export { xml as foreign, type ForeignElement } from '@xmpp/client';

/** A client of another library on a real server: what it sees was not written by ours. */
export class Client implements AsyncDisposable {
  /** Every stanza it received, in order. */
  readonly stanzas: ForeignElement[] = [];
  readonly #waiters = new Set<() => void>();

  private constructor(readonly entity: ForeignClient) {
    entity.on('stanza', (stanza) => {
      this.stanzas.push(stanza);
      for (const look of this.#waiters) look();
    });
    entity.on('error', () => undefined); // start() rejects, and a lost link is no concern of a test of the component
    entity.reconnect.stop();
  }

  /** Signs in as a user of `localhost`. */
  static async online(server: TestServer<'starttls'>, username: string, resource: string = username): Promise<Client> {
    for (let attempt = 1; ; attempt++) {
      const one = new Client(
        client({
          service: `xmpp://127.0.0.1:${server.ports.starttls}`,
          domain: 'localhost',
          username,
          password: 'secret',
          resource,
        }),
      );
      try {
        await trusting(() => one.entity.start());
        return one;
      } catch (error) {
        // jabberd2 greets a connection with an error when it gets the descriptor of one that was just closed.
        if (attempt === 5) throw error;
        await one.entity.stop().catch(() => undefined);
        await pause(100);
      }
    }
  }

  get jid(): string {
    return String(this.entity.jid);
  }

  async send(element: ForeignElement): Promise<void> {
    await this.entity.send(element);
  }

  /** Waits for the first stanza that fits, among those received and to come. */
  async received(fits: (stanza: ForeignElement) => boolean): Promise<ForeignElement> {
    return new Promise((resolve) => {
      const look = () => {
        const found = this.stanzas.find(fits);
        if (found === undefined) return;
        this.#waiters.delete(look);
        resolve(found);
      };
      this.#waiters.add(look);
      look();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.entity.stop().catch(() => undefined);
  }
}

/** The client cannot be given the server's authority, so its TLS is not checked while it signs in. */
async function trusting<T>(work: () => Promise<T>): Promise<T> {
  const name = 'NODE_TLS_REJECT_UNAUTHORIZED';
  const { emitWarning } = process;
  process.emitWarning = () => undefined; // Node warns of it once
  process.env[name] = '0';
  try {
    return await work();
  } finally {
    Reflect.deleteProperty(process.env, name);
    process.emitWarning = emitWarning;
  }
}
