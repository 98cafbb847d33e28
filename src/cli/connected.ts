import type { Broker } from '../broker/broker.js';
import type { Terminal } from './command.js';

/** Connects, unless the command is to end before that. @throws BrokerError as `Broker.connect` */
export async function connected(broker: Broker, { signal }: Terminal): Promise<void> {
  await broker.connect({ signal });
}
