import { EventEmitter } from 'eventemitter3';
import { describe, expect, it } from 'vitest';
import type { StatusEvents } from '../../../src/events.js';
import { PubSub, type Rights, type Subscription } from '../../../src/pubsub/pubsub.js';
import { codeOf } from './support.js';

describe('publish and subscribe', () => {
  it('subscribing works before and after publication (table F, 18)', () => {
    const bus = new PubSub();
    const seen: unknown[] = [];
    bus.subscribe('a', (payload) => seen.push(['early', payload]));
    const publication = bus.publish('a');
    bus.subscribe('a', (payload) => seen.push(['late', payload]));
    expect(publication.fire(1)).toBe(2);
    expect(seen).toEqual([
      ['early', 1],
      ['late', 1],
    ]);
  });

  it('hands the same payload to every subscriber, in the order of subscription (table F, 19)', () => {
    const bus = new PubSub();
    const payload = { n: 1 };
    const seen: [number, unknown][] = [];
    for (let i = 0; i < 5; i++) bus.subscribe('a', (given) => seen.push([i, given]));
    bus.publish('a').fire(payload);
    expect(seen.map(([i]) => i)).toEqual([0, 1, 2, 3, 4]);
    expect(seen.every(([, given]) => given === payload)).toBe(true);
  });

  it('a second publication of a name is refused (table F, 21)', () => {
    const bus = new PubSub();
    bus.publish('a');
    expect(codeOf(() => bus.publish('a'))).toBe('USAGE_EVENT_TAKEN');
    expect(codeOf(() => bus.share('a'))).toBe('USAGE_EVENT_TAKEN');
  });

  it('nobody subscribed: nothing happens', () => {
    expect(new PubSub().publish('error').fire(new Error('boom'))).toBe(0);
  });

  it('rescinding gives the name back and leaves the subscriptions', () => {
    const bus = new PubSub();
    const seen: unknown[] = [];
    bus.subscribe('a', (payload) => seen.push(payload));
    const first = bus.publish('a');
    first.rescind();
    first.rescind();
    expect(first.active).toBe(false);
    expect(first.fire('lost')).toBe(0);
    const second = bus.publish('a');
    first.rescind();
    expect(codeOf(() => bus.publish('a'))).toBe('USAGE_EVENT_TAKEN');
    second.fire('kept');
    expect(seen).toEqual(['kept']);
  });

  it('shared publications are counted', () => {
    const bus = new PubSub();
    const one = bus.share('a');
    const two = bus.share('a');
    one.rescind();
    one.rescind();
    expect(bus.listing()).toEqual([{ event: 'a', published: true, subscribers: 0 }]);
    expect(codeOf(() => bus.publish('a'))).toBe('USAGE_EVENT_TAKEN');
    expect(one.fire(1)).toBe(0);
    bus.subscribe('a', () => undefined);
    expect(two.fire(1)).toBe(1);
    two.rescind();
    bus.publish('a');
  });

  it('reserved names are for the owner', () => {
    let owner: Rights<Record<string, unknown>> | undefined;
    const bus = new PubSub({
      reserved: (name) => name.startsWith('PCJ_'),
      own: ['PCJ_OTHER', 'PCJ_READY'],
      owner: (rights) => {
        owner = rights;
      },
    });
    expect(codeOf(() => bus.publish('PCJ_READY'))).toBe('USAGE_EVENT_RESERVED');
    expect(codeOf(() => bus.share('PCJ_X'))).toBe('USAGE_EVENT_RESERVED');
    const seen: unknown[] = [];
    bus.subscribe('PCJ_READY', (payload) => seen.push(payload));
    expect(owner!.fire('PCJ_READY', 1)).toBe(1);
    expect(seen).toEqual([1]);
    expect(bus.listing()).toEqual([
      { event: 'PCJ_OTHER', published: true, subscribers: 0 },
      { event: 'PCJ_READY', published: true, subscribers: 1 },
    ]);
    bus.publish('pcj_ready');
  });

  it.each(['error', 'newListener', 'removeListener', 'close', '__proto__', 'constructor', 'then', '', 'toString', '~'])(
    'S-API-2, A-STZ-11: %j is a name like any other',
    (name) => {
      const bus = new PubSub();
      const seen: unknown[] = [];
      const other: unknown[] = [];
      bus.subscribe('other', (payload) => other.push(payload));
      const subscription = bus.subscribe(name, (payload) => seen.push(payload));
      bus.subscribe(name, () => undefined).cancel();
      const publication = bus.publish(name);
      expect(publication.fire('x')).toBe(1);
      expect(bus.subscribers(name)).toBe(1);
      expect(bus.listing()).toContainEqual({ event: name, published: true, subscribers: 1 });
      subscription.cancel();
      expect(publication.fire('y')).toBe(0);
      expect(bus.publish('other').fire('z')).toBe(1);
      expect([seen, other]).toEqual([['x'], ['z']]);
      expect(({} as Record<string, unknown>)['x']).toBeUndefined();
    },
  );

  it('delivery goes through eventemitter3', () => {
    const emit = EventEmitter.prototype.emit;
    let emitted = 0;
    EventEmitter.prototype.emit = function (this: EventEmitter, ...args: Parameters<typeof emit>) {
      emitted++;
      return emit.apply(this, args);
    } as typeof emit;
    try {
      new PubSub().publish('a').fire(1);
    } finally {
      EventEmitter.prototype.emit = emit;
    }
    expect(emitted).toBe(1);
  });
});

describe('cancel', () => {
  it('ends that subscription only (table F, 20)', () => {
    const bus = new PubSub();
    const seen: string[] = [];
    const one = bus.subscribe('a', () => seen.push('one'));
    bus.subscribe('a', () => seen.push('two'));
    one.cancel();
    one.cancel();
    expect(one.active).toBe(false);
    expect(bus.publish('a').fire(null)).toBe(1);
    expect(seen).toEqual(['two']);
  });

  it('one handler may be subscribed twice, each place is cancelled by itself', () => {
    const bus = new PubSub();
    let calls = 0;
    const handler = () => calls++;
    const one = bus.subscribe('a', handler);
    bus.subscribe('a', handler);
    const publication = bus.publish('a');
    expect(publication.fire(null)).toBe(2);
    one.cancel();
    expect(publication.fire(null)).toBe(1);
    expect(calls).toBe(3);
  });

  it('by handler ends all of its places', () => {
    const bus = new PubSub();
    const handler = () => undefined;
    bus.subscribe('a', handler);
    bus.subscribe('a', handler);
    bus.subscribe('a', () => undefined);
    bus.subscribe('b', handler);
    expect(bus.cancel('a', handler)).toBe(2);
    expect(bus.cancel('a', handler)).toBe(0);
    expect(bus.cancel('nothing', handler)).toBe(0);
    expect([bus.subscribers('a'), bus.subscribers('b')]).toEqual([1, 1]);
    const subscription = bus.subscribe('a', handler);
    expect(bus.cancel(subscription)).toBe(1);
    expect(bus.cancel(subscription)).toBe(0);
    expect(() => bus.cancel({} as Subscription)).toThrow(expect.objectContaining({ code: 'USAGE_SUBSCRIPTION' }));
  });

  it('inside a handler takes effect at once', () => {
    const bus = new PubSub();
    const seen: string[] = [];
    const subscriptions: Subscription[] = [];
    bus.subscribe('a', () => {
      seen.push('first');
      for (const subscription of subscriptions) subscription.cancel();
    });
    subscriptions.push(bus.subscribe('a', () => seen.push('second')));
    subscriptions.push(bus.subscribe('a', () => seen.push('third')));
    bus.subscribe('a', () => seen.push('fourth'));
    const publication = bus.publish('a');
    expect(publication.fire(null)).toBe(2);
    expect(publication.fire(null)).toBe(2);
    expect(seen).toEqual(['first', 'fourth', 'first', 'fourth']);
  });

  it('a handler may cancel itself, and subscribe itself again', () => {
    const bus = new PubSub();
    let calls = 0;
    const again = () => {
      calls++;
      subscription.cancel();
      subscription = bus.subscribe('a', again);
    };
    let subscription = bus.subscribe('a', again);
    const publication = bus.publish('a');
    for (let i = 1; i <= 3; i++) {
      expect(publication.fire(null)).toBe(1);
      expect(calls).toBe(i);
    }
  });

  it('a subscriber added inside a handler is called from the next time on', () => {
    const bus = new PubSub();
    const seen: string[] = [];
    bus.subscribe('a', () => {
      seen.push('old');
      if (seen.length === 1) bus.subscribe('a', () => seen.push('new'));
    });
    bus.subscribe('a', () => seen.push('old too'));
    const publication = bus.publish('a');
    expect(publication.fire(null)).toBe(2);
    expect(seen).toEqual(['old', 'old too']);
    expect(publication.fire(null)).toBe(3);
    expect(seen.slice(2)).toEqual(['old', 'old too', 'new']);
  });

  it('keeps the order when many were cancelled', () => {
    const bus = new PubSub();
    const seen: number[] = [];
    const all = Array.from({ length: 100 }, (_, i) => bus.subscribe('a', () => seen.push(i)));
    all.forEach((subscription, i) => i % 7 === 0 || subscription.cancel());
    bus.subscribe('a', () => seen.push(100));
    bus.publish('a').fire(null);
    expect(seen).toEqual([...Array.from({ length: 15 }, (_, i) => i * 7), 100]);
    expect(bus.subscribers('a')).toBe(16);
  });

  it('A-STZ-12: 100,000 handlers of one event can be added and cancelled', () => {
    const bus = new PubSub();
    let calls = 0;
    const all = Array.from({ length: 100_000 }, () => bus.subscribe('a', () => calls++));
    const publication = bus.publish('a');
    expect(publication.fire(null)).toBe(100_000);
    for (const subscription of all) subscription.cancel();
    expect(publication.fire(null)).toBe(0);
    expect(calls).toBe(100_000);
    publication.rescind();
    expect(bus.listing()).toEqual([]);
  });

  it('a subscription is disposable', () => {
    const bus = new PubSub();
    const subscription = bus.subscribe('a', () => undefined);
    subscription[Symbol.dispose]();
    expect(bus.subscribers('a')).toBe(0);
  });
});

it('listing is sorted by code unit and tells published and subscribed apart', () => {
  const bus = new PubSub();
  bus.publish('b');
  bus.subscribe('B', () => undefined);
  bus.subscribe('a', () => undefined);
  bus.share('a');
  bus.publish('\u{1f600}');
  bus.publish('\uffee');
  expect(bus.listing()).toEqual([
    { event: 'B', published: false, subscribers: 1 },
    { event: 'a', published: true, subscribers: 1 },
    { event: 'b', published: true, subscribers: 0 },
    { event: '\u{1f600}', published: true, subscribers: 0 },
    { event: '\uffee', published: true, subscribers: 0 },
  ]);
});

it('payloads are typed by name', async () => {
  interface Mine {
    'coffee ready': { cups: number };
  }
  const bus = new PubSub<StatusEvents & Mine>();
  bus.subscribe('coffee ready', ({ cups }) => cups.toFixed());
  bus.subscribe('PCJ_READY', ({ jid, resumed }) => `${jid.domain} ${resumed}`);
  // @ts-expect-error -- nobody declared this name
  bus.subscribe('tea ready', () => undefined);
  // @ts-expect-error -- not its payload
  bus.subscribe('coffee ready', (cups: number) => cups);
  // @ts-expect-error -- not its payload
  bus.publish('coffee ready').fire(3);
  const { cups } = (await Promise.race([
    bus.once('coffee ready'),
    Promise.resolve({ cups: 2 }),
  ])) satisfies Mine['coffee ready'];
  expect(cups).toBe(2);

  const open = new PubSub<StatusEvents & Record<string, unknown>>();
  open.subscribe('anything', (payload: { n: number }) => payload.n);
  open.subscribe('PCJ_CONNECTING', ({ host, port }) => `${host}:${port}`);
  // @ts-expect-error -- a status event keeps its type
  open.subscribe('PCJ_CONNECTING', ({ address }) => address as unknown);
});
