import { EventEmitter } from 'eventemitter3';
import { describe, expect, it } from 'vitest';
import { BrokerError } from '../../../src/errors.js';
import type { StatusEvents } from '../../../src/events.js';
import { PubSub, type Owner, type Publication, type Subscription } from '../../../src/pubsub/pubsub.js';

const codeOf = (action: () => unknown): string => {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(BrokerError);
    return (error as BrokerError).code;
  }
  return 'nothing thrown';
};

const rejection = async (promise: Promise<unknown>): Promise<BrokerError> => {
  const error: unknown = await promise.then(
    () => new Error('resolved'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(BrokerError);
  return error as BrokerError;
};

function watched() {
  const errors: [string, unknown][] = [];
  const bus = new PubSub({ onHandlerError: (error, event) => errors.push([event, error]) });
  return { bus, errors };
}

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
    let owner: Owner<Record<string, unknown>> | undefined;
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

describe('once and signals', () => {
  it('once: called once, cancelled before it is called', () => {
    const bus = new PubSub();
    const publication = bus.publish('a');
    const seen: unknown[] = [];
    bus.subscribe(
      'a',
      (payload) => {
        seen.push(payload);
        publication.fire('nested');
      },
      { once: true },
    );
    expect(publication.fire(1)).toBe(1);
    expect(publication.fire(2)).toBe(0);
    expect(seen).toEqual([1]);
  });

  it('an aborted signal cancels, and is let go of', () => {
    const bus = new PubSub();
    const controller = new AbortController();
    const { signal } = controller;
    const listeners = new Set<unknown>();
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners.add(args[1]);
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners.delete(args[1]);
      remove(...args);
    };
    const kept = bus.subscribe('a', () => undefined, { signal });
    const cancelled = bus.subscribe('a', () => undefined, { signal });
    bus.subscribe('a', () => undefined, { signal, once: true });
    expect(listeners.size).toBe(3);
    cancelled.cancel();
    expect(listeners.size).toBe(2);
    bus.publish('a').fire(null);
    expect(listeners.size).toBe(1);
    expect(kept.active).toBe(true);
    controller.abort();
    expect(kept.active).toBe(false);
    expect(bus.subscribers('a')).toBe(0);
  });

  it('a signal that is aborted already: cancelled from the start', async () => {
    const bus = new PubSub();
    const signal = AbortSignal.abort(new Error('no'));
    expect(bus.subscribe('a', () => undefined, { signal }).active).toBe(false);
    expect((await rejection(bus.once('a', { signal }))).code).toBe('EVENT_ABORTED');
    expect((await rejection(bus.iterate('a', { signal }).next())).code).toBe('EVENT_ABORTED');
    expect(bus.listing()).toEqual([]);
  });

  it('once() resolves with the next payload', async () => {
    const bus = new PubSub();
    const publication = bus.publish('a');
    const promise = bus.once('a');
    publication.fire(1);
    publication.fire(2);
    expect(await promise).toBe(1);
    expect(bus.subscribers('a')).toBe(0);
  });

  it('once() rejects when aborted, with the reason as cause; nobody has to look', async () => {
    const bus = new PubSub();
    const controller = new AbortController();
    const promise = bus.once('a', { signal: controller.signal });
    void bus.once('a', { signal: controller.signal });
    const reason = new Error('enough');
    controller.abort(reason);
    const error = await rejection(promise);
    expect([error.code, error.cause]).toEqual(['EVENT_ABORTED', reason]);
    expect(bus.subscribers('a')).toBe(0);
  });
});

describe('S-API-1: faults in handlers', () => {
  it('a handler that throws is reported and stops nobody', () => {
    const { bus, errors } = watched();
    const seen: string[] = [];
    bus.subscribe('a', () => {
      throw new Error('boom');
    });
    bus.subscribe('a', () => seen.push('second'));
    expect(bus.publish('a').fire(null)).toBe(2);
    expect(seen).toEqual(['second']);
    expect(errors).toMatchObject([['a', { message: 'boom' }]]);
  });

  it('a handler that rejects is reported', async () => {
    const { bus, errors } = watched();
    bus.subscribe('a', () => Promise.reject(new Error('later')));
    bus.subscribe('a', async () => {
      await Promise.resolve();
      throw new Error('later still');
    });
    const promises: Promise<void>[] = [];
    expect(bus.publish('a').fire(null, promises)).toBe(2);
    expect(promises).toHaveLength(2);
    expect(await Promise.all(promises)).toEqual([undefined, undefined]);
    expect(errors.map(([, error]) => (error as Error).message)).toEqual(['later', 'later still']);
  });

  it('promises are collected for the one who fires, also when handlers fire other events', async () => {
    const { bus } = watched();
    const inner = bus.publish('inner');
    const innerPromises: Promise<void>[] = [];
    bus.subscribe('outer', () => {
      expect(inner.fire(null, innerPromises)).toBe(1);
      expect(inner.fire(null)).toBe(1);
    });
    bus.subscribe('outer', () => Promise.resolve('outer'));
    bus.subscribe('inner', () => Promise.resolve('inner'));
    const promises: Promise<void>[] = [];
    expect(bus.publish('outer').fire(null, promises)).toBe(2);
    expect([promises.length, innerPromises.length]).toEqual([1, 1]);
    await Promise.all([...promises, ...innerPromises]);
  });

  it('odd values and thenables returned by handlers do no harm', async () => {
    const { bus, errors } = watched();
    const promises: Promise<void>[] = [];
    const evil = {
      get then(): never {
        throw new Error('getter');
      },
    };
    const thenable = { then: (_: unknown, reject: (reason: unknown) => void) => reject(new Error('thenable')) };
    for (const value of [0, '', null, [], { then: 7 }, evil, thenable, Symbol('x')]) bus.subscribe('a', () => value);
    expect(bus.publish('a').fire(null, promises)).toBe(8);
    await Promise.all(promises);
    expect(errors.map(([, error]) => (error as Error).message)).toEqual(['getter', 'thenable']);
  });

  it('A-STZ-12: the error handler may throw, too', async () => {
    const bus = new PubSub({
      onHandlerError: () => {
        throw new Error('worse');
      },
    });
    bus.subscribe('a', () => {
      throw new Error('bad');
    });
    bus.subscribe('a', () => Promise.reject(new Error('bad')));
    const promises: Promise<void>[] = [];
    expect(bus.publish('a').fire(null, promises)).toBe(2);
    await Promise.all(promises);
  });

  it('without an error handler nothing escapes either', async () => {
    const bus = new PubSub();
    bus.subscribe('a', () => Promise.reject(new Error('bad')));
    bus.subscribe('a', () => {
      throw new Error('bad');
    });
    const promises: Promise<void>[] = [];
    expect(bus.publish('a').fire(null, promises)).toBe(2);
    await Promise.all(promises);
  });

  it('A-STZ-12: endless recursion ends in a reported error', async () => {
    const { bus, errors } = watched();
    const publication: Publication<unknown> = bus.publish('a');
    let after = 0;
    bus.subscribe('a', (depth) => {
      publication.fire((depth as number) + 1);
    });
    bus.subscribe('b', () => after++);
    expect(publication.fire(0)).toBe(1);
    await Promise.resolve();
    expect(errors.length).toBeGreaterThan(0);
    expect(bus.publish('b').fire(null)).toBe(1);
    expect(after).toBe(1);
  });

  it('S-API-7: everything may be done inside a handler', () => {
    const { bus, errors } = watched();
    const a = bus.publish('a');
    bus.subscribe('a', () => {
      a.rescind();
      bus.publish('a').rescind();
      bus.share('a').rescind();
      bus.listing();
      expect(a.fire('again')).toBe(0);
    });
    expect(a.fire(null)).toBe(1);
    expect(errors).toEqual([]);
  });

  it('S-STZ-9: payloads are delivered in the order they are fired, each completely', () => {
    const bus = new PubSub();
    const seen: string[] = [];
    const publication = bus.publish('a');
    bus.subscribe('a', (payload) => seen.push(`one ${String(payload)}`));
    bus.subscribe('a', (payload) => seen.push(`two ${String(payload)}`));
    for (const n of [1, 2]) publication.fire(n);
    expect(seen).toEqual(['one 1', 'two 1', 'one 2', 'two 2']);
  });
});

describe('iterate', () => {
  it('misses nothing from the call on', async () => {
    const bus = new PubSub();
    const publication = bus.publish('a');
    const iteration = bus.iterate('a');
    publication.fire(1);
    publication.fire(2);
    const seen: unknown[] = [];
    for await (const payload of iteration) {
      seen.push(payload);
      if (payload === 2) publication.fire(3);
      if (payload === 3) break;
    }
    expect(seen).toEqual([1, 2, 3]);
    expect(bus.subscribers('a')).toBe(0);
  });

  it('waits for what is not there yet, several readers in order', async () => {
    const bus = new PubSub();
    const publication = bus.publish('a');
    const iteration = bus.iterate('a');
    const next = [iteration.next(), iteration.next()];
    publication.fire(undefined);
    publication.fire('b');
    expect(await Promise.all(next)).toEqual([
      { done: false, value: undefined },
      { done: false, value: 'b' },
    ]);
  });

  it('ends with an error at its bound, behind what it holds', async () => {
    const bus = new PubSub();
    const publication = bus.publish('a');
    const iteration = bus.iterate('a', { limit: 3 });
    for (let i = 0; i < 10; i++) publication.fire(i);
    expect(bus.subscribers('a')).toBe(0);
    const seen: unknown[] = [];
    const error = await rejection(
      (async () => {
        for await (const payload of iteration) seen.push(payload);
      })(),
    );
    expect(error.code).toBe('EVENT_BACKLOG');
    expect(seen).toEqual([0, 1, 2]);
    expect(await iteration.next()).toEqual({ done: true, value: undefined });
  });

  it('holds exactly its limit, again and again', async () => {
    const bus = new PubSub();
    const publication = bus.publish('a');
    const iteration = bus.iterate('a', { limit: 2 });
    for (let i = 0; i < 100; i += 2) {
      publication.fire(i);
      publication.fire(i + 1);
      expect(await iteration.next()).toEqual({ done: false, value: i });
      expect(await iteration.next()).toEqual({ done: false, value: i + 1 });
    }
  });

  it('the default limit is 1000', async () => {
    const bus = new PubSub();
    const publication = bus.publish('a');
    const iteration = bus.iterate('a');
    for (let i = 0; i < 1001; i++) publication.fire(i);
    for (let i = 0; i < 1000; i++) expect((await iteration.next()).value).toBe(i);
    expect((await rejection(iteration.next())).code).toBe('EVENT_BACKLOG');
  });

  it('an abort ends it at once', async () => {
    const bus = new PubSub();
    const publication = bus.publish('a');
    const controller = new AbortController();
    const waiting = bus.iterate('a', { signal: controller.signal });
    const holding = bus.iterate('a', { signal: controller.signal });
    const next = waiting.next();
    publication.fire(1);
    const second = waiting.next();
    controller.abort('enough');
    expect(await next).toEqual({ done: false, value: 1 });
    expect(await rejection(second)).toMatchObject({ code: 'EVENT_ABORTED', cause: 'enough' });
    expect((await rejection(holding.next())).code).toBe('EVENT_ABORTED');
    expect(await holding.next()).toEqual({ done: true, value: undefined });
    expect(bus.subscribers('a')).toBe(0);
  });

  it('return() is final', async () => {
    const bus = new PubSub();
    const iteration = bus.iterate('a');
    const waiting = iteration.next();
    await iteration.return!();
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(bus.publish('a').fire(1)).toBe(0);
    expect(await iteration.next()).toEqual({ done: true, value: undefined });
  });

  it.each([0, -1, 1.5, Number.NaN, Infinity, '7' as unknown as number])('the limit %s is refused', (limit) => {
    expect(codeOf(() => new PubSub().iterate('a', { limit }))).toBe('USAGE_EVENT_LIMIT');
  });
});

describe('closing', () => {
  function owned() {
    let owner: Owner<Record<string, unknown>> | undefined;
    const bus = new PubSub({
      owner: (rights) => {
        owner = rights;
      },
    });
    return { bus, owner: owner! };
  }

  it('settles everything that waits', async () => {
    const { bus, owner } = owned();
    const publication = bus.publish('a');
    const promise = bus.once('a');
    const iteration = bus.iterate('b');
    const b = bus.publish('b');
    b.fire('held');
    const subscription = bus.subscribe('a', () => undefined);
    owner.close();
    owner.close();
    expect((await rejection(promise)).code).toBe('EVENT_CLOSED');
    expect(await iteration.next()).toEqual({ done: false, value: 'held' });
    expect(await iteration.next()).toEqual({ done: true, value: undefined });
    expect(subscription.active).toBe(false);
    expect(publication.fire(1)).toBe(0);
    subscription.cancel();
    publication.rescind();
  });

  it('refuses what comes later', async () => {
    const { bus, owner } = owned();
    owner.close();
    expect(codeOf(() => bus.publish('a'))).toBe('USAGE_EVENTS_CLOSED');
    expect(codeOf(() => bus.share('a'))).toBe('USAGE_EVENTS_CLOSED');
    expect(codeOf(() => bus.subscribe('a', () => undefined))).toBe('USAGE_EVENTS_CLOSED');
    expect(codeOf(() => bus.iterate('a'))).toBe('USAGE_EVENTS_CLOSED');
    expect((await rejection(bus.once('a'))).code).toBe('USAGE_EVENTS_CLOSED');
  });

  it('keeps nothing of what is over', async () => {
    const { bus, owner } = owned();
    const publication = bus.publish('a');
    const promise = bus.once('a');
    const iteration = bus.iterate('a');
    publication.fire(1);
    await promise;
    await iteration.return!();
    publication.rescind();
    expect(bus.listing()).toEqual([]);
    owner.close();
  });
});

describe('bad arguments', () => {
  it.each([undefined, null, 7, {}, Symbol('x')])('the name %s is refused', async (name) => {
    const bus = new PubSub();
    const event = name as string;
    expect(codeOf(() => bus.publish(event))).toBe('USAGE_EVENT');
    expect(codeOf(() => bus.share(event))).toBe('USAGE_EVENT');
    expect(codeOf(() => bus.subscribe(event, () => undefined))).toBe('USAGE_EVENT');
    expect(codeOf(() => bus.iterate(event))).toBe('USAGE_EVENT');
    expect((await rejection(bus.once(event))).code).toBe('USAGE_EVENT');
  });

  it.each([undefined, null, 'f', {}])('the handler %j is refused', (handler) => {
    expect(codeOf(() => new PubSub().subscribe('a', handler as () => void))).toBe('USAGE_HANDLER');
  });

  it.each([null, {}, 'x'])('the signal %j is refused', async (value) => {
    const bus = new PubSub();
    const signal = value as AbortSignal;
    expect(codeOf(() => bus.subscribe('a', () => undefined, { signal }))).toBe('USAGE_SIGNAL');
    expect(codeOf(() => bus.iterate('a', { signal }))).toBe('USAGE_SIGNAL');
    expect((await rejection(bus.once('a', { signal }))).code).toBe('USAGE_SIGNAL');
    expect(bus.listing()).toEqual([]);
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
