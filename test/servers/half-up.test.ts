import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Broker, BrokerOptions } from 'xmpp-broker';
import { describeServer, Ejabberd, Prosody, type TestServer } from './harness/index.js';
import { Clients } from './support/client-site.js';
import { Brokers } from './support/component-site.js';

/** Long enough for a server that is down, short enough for a test. */
const SOON: Partial<BrokerOptions> = { reconnect: { firstDelayMs: 100, maxDelayMs: 500 } };

/** Changes the configuration of a server that is not running. */
function configure(server: TestServer, file: string, change: (text: string) => string): void {
  const path = join(server.directory, file);
  const text = readFileSync(path, 'utf8');
  const changed = change(text);
  if (changed === text) throw new Error(`nothing to change in ${file}`);
  writeFileSync(path, changed);
}

/** A name that nobody asks for. */
const absent = (name: string): string => name.replace(/^"?/, '$&absent.');

/** Stops the server, starts it without a name, waits for the refusal, and gives the name back. */
async function missing(broker: Broker, server: TestServer, file: string, name: string): Promise<string | undefined> {
  const refused = new Promise<string | undefined>((resolve) => {
    for (const event of ['PCJ_CONNECTFAIL', 'PCJ_AUTHFAIL'] as const) {
      broker.subscribe(event, ({ layer, condition }) => {
        if (layer !== 'tcp') resolve(condition);
      });
    }
  });
  await server.kill();
  configure(server, file, (text) => text.replaceAll(name, absent(name)));
  await server.start();
  const condition = await refused;
  const back = broker.events.once('PCJ_READY');
  await server.kill();
  configure(server, file, (text) => text.replaceAll(absent(name), name));
  await server.start();
  await back;
  return condition;
}

describeServer('prosody', 'restarted without a name', () => {
  test('faults A2: a component is refused for a while, and comes back with the name', async () => {
    await using server = await Prosody.start();
    await using brokers = new Brokers();
    const broker = await brokers.ready(server.ports.component, SOON);
    const condition = await missing(broker, server, 'prosody.cfg.lua', 'comp.localhost');
    expect(condition).toBe('host-unknown');
    expect(broker.state).toBe('ready');
  });

  test('faults A2: a client is refused for a while, and comes back with the name', async () => {
    await using server = await Prosody.start({
      extra: 'VirtualHost "half.test"',
      users: [{ user: 'alice', password: 'secret', domain: 'half.test' }],
      certificate: { names: [{ dns: 'half.test' }] },
    });
    await using clients = new Clients();
    const { broker } = await clients.ready(server, { ...SOON, domain: 'half.test' });
    const condition = await missing(broker, server, 'prosody.cfg.lua', '"half.test"');
    expect(condition).toBe('host-unknown');
    expect(broker.state).toBe('ready');
  });
});

describeServer('ejabberd', 'restarted without a name', () => {
  test('faults A2: a component is refused for a while, and comes back with the name', async () => {
    await using server = await Ejabberd.start();
    await using brokers = new Brokers();
    const broker = await brokers.ready(server.ports.component, SOON);
    const condition = await missing(broker, server, 'ejabberd.yml', 'comp.localhost');
    expect(condition).toBe('not-authorized');
    expect(broker.state).toBe('ready');
  });
});
