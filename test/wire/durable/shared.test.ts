// A queue into which other processes put stanzas, as its holder sees it: what came before the link was ready is held, sent
// or dropped as if it had been output here; what is newer goes out at once.
import { describe, expect, it, vi } from 'vitest';
import {
  BrokerError,
  xml,
  type BrokerOptions,
  type OpenStore,
  type PurgeSelection,
  type QueueStore,
  type StoredStanza,
  type StoreOwner,
  type Ticket,
} from 'xmpp-broker';
import { COMPONENT, DOMAIN } from '../support/component.js';
import { failure, stopClock, useRig, type Ready } from '../support/index.js';

const rig = useRig(COMPONENT);

const textOf = (key: string): string => `<message to='bob@localhost' from='${DOMAIN}'><body>${key}</body></message>`;

const MOMENT = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A store that other processes put stanzas into, and say what they like. */
class SharedStore implements QueueStore {
  readonly name = 'shared';
  owner!: StoreOwner;
  /** Position of the newest stanza. */
  position = 0;
  /** What is told of it; the test may have it wait or fail. */
  newest: () => unknown = () => this.position;
  /** What it says of itself when it is opened. */
  says: Partial<OpenStore> = {};
  readonly ended: string[] = [];

  open(owner: StoreOwner): Promise<OpenStore> {
    this.owner = owner;
    return Promise.resolve({
      epoch: 1,
      held: [],
      session: null,
      newest: async () => (await this.newest()) as number,
      commit: (changes) => {
        for (const change of changes) if (change.kind === 'end') this.ended.push(`${change.key} ${change.outcome}`);
        return Promise.resolve();
      },
      close: () => Promise.resolve(),
      ...this.says,
    });
  }

  stanza(key: string, given: Partial<StoredStanza> = {}): StoredStanza {
    this.position += 1;
    return {
      ...{ key, position: this.position, xml: textOf(key), xmlns: null, at: Date.now(), handed: null },
      ...{ possibleDuplicate: false, attempts: 0, faults: 0, ...given },
    };
  }

  /** Another process puts a stanza, and this one hears of it. */
  put(...keys: string[]): void {
    this.owner.arrived(keys.map((key) => this.stanza(key)));
  }
}

const store = (): SharedStore => new SharedStore();

const withStore = (queue: BrokerOptions['queue']): Partial<BrokerOptions> => ({ queue });

/** What the queue takes where nothing else is said. */
const MOST_BYTES = 32 * 1024 * 1024;

/** What stanzas cost in a queue: their text, and 256 bytes for each. */
const costOf = (...keys: string[]): number => keys.reduce((sum, key) => sum + 256 + textOf(key).length, 0);

const held = ({ broker }: Pick<Ready, 'broker'>): string[] => [...broker.queue].map(({ key }) => key);

/** What was written of those, when one that is written last has arrived. */
async function written({ broker, server }: Ready): Promise<string[]> {
  broker.output(xml('message', { to: 'bob@localhost', from: DOMAIN }, xml('body', {}, 'last')));
  const text = await server.expect('<body>last</body></message>');
  return [...text.matchAll(/<body>(\w+)<\/body>/g)].map(([, key]) => key ?? '').filter((key) => key !== 'last');
}

describe('a stanza that another process put', () => {
  it.each<[string, NonNullable<BrokerOptions['queue']>['onReady'], string[], string[]]>([
    ['hold', 'hold', ['new'], ['old1', 'old2']],
    ['send', 'send', ['old1', 'old2', 'new'], []],
    ['drop', 'drop', ['new'], []],
    [
      'a function',
      ({ key }: Ticket) => (key === 'old1' ? 'send' : key === 'old2' ? 'drop' : 'hold'),
      ['old1', 'new'],
      [],
    ],
    [
      'a function that throws',
      () => {
        throw new Error('oops');
      },
      ['new'],
      ['old1', 'old2'],
    ],
  ])('before the link was ready, with onReady %s; what is newer goes out at once', async (_, onReady, sent, left) => {
    const shared = store();
    const asked: (() => void)[] = [];
    shared.newest = () => new Promise((resolve) => asked.push(() => resolve(2)));
    const ready = await rig.ready(withStore({ store: shared, onReady }));
    const failed = vi.fn();
    const queued = vi.fn();
    ready.broker.subscribe('PCJ_HANDLERERROR', failed);
    ready.broker.subscribe('PCJ_NODEQUEUED', queued);
    shared.put('old1', 'old2', 'new');
    expect(held(ready)).toEqual([]);
    expect(shared.owner.room().stanzas).toBe(10_000 - 3);
    expect(MOST_BYTES - shared.owner.room().bytes).toBe(costOf('old1', 'old2', 'new'));
    for (const answer of asked) answer();
    await MOMENT();
    expect(await written(ready)).toEqual(sent);
    expect(held(ready)).toEqual(left);
    expect(failed.mock.calls.map(([payload]) => (payload as { event: string }).event)).toEqual(
      left.length > 0 && onReady !== 'hold' ? ['queue.onReady', 'queue.onReady'] : [],
    );
    expect(queued).toHaveBeenCalledTimes(left.length);
  });

  it('is behind what was there, and not lost, when it comes while the store is being opened', async () => {
    const shared = store();
    const open = shared.open.bind(shared);
    shared.says = { held: [shared.stanza('1'), shared.stanza('2')] };
    shared.open = async (owner) => {
      const opened = await open(owner);
      shared.put('3', '4');
      expect(owner.room().stanzas).toBe(10_000 - 2);
      expect(MOST_BYTES - owner.room().bytes).toBe(costOf('3', '4'));
      await MOMENT();
      shared.put('5');
      return opened;
    };
    const ready = await rig.ready(withStore({ store: shared, onReady: 'hold' }));
    expect(held(ready)).toEqual(['1', '2', '3', '4', '5']);
    expect(shared.owner.room().stanzas).toBe(10_000 - 5);
    expect(MOST_BYTES - shared.owner.room().bytes).toBe(ready.broker.queue.bytes);
  });

  it('a store that is lost while it is being opened is opened again', async () => {
    const shared = store();
    const open = shared.open.bind(shared);
    let opened = 0;
    shared.open = async (owner) => {
      const store = await open(owner);
      opened += 1;
      if (opened > 1) return store;
      shared.put('early');
      owner.fenced(new BrokerError('QUEUE_FENCED', 'somebody else has it', { layer: 'queue', retryable: true }));
      return store;
    };
    const reconnect = { initial: true, firstDelayMs: 1, maxDelayMs: 1 };
    const ready = await rig.ready({ ...withStore({ store: shared, onReady: 'hold' }), reconnect });
    expect([opened, held(ready)]).toEqual([2, []]);
  });

  it('stays in the store when a handler halts the broker as the one before it is told', async () => {
    const shared = store();
    const ready = await rig.ready(withStore({ store: shared, onReady: 'hold' }));
    ready.server.reset();
    await ready.broker.events.once('PCJ_SOCKETDISCONNECT');
    const { queue } = ready.broker;
    ready.broker.subscribe('PCJ_NODEQUEUED', () => ready.broker.halt());
    shared.put('1', '2', '3');
    expect([queue.size, shared.ended]).toEqual([0, []]);
  });

  it('is held while there is no link, and once', async () => {
    const shared = store();
    const { broker } = rig.broker(await rig.listen(), withStore({ store: shared }));
    await broker.openQueue();
    shared.put('1');
    shared.put('1');
    expect([...broker.queue].map(({ key }) => key)).toEqual(['1']);
  });

  it('is held when the link ends before the store has said what is old', async () => {
    const shared = store();
    shared.newest = () => new Promise(() => undefined);
    const ready = await rig.ready(withStore({ store: shared }));
    shared.put('1', '2');
    expect(held(ready)).toEqual([]);
    const gone = ready.broker.events.once('PCJ_SOCKETDISCONNECT');
    ready.server.destroy();
    await gone;
    expect(held(ready)).toEqual(['1', '2']);
  });

  it('waits for a store that cannot say what is old, which is asked again', async () => {
    const shared = store();
    const clock = stopClock();
    let asked = 0;
    shared.newest = () => {
      asked += 1;
      if (asked === 1) throw new Error('away');
      return asked === 2 ? 'none' : 0;
    };
    const ready = await rig.ready(withStore({ store: shared }));
    shared.put('1');
    await clock.pass(1_000);
    expect(held(ready)).toEqual([]);
    await clock.pass(1_000);
    expect(asked).toBe(3);
    expect(await written(ready)).toEqual(['1']);
  });

  it('means nothing any more when the queue was let go of', async () => {
    const shared = store();
    const ready = await rig.ready(withStore({ store: shared }));
    await ready.broker.shutdown();
    shared.put('1');
    expect(held(ready)).toEqual([]);
  });
});

describe('a purge', () => {
  it('means what was there, also what comes behind it', async () => {
    const shared = store();
    shared.position = 4;
    const ready = await rig.ready(withStore({ store: shared, onReady: 'hold' }));
    await MOMENT();
    const failed = vi.fn();
    ready.broker.subscribe('PCJ_HANDLERERROR', failed);
    ready.broker.queue.send(({ key }) => {
      if (key === 'odd') throw new Error('oops');
      return key === 'meant';
    });
    await MOMENT();
    const old = (key: string, position: number): StoredStanza => ({ ...shared.stanza(key), position });
    shared.owner.arrived([old('meant', 2), old('other', 3), old('odd', 4)]);
    shared.put('new');
    expect(await written(ready)).toEqual(['meant', 'new']);
    expect(held(ready)).toEqual(['other', 'odd']);
    expect(failed).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ event: 'queue.send' }));
    // All of it.
    ready.broker.queue.send();
    await MOMENT();
    shared.owner.arrived([old('late', 3)]);
    expect(await written(ready)).toEqual(['other', 'odd', 'late']);
  });

  it.each<[string, PurgeSelection, string[]]>([
    ['everything', {}, ['a', 'b', 'c', 'd']],
    ['keys', { keys: ['a', 'd', 'none'] }, ['a', 'd']],
    ['kinds', { names: ['presence'] }, ['c']],
    ['an address', { to: 'carol@localhost' }, ['b']],
    ['what is young', { youngerThanMs: 60_000 }, ['a', 'b', 'c']],
    ['what is old', { olderThanMs: 60_000 }, ['d']],
    ['what may have arrived', { possibleDuplicate: true }, ['d']],
    ['what cannot have', { possibleDuplicate: false, limit: 2 }, ['a', 'b']],
    ['the oldest', { limit: 1 }, ['a']],
    ['none', { limit: 0 }, []],
  ])('that was asked for elsewhere picks %s', async (_, selection, picked) => {
    const shared = store();
    const allows = vi.fn(() => true);
    const { broker } = rig.broker(await rig.listen(), withStore({ store: shared, remotePurge: allows }));
    await broker.openQueue();
    const to = (name: string, kind = 'message') => ({ xml: `<${kind} to='${name}@localhost' from='${DOMAIN}'/>` });
    shared.owner.arrived([
      shared.stanza('a', to('bob')),
      shared.stanza('b', to('carol')),
      shared.stanza('c', to('bob', 'presence')),
      shared.stanza('d', { ...to('bob'), at: Date.now() - 3_600_000, possibleDuplicate: true }),
    ]);
    expect(shared.owner.drop(selection, 'ops')).toBe(picked.length);
    expect(held({ broker })).toEqual(['a', 'b', 'c', 'd'].filter((key) => !picked.includes(key)));
    expect(allows).toHaveBeenCalledExactlyOnceWith(selection, 'ops');
    expect(shared.owner.purge({}, 'ops')).toBe(0);
  });

  it.each<[string, NonNullable<BrokerOptions['queue']>['remotePurge'], boolean]>([
    ['true', true, true],
    ['nothing', undefined, false],
    ['false', false, false],
    ['a function that says no', () => false, false],
    [
      'a function that throws',
      () => {
        throw new Error('oops');
      },
      false,
    ],
  ])('that was asked for elsewhere, allowed by %s', async (how, remotePurge, isAllowed) => {
    const shared = store();
    const ready = await rig.ready(withStore({ store: shared, ...(remotePurge === undefined ? {} : { remotePurge }) }));
    const failed = vi.fn();
    ready.broker.subscribe('PCJ_HANDLERERROR', failed);
    const refused = (ask: 'purge' | 'drop') => {
      try {
        return shared.owner[ask]({}, 'ops');
      } catch (error) {
        return (error as BrokerError).code;
      }
    };
    expect([refused('purge'), refused('drop')]).toEqual(
      isAllowed ? [0, 0] : ['QUEUE_PURGE_REFUSED', 'QUEUE_PURGE_REFUSED'],
    );
    expect(failed).toHaveBeenCalledTimes(how.includes('throws') ? 2 : 0);
  });
});

describe('what a holder is asked', () => {
  it('how the queue stands', async () => {
    const shared = store();
    const { broker } = rig.broker(await rig.listen(), withStore({ store: shared }));
    await broker.openQueue();
    const none = { queue: DOMAIN, epoch: 1, state: 'idle', held: 0, possibleDuplicates: 0, bytes: 0, oldestMs: null };
    expect(shared.owner.status()).toEqual({ ...none, unacknowledged: 0 });
    shared.owner.arrived([shared.stanza('1', { possibleDuplicate: true, at: Date.now() - 5_000 })]);
    expect(shared.owner.status()).toMatchObject({ held: 1, possibleDuplicates: 1 });
    expect(shared.owner.status().oldestMs).toBeGreaterThanOrEqual(4_900);
    await broker.shutdown();
    expect(shared.owner.status()).toMatchObject({ epoch: 0 });
  });

  it('a request: its answer is told, an error of the other side, too', async () => {
    const shared = store();
    const { server } = await rig.ready(withStore({ store: shared }));
    const ask = (id: string) =>
      shared.owner.ask(`<iq xmlns='jabber:client' type='get' id='${id}' to='b@c' from='${DOMAIN}'><q xmlns='a'/></iq>`);
    const [good, bad] = [ask('1'), ask('2')];
    await server.expect("id='2'");
    await server.send(`<iq type='result' id='1' from='b@c' to='${DOMAIN}'><r xmlns='a'/></iq>`);
    const said = "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
    await server.send(`<iq type='error' id='2' from='b@c' to='${DOMAIN}'>${said}</iq>`);
    expect(await good).toContain("<r xmlns='a'/>");
    expect(await bad).toContain("type='error'");
    expect(await bad).toContain("xmlns='jabber:client'");
    await expect(shared.owner.ask('<iq/>')).rejects.toBeInstanceOf(BrokerError);
  });
});

describe('what a store says when it is opened', () => {
  it.each<[string, Partial<OpenStore>]>([
    ['no number of a holder', { epoch: undefined as unknown as number }],
    ['nothing that can be read', { held: null as unknown as StoredStanza[] }],
  ])('%s: it has failed', async (_, says) => {
    const shared = store();
    shared.says = says;
    const { broker } = rig.broker(await rig.listen(), withStore({ store: shared }));
    expect(await failure(broker.openQueue())).toMatchObject({ code: 'QUEUE_STORE_FAILED' });
  });

  it('a warning is logged; faults and attempts of earlier lives are remembered', async () => {
    const shared = store();
    shared.says = { warning: 'a broken file was moved aside', held: [shared.stanza('1', { faults: 2, attempts: 3 })] };
    const warn = vi.fn();
    const logger = { debug: vi.fn(), info: vi.fn(), warn, error: vi.fn() };
    const { broker } = rig.broker(await rig.listen(), { ...withStore({ store: shared }), logger });
    await broker.openQueue();
    expect(broker.queue.at(0)).toMatchObject({ faults: 2, attempts: 3 });
    expect(JSON.stringify(warn.mock.calls)).toContain('a broken file was moved aside');
  });

  it('that it takes stanzas of a size: larger ones are refused, also those that were accepted before', async () => {
    const shared = store();
    shared.says = { maxBytes: 200 };
    const { broker } = rig.broker(await rig.listen(), withStore({ store: shared }));
    const message = (size: number) => xml('message', { to: 'bob@localhost' }, xml('body', {}, 'x'.repeat(size)));
    const [small, large] = [broker.output(message(1)), broker.output(message(500))];
    await broker.openQueue();
    await small.stored;
    expect(await failure(large.stored)).toMatchObject({ code: 'STORE_LIMIT' });
    expect(large.state).toBe('failed');
    expect(held({ broker })).toEqual([small.key]);
    expect(() => broker.output(message(500))).toThrow(expect.objectContaining({ code: 'STORE_LIMIT' }) as Error);
    expect(broker.output(message(1)).state).toBe('queued');
  });
});
