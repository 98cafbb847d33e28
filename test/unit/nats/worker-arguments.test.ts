import { afterAll, describe, expect, it } from 'vitest';
import { Broker, JABBERD14_COMPONENT, type BrokerOptions } from 'xmpp-broker';
import { fanOut, Worker, type FanOutOptions, type WorkerOptions } from 'xmpp-broker/nats';
import { VALUE_NAMES, VALUES } from '../support/bad-values.js';

const OPTIONS: BrokerOptions = {
  connectionType: JABBERD14_COMPONENT,
  host: '127.0.0.1',
  port: 1,
  domain: 'comp.localhost',
  password: 'secret',
  acknowledge: 'settled',
  logger: false,
};
const broker = new Broker(OPTIONS);
afterAll(() => broker.halt());

const connection = { servers: 'nats://127.0.0.1:1' };
const groups = { g: ['e'] };
const worker: WorkerOptions = { connection, queue: 'q', group: 'g', handler: () => undefined };

async function failure(run: () => unknown): Promise<unknown> {
  try {
    await run();
    return null;
  } catch (error) {
    return error;
  }
}

describe('fanOut', () => {
  it.each<[string, unknown, string]>([
    ['no options', undefined, 'must be an object'],
    ['nothing in them', {}, '2 problems'],
    ['no groups', { connection, groups: {} }, 'groups has none'],
    ['a list as groups', { connection, groups: ['g'] }, 'groups must be an object'],
    ['a group without events', { connection, groups: { g: [] } }, 'not an empty one'],
    [
      'a group of a word',
      { connection, groups: { g: 'every' } },
      "groups.g must be a list of one or more events of filters, 'all'",
    ],
    [
      'a group of an object without events',
      { connection, groups: { g: { ordered: true } } },
      'events is missing in a group',
    ],
    [
      'a misspelt option of a group',
      { connection, groups: { g: { events: 'all', order: true } } },
      'did you mean groups.g.ordered',
    ],
    ['a status event', { connection, groups: { g: ['PCJ_READY'] } }, 'without "PCJ_READY"'],
    ['the empty name of a group', { connection, groups: { '': 'all' } }, 'a name that is no text'],
    ['half a character as a name', { connection, groups: { g: ['\ud800'] } }, 'groups.g must be'],
    ['too many partitions', { connection, groups, partitions: 65 }, 'from 1 to 64'],
    ['no connection', { connection: 'nats://x', groups }, 'connection must be a connection to NATS'],
  ])('%s is told', async (_, options, text) => {
    const error = await failure(() => fanOut(broker, options as FanOutOptions));
    expect(error).toMatchObject({ code: 'USAGE_FAN_OUT', layer: 'usage' });
    expect((error as Error).message).toContain(text);
  });

  it.each(VALUE_NAMES)('of %s in place of a broker is refused', async (name) => {
    const error = await failure(() => fanOut(VALUES[name] as unknown as Broker, { connection, groups }));
    expect(error).toMatchObject({ code: 'USAGE_FAN_OUT' });
  });

  it('a broker that was halted cannot be fanned out, and nothing stays claimed of one whose NATS is not there', async () => {
    for (let n = 0; n < 2; n += 1) {
      expect(await failure(() => fanOut(broker, { connection, groups }))).toMatchObject({ code: 'NATS_UNREACHABLE' });
    }
    const halted = new Broker(OPTIONS);
    halted.halt();
    expect(await failure(() => fanOut(halted, { connection, groups }))).toMatchObject({
      code: 'USAGE_FAN_OUT',
      message: expect.stringContaining('halted') as string,
    });
  });
});

describe('new Worker', () => {
  it.each<[string, unknown, string]>([
    ['no options', undefined, 'must be an object'],
    ['nothing in them', {}, '4 problems'],
    ['no function', { ...worker, handler: 'x' }, 'handler must be a function'],
    ['an empty group', { ...worker, group: '' }, 'group must be'],
    ['no tries', { ...worker, maxDeliver: 0 }, 'maxDeliver must be a whole number from 1 to 100'],
    ['half a character as a queue', { ...worker, queue: 'a\udc00' }, 'queue must be'],
  ])('%s is told', (_, options, text) => {
    expect(() => new Worker(options as WorkerOptions)).toThrow(
      expect.objectContaining({ code: 'USAGE_WORKER', message: expect.stringContaining(text) as string }),
    );
  });

  it('one whose NATS is not there says so once, waits, and can be closed', async () => {
    const one = new Worker(worker);
    const told: string[] = [];
    one.subscribe('fail', ({ code }) => told.push(code));
    await expect.poll(() => told).toEqual(['NATS_UNREACHABLE']);
    await one.close();
    await one.close();
    expect(await one.closed).toEqual({ clean: true });
    await expect(one.ready).rejects.toMatchObject({ code: 'WORK_CLOSED' });
    expect(told).toHaveLength(1);
    expect(() => one.subscribe('error' as 'fail', () => undefined)).toThrow('fail, retry, dead');
  });
});
