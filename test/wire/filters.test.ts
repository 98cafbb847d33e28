import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Broker, JABBERD14_COMPONENT, xml, type FilterMatch } from 'xmpp-broker';
import { LoopbackServer } from 'xmpp-broker/testing';

const DOMAIN = 'comp.localhost';

let server: LoopbackServer;
let broker: Broker<{ greedy: FilterMatch; modest: FilterMatch }>;
let warnings: string[];

beforeEach(async () => {
  server = await LoopbackServer.start({ domain: 'localhost', components: { [DOMAIN]: 'secret' } });
  warnings = [];
  const silent = () => undefined;
  const warn = (_facts: object, message: string) => {
    warnings.push(message);
  };
  broker = new Broker({
    connectionType: JABBERD14_COMPONENT,
    host: '127.0.0.1',
    port: server.ports.component,
    domain: DOMAIN,
    password: 'secret',
    limits: { filterVisits: 100 },
    logger: { debug: silent, info: silent, warn, error: warn },
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

  it('E7: the first match that nobody hears is told, once for each event', async () => {
    broker.filters.add('greedy', '/message');
    broker.filters.add('greedy', '//body');
    broker.filters.add('modest', '/message');
    const heard: unknown[] = [];
    broker.subscribe('modest', (match) => heard.push(match));
    const any: Broker = broker;
    any.subscribe('gredy', () => undefined);
    await deliver();
    await deliver();
    expect(heard).toHaveLength(2);
    expect(warnings).toEqual([
      'the filter /message matched, and nobody is subscribed to its event "greedy"; somebody is subscribed to "gredy"',
    ]);
  });

  it('explain() tells how filters are found and what they did', async () => {
    broker.filters.add('greedy', 'not(d:delay)', { namespaces: { d: 'urn:xmpp:delay' } });
    broker.filters.add('modest', '/message[@id="x"]');
    await deliver();
    expect(broker.filters.explain('greedy')).toMatchObject([
      { event: 'greedy', keys: null, counters: { evaluated: 1, matched: 1 }, stanzas: 1 },
    ]);
    expect(broker.filters.explain('modest')).toMatchObject([
      { event: 'modest', keys: [`the stanza's attribute id is "x"`], counters: { evaluated: 0 }, stanzas: 1 },
    ]);
    const variables = { name: 'romeo' };
    expect(broker.filters.explainExpression('contains(body, $name)', { variables })).toMatchObject({
      event: null,
      state: 'not added',
      keys: ['the text of body contains "romeo"'],
    });
    expect(() => broker.filters.explainExpression('contains(body, $name)')).toThrow('$name has no value');
  });
});
