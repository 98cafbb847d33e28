import type { Broker } from '../broker/broker.js';

/** The bare address that a broker signs in with: what tells it from others. */
export function accountOf({ config }: Broker): string {
  return config.username === undefined ? config.domain : `${config.username}@${config.domain}`;
}
