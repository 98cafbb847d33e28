import { describe, expect, it } from 'vitest';
import { PubSub, type Publication } from '../../../src/pubsub/pubsub.js';
import { codeOf, rejection, watched } from './support.js';

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
