// Brokers that are fanned out and workers, of one test file: each test has streams of its own on a shared server.
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import { afterEach } from 'vitest';
import type { Broker } from 'xmpp-broker';
import { fanOut, Worker, type FanOut, type FanOutOptions, type Work, type WorkerOptions } from 'xmpp-broker/nats';
import { Nats, type NatsServer } from '../../harness/index.js';

let made = 0;

/** What a worker was given, as far as tests look at it. */
export interface Handled {
  readonly id: string | null;
  readonly event: string;
  readonly delivery: number;
  readonly possibleDuplicate: boolean;
}

export const handled = ({ node, event, delivery, possibleDuplicate }: Work): Handled => ({
  id: node.getAttribute('id'),
  event,
  delivery,
  possibleDuplicate,
});

/** Ends what a test made, the newest first. */
export class Crew {
  readonly #open: AsyncDisposable[] = [];
  #prefix = '';

  /** The prefix of the test that runs. */
  get prefix(): string {
    if (this.#prefix === '') this.#prefix = `t${(made += 1)}`;
    return this.#prefix;
  }

  add<T extends AsyncDisposable>(one: T): T {
    this.#open.push(one);
    return one;
  }

  async fanOut(server: NatsServer, broker: Broker, options: Omit<FanOutOptions, 'connection'>): Promise<FanOut> {
    return this.add(
      await fanOut(broker, { connection: { servers: Nats.url(server) }, prefix: this.prefix, ...options }),
    );
  }

  worker(server: NatsServer, options: Omit<WorkerOptions, 'connection'>): Worker {
    return this.add(new Worker({ connection: { servers: Nats.url(server) }, prefix: this.prefix, ...options }));
  }

  async connection(server: NatsServer): Promise<NatsConnection> {
    return this.add(await connect({ servers: Nats.url(server) }));
  }

  async manager(server: NatsServer): Promise<JetStreamManager> {
    return jetstreamManager(await this.connection(server));
  }

  async clear(): Promise<void> {
    for (const one of this.#open.splice(0).reverse()) {
      if (one instanceof Worker) await one.close({ timeoutMs: 1 });
      else await one[Symbol.asyncDispose]();
    }
    this.#prefix = '';
  }
}

/** The crew of a test file; what a test has left ends with it. */
export function useCrew(): Crew {
  const crew = new Crew();
  afterEach(() => crew.clear());
  return crew;
}
