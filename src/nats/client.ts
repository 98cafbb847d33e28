// NATS's own client libraries: optional peers, loaded with the first connection.
import type { NatsConnection, NodeConnectionOptions } from '@nats-io/transport-node';
import { BrokerError } from '../errors.js';

export type { NatsConnection, NodeConnectionOptions };

/** The libraries that the room works with. */
export interface NatsClient {
  readonly transport: typeof import('@nats-io/transport-node');
  readonly jetstream: typeof import('@nats-io/jetstream');
  readonly kv: typeof import('@nats-io/kv');
}

let loaded: Promise<NatsClient> | null = null;

/** @throws BrokerError `NATS_NOT_INSTALLED` */
export function loadClient(): Promise<NatsClient> {
  loaded ??= load();
  return loaded;
}

async function load(): Promise<NatsClient> {
  try {
    const [transport, jetstream, kv] = await Promise.all([
      import('@nats-io/transport-node'),
      import('@nats-io/jetstream'),
      import('@nats-io/kv'),
    ]);
    return { transport, jetstream, kv };
  } catch (cause) {
    loaded = null;
    const text =
      'xmpp-broker/nats needs the client of NATS, which cannot be loaded: npm install @nats-io/transport-node @nats-io/jetstream @nats-io/kv';
    throw new BrokerError('NATS_NOT_INSTALLED', text, { layer: 'usage', cause });
  }
}
