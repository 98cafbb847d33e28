import { describe, expect, it } from 'vitest';
import { Fleet, type FleetOptions } from 'xmpp-broker/nats';
import { VALUE_NAMES, VALUES } from '../support/bad-values.js';

const OPTIONS: FleetOptions = {
  connection: { servers: 'nats://127.0.0.1:1', reconnect: false },
  name: 'bots',
  list: () => [],
  broker: () => {
    throw new Error('no accounts');
  },
};

/** What a constructor throws. */
function refused(options: unknown): unknown {
  try {
    return new Fleet(options as FleetOptions);
  } catch (error) {
    return error;
  }
}

describe('new Fleet', () => {
  it.each<[string, object, string]>([
    ['nothing', {}, '4 problems'],
    ['no connection', { ...OPTIONS, connection: 'nats://x' }, 'connection must be a connection to NATS'],
    ['an empty name', { ...OPTIONS, name: '' }, 'name must be a string of 1 to 100 characters'],
    ['a long name', { ...OPTIONS, name: 'x'.repeat(101) }, 'name must be a string of 1 to 100 characters'],
    ['no shards', { ...OPTIONS, shards: 0 }, 'shards must be a whole number from 1 to 4096'],
    ['too many shards', { ...OPTIONS, shards: 4_097 }, 'shards must be a whole number from 1 to 4096'],
    ['a list', { ...OPTIONS, list: ['a@b'] }, 'list must be a function'],
    ['options in place of a function', { ...OPTIONS, broker: {} }, 'broker must be a function'],
    ['none at a time', { ...OPTIONS, maxConnecting: 0 }, 'maxConnecting must be a whole number'],
    ['a short lease', { ...OPTIONS, ttlMs: 1_499 }, 'ttlMs must be a whole number from 1500'],
    ['two replicas', { ...OPTIONS, replicas: 2 }, 'replicas must be 1, 3 or 5'],
    ['a word for setup', { ...OPTIONS, setup: 'no' }, 'setup must be true or false'],
  ])('%s is told', (_, options, text) => {
    const error = refused(options);
    expect(error).toMatchObject({ code: 'USAGE_FLEET', layer: 'usage' });
    expect((error as Error).message).toContain(text);
  });

  it.each(VALUE_NAMES)('%s as its options is told', (name) => {
    expect(refused(VALUES[name]())).toMatchObject({ code: 'USAGE_FLEET' });
  });
});

describe('a fleet without NATS', () => {
  it('start() says that there is none; close() and refresh() settle all the same', async () => {
    const fleet = new Fleet(OPTIONS);
    await expect(fleet.start()).rejects.toMatchObject({ code: 'NATS_UNREACHABLE' });
    await fleet.refresh();
    expect([fleet.shards, fleet.members, fleet.size, fleet.get('a@b'), [...fleet]]).toEqual([[], 0, 0, null, []]);
    await fleet.close();
    await expect(fleet.start()).rejects.toMatchObject({ code: 'USAGE_FLEET' });
  });

  it.each(VALUE_NAMES)('get() and subscribe() of %s do no harm', (name) => {
    const fleet = new Fleet(OPTIONS);
    const value: unknown = VALUES[name]();
    expect(fleet.get(value as string)).toBeNull();
    expect(() => fleet.subscribe(value as 'gained', () => undefined)).toThrow('a Fleet has the events');
  });
});
