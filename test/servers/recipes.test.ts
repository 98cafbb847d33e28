// What servers do with a second connection for one name: each row of scripts/recipes.mjs, which docs/scaling-out.md shows.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Broker, COMPONENT, ROUTER, XMPP, type BrokerOptions } from 'xmpp-broker';
import { NAMES } from '../../scripts/recipes.mjs';
import { describeServer, Ejabberd, Jabberd2, Prosody, type TestServer } from './harness/index.js';

type Row = (typeof NAMES)[number];

const brokers: Broker[] = [];

afterEach(() => {
  for (const broker of brokers.splice(0)) broker.halt();
});

/** What the brokers of a row are given. */
function optionsOf({ name, setting }: Row, { ports, ca }: TestServer): BrokerOptions {
  const port = (of: string): number => (ports as Partial<Record<string, number>>)[of] ?? 0;
  const common = { host: '127.0.0.1', password: 'secret', reconnect: false, logger: false } as const;
  if (name === 'account') {
    const jid = 'alice@localhost/one';
    return { ...common, connectionType: XMPP, port: port('starttls'), jid, tls: { ca } };
  }
  if (name === 'service at the router') {
    const connectionType = ROUTER.with({ multi: true });
    const tls = { policy: 'disabled' } as const;
    const domain = 'shared.localhost';
    return { ...common, connectionType, port: port('router'), domain, username: 'jabberd', tls };
  }
  const domain = setting === null ? 'comp.localhost' : 'kickold.localhost';
  return { ...common, connectionType: COMPONENT, port: port('component') || port('router'), domain };
}

/** What becomes of two connections. */
async function seen(options: BrokerOptions): Promise<Row['second']> {
  const first = new Broker(options);
  const second = new Broker(options);
  brokers.push(first, second);
  await first.connect();
  const { closed } = first;
  try {
    await second.connect();
  } catch {
    expect(first.state).toBe('ready');
    return 'refused';
  }
  const left = await Promise.race([closed, answered(second)]);
  return left === null ? 'shares' : 'replaces';
}

/** Behind what the server tells the first one, if it does: null. */
async function answered(broker: Broker): Promise<null> {
  await broker.shutdown();
  return null;
}

const SERVERS = {
  Prosody: ['prosody', () => Prosody.start()],
  ejabberd: ['ejabberd', () => Ejabberd.start()],
  jabberd2: ['jabberd2', () => Jabberd2.start()],
} as const;

for (const [title, [name, start]] of Object.entries(SERVERS)) {
  describeServer(name, 'a second connection for one name', () => {
    let server: TestServer;
    beforeAll(async () => {
      server = await start();
    });
    afterAll(async () => {
      await server.dispose();
    });

    const rows = NAMES.filter((row) => row.server === title);
    test.each(rows)('L-2 $name, $setting: $second', async (row) => {
      expect(await seen(optionsOf(row, server))).toBe(row.second);
    });
  });
}

describe('the table', () => {
  test('gives a recipe to all names of which the server takes a second connection', () => {
    for (const { second, recipe } of NAMES) {
      expect(recipe).toBe({ refused: null, replaces: 'standby', shares: 'shared' }[second]);
    }
  });
});
