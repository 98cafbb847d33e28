// D-2, D-3: what a program sees of a file that does not work.
import { afterEach, expect, it } from 'vitest';
import { Broker, COMPONENT, xml, type Ticket } from 'xmpp-broker';
import { loadDriver } from '../../src/stores/driver.js';
import { SqliteStore } from '../../src/stores/sqlite-store.js';
import { unpacked } from '../../src/stores/store-faults.js';
import { Writer } from '../../src/stores/writer.js';
import { failure } from '../support/failure.js';
import { trace } from '../support/trace.js';
import { FaultyDriver } from './support/faulty-driver.js';
import { describeStore, file } from './support/place.js';

const brokers: Broker[] = [];
afterEach(async () => {
  for (const broker of brokers.splice(0)) {
    await broker.shutdown();
    broker.halt();
  }
});

/** A store whose SQLite fails when the test wants it, in the thread of the test. */
function storeOf(driver: FaultyDriver, path: string): SqliteStore {
  const settings = { file: path, sync: 'full', onCorrupt: 'refuse', driver: null } as const;
  return new SqliteStore(settings, (data) => {
    const writer = new Writer(data, () => driver.open);
    return {
      ask: async (request) => {
        const reply = await Promise.resolve(writer.handle(request));
        if ('fault' in reply) throw unpacked(reply.fault);
        return reply;
      },
    };
  });
}

function brokerOf(store: SqliteStore): Broker {
  const broker = new Broker({
    connectionType: COMPONENT,
    host: '127.0.0.1',
    port: 1,
    domain: 'comp.localhost',
    password: 'secret',
    logger: false,
    queue: { store },
  });
  brokers.push(broker);
  return broker;
}

const send = (broker: Broker, id: string): Ticket =>
  broker.output(xml('message', { to: 'a@example.org', from: 'comp.localhost', id }));

const idsOf = (broker: Broker) => [...broker.queue].map(({ node }) => node.getAttribute('id'));

describeStore('a broker whose file does not work', () => {
  it.each([
    { what: 'a full disk', result: 13 },
    { what: 'a faulty disk', result: 10 },
    { what: 'a read-only disk', result: 8 },
  ])(
    'D-2, A-Q-3: $what: the ticket fails, output throws, the events tell, and it goes on by itself',
    async ({ result }) => {
      const driver = new FaultyDriver(loadDriver());
      const path = file();
      const broker = brokerOf(storeOf(driver, path));
      const recorded = trace(broker);
      await broker.openQueue();
      await send(broker, 'before').stored;

      Object.assign(driver, { from: driver.calls + 1, times: Infinity, result });
      const ticket = send(broker, 'lost');
      const code = 'QUEUE_STORE_FAILED';
      expect(await failure(ticket.stored)).toMatchObject({ code, retryable: false });
      expect(await failure(ticket.sent)).toMatchObject({ code });
      expect(ticket.state).toBe('failed');
      expect(() => send(broker, 'refused')).toThrow(expect.objectContaining({ code }));
      expect(recorded.last('PCJ_STOREFAIL')).toMatchObject({ code });
      expect(idsOf(broker)).toEqual(['before']);
      // An end waits.
      broker.queue.drop();

      const ready = broker.events.once('PCJ_STOREREADY');
      driver.from = Infinity;
      await ready;
      await send(broker, 'after').stored;
      expect(recorded.short.filter((name) => name.startsWith('STOREFAIL'))).toHaveLength(1);
      await broker.shutdown();

      const next = brokerOf(storeOf(new FaultyDriver(loadDriver()), path));
      expect(await next.openQueue()).toEqual({ held: 1, possibleDuplicates: 0 });
      expect(idsOf(next)).toEqual(['after']);
    },
  );

  it('D-2: a file that cannot be opened: openQueue and connect reject, nobody is dialled, and a later try works', async () => {
    const driver = Object.assign(new FaultyDriver(loadDriver()), { from: 1, times: Infinity, result: 14 });
    const broker = brokerOf(storeOf(driver, file()));
    const recorded = trace(broker);
    expect(await failure(broker.openQueue())).toMatchObject({ code: 'QUEUE_STORE_FAILED' });
    expect(await failure(broker.connect())).toMatchObject({ code: 'QUEUE_STORE_FAILED' });
    expect(recorded.short.join()).not.toContain('CONNECTING');
    driver.from = Infinity;
    expect(await broker.openQueue()).toEqual({ held: 0, possibleDuplicates: 0 });
    await send(broker, 'a').stored;
  });
});
