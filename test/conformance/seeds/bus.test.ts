import { describe, expect, test, vi } from 'vitest';
import { xml, type FilterMatch } from 'xmpp-broker';
import { ping, say, useSite } from './site.js';

const site = useSite();

describe('the bus', () => {
  test('row 18: subscribing before anybody publishes, or connects, works', async () => {
    const broker = site.component();
    const seen: unknown[] = [];
    broker.subscribe('later', (payload) => seen.push(payload));
    broker.subscribe('PCJ_READY', () => seen.push('ready'));
    broker.events.publish('later').fire('now');
    await broker.connect();
    expect(seen).toEqual(['now', 'ready']);
  });

  test('row 19: several subscribers get the same payload, and one that throws stops nobody', () => {
    const broker = site.component();
    const publication = broker.events.publish('mine');
    const payload = xml('x');
    const seen: unknown[] = [];
    const errors = vi.fn();
    broker.subscribe('PCJ_HANDLERERROR', errors);
    broker.subscribe('mine', () => {
      throw new Error('first');
    });
    broker.subscribe('mine', (given) => seen.push(given));
    broker.subscribe('mine', (given) => seen.push(given));
    publication.fire(payload);
    expect(seen).toEqual([payload, payload]);
    expect(errors).toHaveBeenCalledOnce();
  });

  test('row 20: cancel stops delivery to that subscriber only', () => {
    const broker = site.component();
    const publication = broker.events.publish('mine');
    const [one, two] = [vi.fn(), vi.fn()];
    const first = broker.subscribe('mine', one);
    broker.subscribe('mine', two);
    publication.fire(1);
    first.cancel();
    publication.fire(2);
    expect([one.mock.calls, two.mock.calls]).toEqual([[[1]], [[1], [2]]]);
  });

  test("row 21: only who published an event can fire it; status events are the broker's", () => {
    const broker = site.component();
    // @ts-expect-error -- nor does the compiler take it
    expect(() => broker.events.publish('PCJ_READY')).toThrow(expect.objectContaining({ code: 'USAGE_EVENT_RESERVED' }));
    broker.events.publish('mine');
    expect(() => broker.events.publish('mine')).toThrow(expect.objectContaining({ code: 'USAGE_EVENT_TAKEN' }));
    expect(Object.keys(broker.events)).not.toContain('emit');
  });

  test('row 22: the published events can be listed', () => {
    const broker = site.component();
    const publication = broker.events.publish('mine');
    broker.subscribe('wanted', () => undefined);
    expect(broker.events.listing()).toEqual(
      expect.arrayContaining([
        { event: 'mine', published: true, subscribers: 0 },
        { event: 'wanted', published: false, subscribers: 1 },
      ]),
    );
    publication.rescind();
    expect(broker.events.listing().map(({ event }) => event)).not.toContain('mine');
  });

  test('row 23: commands can be given by name', async () => {
    const broker = site.component();
    await site.answerer();
    expect(broker.post('output', say('comp.localhost', 'held')).state).toBe('queued');
    broker.post('xpath_filter', 'add', 'any', '/message');
    await broker.post('connect', '127.0.0.1', site.server.ports.component);
    const any = broker.events.once('any') as Promise<FilterMatch>;
    expect(broker.post('purge_queue')).toHaveLength(1);
    expect((await any).node.getChildText('body')).toBe('held');
    const answer = broker.events.once('answer');
    broker.post('return_to_sender', 'answer', ping('peer.localhost', { id: 'q' }));
    expect(await answer).toMatchObject({ localName: 'iq' });
    broker.post('xpath_filter', 'remove', 'any');
    expect(broker.filters.size).toBe(0);
    await broker.post('reconnect');
    await broker.post('shutdown');
    broker.post('halt');
    expect(broker.state).toBe('halted');
    expect(() => broker.post('nonsense' as 'halt')).toThrow(expect.objectContaining({ code: 'USAGE_POST' }));
  });
});
