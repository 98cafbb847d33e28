import { LoopbackServer, type LoopbackOptions } from 'xmpp-broker/testing';
import type { Signable } from './client-site.js';

/** The loopback server, where cases of the real servers want one. */
export interface LoopbackSite extends Signable {
  restart(): Promise<void>;
  dispose(): Promise<void>;
}

/** With the users that the real servers have. */
export async function startLoopback(options: LoopbackOptions = {}): Promise<LoopbackSite> {
  const server = await LoopbackServer.start({ accounts: { alice: 'secret', bob: 'secret' }, ...options });
  return {
    host: server.host,
    domain: server.domain,
    ca: server.ca,
    ports: { starttls: server.ports.client, directTls: server.ports.clientDirectTls },
    restart: () => server.restart(),
    dispose: () => server.stop(),
  };
}
