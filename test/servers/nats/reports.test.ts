// What became of stanzas, told to producers that do not listen just then.
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { expect, it } from 'vitest';
import { openLink, type NatsLink } from '../../../src/nats/connection.js';
import { FRESH } from '../../../src/nats/marks.js';
import { Reports, reportsOf } from '../../../src/nats/reports.js';
import { Subjects } from '../../../src/nats/subjects.js';
import { describeServer, Nats, type NatsServer } from '../harness/index.js';
import { useEndings } from './support/queue-world.js';
import { useNothingThrown } from '../../support/nothing-thrown.js';

const atEnd = useEndings();
useNothingThrown();

const WAIT = { timeout: 15_000 };
const subjects = new Subjects();

describeServer('nats', 'reports', () => {
  async function start(): Promise<{ nats: NatsServer; link: NatsLink; reports: Reports }> {
    const nats = await Nats.start();
    atEnd(() => nats.dispose());
    const link = await openLink({ servers: Nats.url(nats), reconnectTimeWait: 50 }, 'holder');
    atEnd(() => link.release());
    const reports = new Reports(link, subjects, false);
    atEnd(() => {
      reports.close();
      return Promise.resolve();
    });
    return { nats, link, reports };
  }

  function tell(reports: Reports, ...keys: readonly string[]): void {
    const ended = keys.map((key, at) => {
      const entry = { key, sequence: at, ticket: { producer: 'shop', key }, mark: FRESH, at: null, reply: null };
      return { entry, outcome: 'sent' as const, code: undefined, mark: FRESH };
    });
    reports.tell('q', ended);
  }

  /** Keys that somebody hears of from now on. */
  function hear(connection: NatsConnection): string[] {
    const keys: string[] = [];
    connection.subscribe(subjects.ticket('shop'), {
      callback: (_, message) => {
        for (const { key } of reportsOf(message.string()) ?? []) if (!keys.includes(key)) keys.push(key);
      },
    });
    return keys;
  }

  async function connected(nats: NatsServer): Promise<NatsConnection> {
    const connection = await connect({ servers: Nats.url(nats), maxReconnectAttempts: -1, reconnectTimeWait: 50 });
    atEnd(() => connection.close());
    return connection;
  }

  it('wait for a producer that does not listen yet', async () => {
    const { nats, link, reports } = await start();
    for (const key of ['1', '2', '3']) tell(reports, key);
    await link.connection.flush();
    tell(reports, '4', '5');
    const heard = hear(await connected(nats));
    await expect.poll(() => heard, WAIT).toEqual(['1', '2', '3', '4', '5']);
  });

  it('are told again when NATS was killed', async () => {
    const { nats, link, reports } = await start();
    const heard = hear(await connected(nats));
    tell(reports, '1');
    await expect.poll(() => heard).toEqual(['1']);
    const down = lost(link.connection);
    await nats.kill();
    await down;
    tell(reports, '2', '3');
    await nats.start();
    await expect.poll(() => heard, WAIT).toEqual(['1', '2', '3']);
  });

  it('are told once where somebody listens', async () => {
    const { nats, reports } = await start();
    const connection = await connected(nats);
    const told: string[] = [];
    connection.subscribe(subjects.ticket('shop'), { callback: (_, message) => void told.push(message.string()) });
    await connection.flush();
    const keys = Array.from({ length: 600 }, (_, at) => String(at));
    tell(reports, ...keys);
    tell(reports, 'last');
    await expect.poll(() => told.some((text) => text.includes('last')), WAIT).toBe(true);
    expect(told.flatMap((text) => reportsOf(text) ?? []).map(({ key }) => key)).toEqual([...keys, 'last']);
  });
});

async function lost(connection: NatsConnection): Promise<void> {
  for await (const { type } of connection.status()) if (type === 'disconnect') return;
}
