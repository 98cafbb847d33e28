// faults A12: a server whose process stands still, while its kernel goes on acknowledging.
import { expect, test } from 'vitest';
import { Broker, JABBERD20_COMPONENT, type BrokerOptions } from 'xmpp-broker';
import { trace } from '../support/trace.js';
import { describeServer, sharedServer, type TestServer } from './harness/index.js';
import { componentOptions, SITES } from './support/component-site.js';

const LIVENESS = { intervalMs: 200, timeoutMs: 3_000 };

/** A link without any traffic but ours stays while the server works, is silent about it, and ends when it does not. */
async function watch(server: TestServer, options: BrokerOptions): Promise<void> {
  const broker = new Broker({ ...options, liveness: LIVENESS });
  try {
    await broker.connect();
    const { closed } = broker;
    // Whatever the server says on its own, it says at once.
    await pause(1_000);
    const recorded = trace(broker);
    // Longer than a link without answers would live.
    await pause(LIVENESS.intervalMs + LIVENESS.timeoutMs + 1_000);
    expect([broker.state, recorded.short.filter((name) => name !== 'NODERECEIVED')]).toEqual(['ready', []]);
    expect(recorded.payloads.filter((payload) => String(payload).includes('probe'))).toEqual([]);
    server.freeze();
    expect(await closed).toMatchObject({ error: { code: 'LIVENESS_TIMEOUT' } });
  } finally {
    server.thaw();
    broker.halt();
  }
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

for (const site of SITES) {
  describeServer(site.name, 'a component of a frozen server', () => {
    const shared = sharedServer(() => site.start());

    test('faults A12: it is found out', async () => {
      const server = await shared();
      await watch(server, componentOptions(site.port(server)));
    });

    if (site.name !== 'jabberd2') return;

    test('faults A12: at the router, too', async () => {
      const server = await shared();
      const own = { connectionType: JABBERD20_COMPONENT, username: 'jabberd' };
      const tls = { ca: server.ca, servername: 'localhost' };
      await watch(server, componentOptions(site.port(server), { ...own, tls }));
    });
  });
}
