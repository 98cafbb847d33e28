// What each server does with more than one connection for one component name: what docs say of JABBERD14_COMPONENT.
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { Broker, JABBERD14_COMPONENT, xml, type BrokerOptions } from 'xmpp-broker';
import { failure } from '../support/failure.js';
import { describeServer, Ejabberd, Jabberd2, Prosody, type TestServer } from './harness/index.js';

const brokers: Broker[] = [];

afterEach(async () => {
  await Promise.all(brokers.splice(0).map((broker) => broker.shutdown()));
});

function component(port: number, domain: string, options: Partial<BrokerOptions> = {}): Broker {
  const broker = new Broker({
    connectionType: JABBERD14_COMPONENT,
    host: '127.0.0.1',
    port,
    domain,
    password: 'secret',
    reconnect: { firstDelayMs: 50, maxDelayMs: 100 },
    logger: false,
    ...options,
  });
  brokers.push(broker);
  return broker;
}

async function ready(port: number, domain: string, options: Partial<BrokerOptions> = {}): Promise<Broker> {
  const broker = component(port, domain, options);
  await broker.connect();
  return broker;
}

/** Sends messages from a third component and tells how many each of the others got, when all have arrived. */
async function spread(sender: Broker, receivers: readonly Broker[], froms: readonly string[]): Promise<number[]> {
  const counts = receivers.map(() => 0);
  const subscriptions: { cancel(): void }[] = [];
  const run = String(Math.random());
  await new Promise<void>((resolve) => {
    receivers.forEach((receiver, index) => {
      subscriptions.push(
        receiver.subscribe('PCJ_NODERECEIVED', (node) => {
          if (node.getAttribute('id') !== run) return;
          counts[index]! += 1;
          if (counts.reduce((sum, count) => sum + count) === froms.length) resolve();
        }),
      );
    });
    for (const from of froms) {
      sender.output(xml('message', { to: receivers[0]!.config.domain, from, id: run }, xml('body', {}, 'x')));
    }
  });
  for (const subscription of subscriptions) subscription.cancel();
  return counts;
}

const senders = (domain: string, count: number) =>
  Array.from({ length: count }, (_, n) => `user${String(n)}@${domain}`);

describeServer('prosody', 'several connections for one name', () => {
  let server: TestServer<'component'>;
  beforeAll(async () => {
    server = await Prosody.start();
  });
  afterAll(async () => {
    await server.dispose();
  });

  test('the second is refused with conflict; the first goes on', async () => {
    const { component: port } = server.ports;
    const first = await ready(port, 'comp.localhost');
    expect(await failure(component(port, 'comp.localhost').connect())).toMatchObject({ condition: 'conflict' });
    expect(first.state).toBe('ready');
  });

  test('kick_old: the second takes over, and the first does not fight for the name', async () => {
    const { component: port } = server.ports;
    const first = await ready(port, 'kickold.localhost');
    const { closed } = first;
    const second = await ready(port, 'kickold.localhost');
    expect(await closed).toMatchObject({ error: { condition: 'conflict', retryable: false } });
    expect([first.state, second.state]).toEqual(['disconnected', 'ready']);
  });
});

describeServer('ejabberd', 'several connections for one name', () => {
  let server: TestServer<'component'>;
  beforeAll(async () => {
    server = await Ejabberd.start();
  });
  afterAll(async () => {
    await server.dispose();
  });

  test('without domain_balancing each stanza goes to any of them; when one leaves, to the other', async () => {
    const { component: port } = server.ports;
    const pair = [await ready(port, 'comp.localhost'), await ready(port, 'comp.localhost')];
    const sender = await ready(port, 'comp2.localhost');
    const froms = senders('comp2.localhost', 60);
    const counts = await spread(sender, pair, froms);
    expect(Math.min(...counts)).toBeGreaterThan(0);
    await pair[0]!.shutdown();
    expect(await spread(sender, [pair[1]!], froms)).toEqual([60]);
  });
});

describeServer('jabberd2', 'several connections for one name', () => {
  let server: TestServer<'router'>;
  beforeAll(async () => {
    server = await Jabberd2.start();
  });
  afterAll(async () => {
    await server.dispose();
  });

  test('the bare address of the sender decides; when one leaves, the other takes everything', async () => {
    const { router: port } = server.ports;
    const pair = [await ready(port, 'comp.localhost'), await ready(port, 'comp.localhost')];
    const sender = await ready(port, 'comp2.localhost');
    const one = await spread(
      sender,
      pair,
      Array.from({ length: 20 }, (_, n) => `same@comp2.localhost/${String(n)}`),
    );
    expect(one.toSorted((a, b) => a - b)).toEqual([0, 20]);
    const many = await spread(sender, pair, senders('comp2.localhost', 60));
    expect(Math.min(...many)).toBeGreaterThan(0);
    await pair[0]!.shutdown();
    expect(await spread(sender, [pair[1]!], senders('comp2.localhost', 60))).toEqual([60]);
  });
});
