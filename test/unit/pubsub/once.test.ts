import { describe, expect, it } from 'vitest';
import { PubSub } from '../../../src/pubsub/pubsub.js';
import { rejection } from './support.js';

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
