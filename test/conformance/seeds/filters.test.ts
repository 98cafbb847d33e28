import { describe, expect, test } from 'vitest';
import { BrokerError, NS, xml, type FilterMatch } from 'xmpp-broker';
import { received, say, useSite } from './site.js';

const site = useSite();

describe('filters', () => {
  test('row 40: a filter is an expression that lasts; a bad one is an error when it is added', async () => {
    const { broker, peer } = await site.pair();
    broker.filters.add('chat', '/message[@type="chat"]/d:delay', { namespaces: { d: NS.DELAY } });
    const matches: FilterMatch[] = [];
    broker.subscribe('chat', (match) => matches.push(match as FilterMatch));
    const arrived = received(broker, 3);
    for (const type of ['chat', 'normal', 'chat']) {
      peer.output(xml('message', { to: 'comp.localhost', type }, xml('delay', { xmlns: NS.DELAY })));
    }
    await arrived;
    expect(matches).toHaveLength(2);
    for (const bad of ['/message[', 'x:y', '', 'message(']) {
      expect(() => broker.filters.add('bad', bad)).toThrow(BrokerError);
    }
  });

  test('row 41: a match carries the expression, the matched nodes and the whole stanza', async () => {
    const { broker, peer } = await site.pair();
    const match = broker.events.once('link') as Promise<FilterMatch>;
    broker.filters.add('link', '//url');
    peer.output(
      xml('message', { to: 'comp.localhost' }, xml('x', {}, xml('url', {}, '1')), xml('x', {}, xml('url', {}, '2'))),
    );
    const { expression, nodes, node } = await match;
    expect([expression, nodes.map((one) => one.textContent), node.localName]).toEqual(['//url', ['1', '2'], 'message']);
  });

  test('row 42: every filter sees every stanza, in the order added; overlaps and duplicates are allowed', async () => {
    const { broker, peer } = await site.pair();
    const seen: string[] = [];
    for (const name of ['one', 'two', 'three']) broker.subscribe(name, () => seen.push(name));
    broker.filters.add('one', '/message');
    broker.filters.add('two', '/*');
    broker.filters.add('one', '/message/body');
    broker.filters.add('three', '/presence');
    const arrived = received(broker, 1);
    peer.output(say('comp.localhost', 'x'));
    await arrived;
    expect(seen).toEqual(['one', 'two', 'one']);
  });

  test('row 43: a match suppresses nothing, and NODERECEIVED comes last', async () => {
    const { broker, peer } = await site.pair();
    const order: string[] = [];
    broker.subscribe('PCJ_NODERECEIVED', () => order.push('received'));
    broker.subscribe('first', () => order.push('first'));
    broker.subscribe('second', () => order.push('second'));
    broker.filters.add('first', '/message');
    broker.filters.add('second', '/message');
    const arrived = received(broker, 1);
    peer.output(say('comp.localhost', 'x'));
    await arrived;
    expect(order).toEqual(['first', 'second', 'received']);
  });

  test('row 44: remove takes every filter of that name, and no other', () => {
    const broker = site.component();
    broker.filters.add('gone', '/message');
    broker.filters.add('kept', '/message');
    broker.filters.add('gone', '/presence');
    broker.filters.remove('gone');
    broker.filters.remove('unknown');
    expect([...broker.filters].map(({ event }) => event)).toEqual(['kept']);
  });

  test('row 45: filters survive a reconnect', async () => {
    const { broker, peer } = await site.pair();
    broker.filters.add('chat', '/message');
    await broker.reconnect();
    const match = broker.events.once('chat');
    peer.output(say('comp.localhost', 'x'));
    await match;
  });
});
