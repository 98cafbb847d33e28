import { describe, expect, it } from 'vitest';
import { serveDisco, type DiscoBroker, type DiscoOptions } from '../../../src/disco/serve-disco.js';
import { StanzaError } from '../../../src/stanza/stanza-error.js';
import { xml } from '../../../src/xml/builder.js';
import type { Element } from '../../../src/xml/element.js';
import { NS } from '../../../src/xml/namespaces.js';

const IDENTITIES = [{ category: 'client', type: 'bot', name: 'Bot', lang: 'en' }];

/** What asks a program, and what it answers. */
function serving(options: Partial<DiscoOptions> = {}, fails: string | null = null) {
  const handlers = new Map<string, (payload: Element) => Element>();
  const broker: DiscoBroker = {
    answers: ['urn:x:answered'],
    answer: (_type, { namespace }, handler) => {
      if (namespace === fails) throw new Error('it is taken');
      handlers.set(namespace, handler);
      return { cancel: () => handlers.delete(namespace) };
    },
  };
  const begin = () => serveDisco(broker, { identities: IDENTITIES, ...options });
  const ask = (xmlns: string, node?: string) => handlers.get(xmlns)!(xml('query', { xmlns, node: node ?? null }));
  return { begin, ask, handlers };
}

const condition = (action: () => unknown): unknown => {
  try {
    action();
  } catch (error) {
    return error instanceof StanzaError ? error.condition : error;
  }
  return null;
};

const varsOf = (query: Element) => query.getChildren('feature').map((feature) => feature.getAttribute('var'));

describe('service discovery', () => {
  it('tells what the program is and can do; of capabilities only with a node', () => {
    const plain = serving({ features: ['urn:x:own'] });
    plain.begin();
    expect(plain.ask(NS.DISCO_INFO).firstElementChild?.toString()).toContain("name='Bot' xml:lang='en'");
    const features = [NS.DISCO_INFO, NS.DISCO_ITEMS, 'urn:x:answered', 'urn:x:own'].sort();
    expect(varsOf(plain.ask(NS.DISCO_INFO))).toEqual(features);
    const named = serving({ features: ['urn:x:own'], node: 'https://example.org/bot' });
    expect(named.begin().features).toEqual([...features, NS.CAPS].sort());
  });

  it('has no caps() without a node', () => {
    const caps = serving({ node: 'https://example.org/bot' }).begin().caps();
    expect(caps.getAttribute('node')).toBe('https://example.org/bot');
    const disco = serving().begin();
    expect(() => disco.caps()).toThrow(expect.objectContaining({ code: 'USAGE_DISCO' }));
  });

  it.each([
    [undefined, 'https://example.org/bot#abc', 'item-not-found'],
    ['https://example.org/bot', 'https://example.org/bot#abc', null],
    ['https://example.org/bot', 'https://example.org/bot', 'item-not-found'],
    ['https://example.org/bot', 'https://elsewhere.example/bot#abc', 'item-not-found'],
  ])('with the node %j answers about %j with %j', (node, asked, refusal) => {
    const { begin, ask } = serving({ node });
    begin();
    expect(condition(() => ask(NS.DISCO_INFO, asked))).toBe(refusal);
    expect(condition(() => ask(NS.DISCO_ITEMS, asked))).toBe('item-not-found');
  });

  it('lists what belongs to the program, as it is when it is asked', () => {
    const given = serving({ items: [{ jid: 'a@b', name: 'A' }] });
    given.begin();
    expect(given.ask(NS.DISCO_ITEMS).toString()).toBe(
      `<query xmlns='${NS.DISCO_ITEMS}'><item jid='a@b' name='A'/></query>`,
    );
    const items = [{ jid: 'a@b' }];
    const asked = serving({ items: () => items });
    asked.begin();
    expect(asked.ask(NS.DISCO_ITEMS).children).toHaveLength(1);
    items.push({ jid: 'c@d' });
    expect(asked.ask(NS.DISCO_ITEMS).children).toHaveLength(2);
    const none = serving();
    none.begin();
    expect(none.ask(NS.DISCO_ITEMS).children).toEqual([]);
  });

  it('answers nothing when it cannot answer everything, nor when it is over', () => {
    const half = serving({}, NS.DISCO_ITEMS);
    expect(half.begin).toThrow('it is taken');
    expect(half.handlers.size).toBe(0);
    const whole = serving();
    whole.begin().cancel();
    expect(whole.handlers.size).toBe(0);
  });
});
