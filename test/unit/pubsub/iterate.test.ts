import { describe, expect, it } from 'vitest';
import { PubSub, type Rights } from '../../../src/pubsub/pubsub.js';
import { codeOf, rejection } from './support.js';

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
    let owner: Rights<Record<string, unknown>> | undefined;
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
