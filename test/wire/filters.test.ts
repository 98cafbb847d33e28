import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Broker, JABBERD14_COMPONENT, xml, type FilterMatch } from 'xmpp-broker';
import { LoopbackServer } from 'xmpp-broker/testing';

const DOMAIN = 'comp.localhost';

let server: LoopbackServer;
let broker: Broker<{ greedy: FilterMatch; modest: FilterMatch }>;

beforeEach(async () => {
  server = await LoopbackServer.start({ domain: 'localhost', components: { [DOMAIN]: 'secret' } });
  broker = new Broker({
    connectionType: JABBERD14_COMPONENT,
    host: '127.0.0.1',
    port: server.ports.component,
    domain: DOMAIN,
    password: 'secret',
    limits: { filterVisits: 100 },
    logger: false,
  });
  await broker.connect();
});

afterEach(async () => {
  broker.halt();
  await server.stop();
});

/** Sends a message to ourselves and waits until it was delivered. */
async function deliver(...children: ReturnType<typeof xml>[]): Promise<void> {
  const received = broker.events.once('PCJ_NODERECEIVED');
  broker.output(xml('message', { to: DOMAIN, from: DOMAIN }, ...children));
  await received;
}

const wide = () => xml('list', {}, ...Array.from({ length: 200 }, () => xml('item')));

describe('filters of a connected broker', () => {
  it('S-API-5: PCJ_FILTERERROR says which filter is too expensive; the others run; it is set aside and comes back', async () => {
    const seen: string[] = [];
    const greedy = broker.filters.add('greedy', '//item[last()]');
    broker.filters.add('modest', '/message');
    broker.subscribe('greedy', () => seen.push('greedy'));
    broker.subscribe('modest', () => seen.push('modest'));
    broker.subscribe('PCJ_FILTERERROR', (error) => seen.push(`${error.code} ${error.event} ${error.expression}`));
    const overrun = 'FILTER_BUDGET greedy //item[last()]';
    for (let i = 0; i < 5; i += 1) await deliver(wide());
    expect(seen.slice(0, 2)).toEqual([overrun, 'modest']);
    expect(seen.slice(-3)).toEqual([overrun, 'FILTER_SET_ASIDE greedy //item[last()]', 'modest']);
    expect(greedy.state).toBe('set-aside');
    expect(broker.filters.explain('greedy')).toMatchObject([{ state: 'set-aside', counters: { overruns: 5 } }]);

    seen.length = 0;
    await deliver(wide());
    expect(seen).toEqual(['modest']);

    greedy.reinstate();
    seen.length = 0;
    await deliver(xml('item'));
    expect(seen).toEqual(['greedy', 'modest']);
  });

  it('explain() tells how filters are found and what they did', async () => {
    broker.filters.add('greedy', 'not(d:delay)', { namespaces: { d: 'urn:xmpp:delay' } });
    broker.filters.add('modest', '/message[@id="x"]');
    await deliver();
    expect(broker.filters.explain('greedy')).toMatchObject([
      { event: 'greedy', keys: null, counters: { evaluated: 1, matched: 1 }, stanzas: 1 },
    ]);
    expect(broker.filters.explain('/message[@id="x"]')).toMatchObject([
      { event: 'modest', keys: [`the stanza's attribute id is "x"`], counters: { evaluated: 0 }, stanzas: 1 },
    ]);
    const variables = { name: 'romeo' };
    expect(broker.filters.explain('contains(body, $name)', { variables })).toMatchObject([
      { event: null, state: 'not added', keys: ['the text of body contains "romeo"'] },
    ]);
    expect(() => broker.filters.explain('contains(body, $name)')).toThrow('$name has no value');
  });
});
