import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { BrokerError } from '../../../src/errors.js';
import type { Filter, FilterMatch, FilterOptions } from '../../../src/filters/filter.js';
import { FilterSet } from '../../../src/filters/filter-set.js';
import { Unevaluated } from '../../../src/filters/found.js';
import { ElementTexts } from '../../../src/filters/index/element-texts.js';
import { Document } from '../../../src/xml/document.js';
import type { Element } from '../../../src/xml/element.js';
import { tree } from './tree.js';

interface Seen {
  events: string[];
  matches: FilterMatch[];
  errors: [event: string, code: string][];
}

function removeAll(set: FilterSet): void {
  for (const filter of [...set]) filter.remove();
}

function run(set: FilterSet, stanza: Element, then?: (filter: Filter, match: FilterMatch) => void): Seen {
  const seen: Seen = { events: [], matches: [], errors: [] };
  set.match(
    stanza,
    (filter, match) => {
      seen.events.push(filter.event);
      seen.matches.push(match);
      then?.(filter, match);
    },
    (filter, error) => {
      seen.errors.push([filter.event, error.code]);
    },
  );
  return seen;
}

/** The nodes an expression matches by name, or null. */
function matched(source: string, expression: string, options?: FilterOptions): string[] | null {
  const set = new FilterSet();
  set.add('e', expression, options);
  const [match] = run(set, tree(source)).matches;
  return match === undefined ? null : match.nodes.map((node) => node.nodeName);
}

const MESSAGE = `<message xmlns='jabber:client' from='a@b' id='1'><body>hi</body><delay xmlns='urn:xmpp:delay'/></message>`;

describe('a search that takes several turns', () => {
  const LARGE = `<message xmlns='jabber:client'><p>a needle<b/>${'<a/>'.repeat(3_000)}</p></message>`;
  const SMALL = `<message xmlns='jabber:client'><p><p>a needle<b/></p></p></message>`;

  test('finds all in the stanzas behind it, if the stanza is taken apart meanwhile', () => {
    const set = new FilterSet();
    set.add('found', '//p[contains(., "needle")]');
    const begun = set.find(tree(LARGE)) as Unevaluated;
    tree('<elsewhere/>').appendChild(begun.from!);
    expect(run(set, tree(SMALL)).events).toEqual(['found']);
  });

  test('keeps nothing of a stanza whose filters are removed meanwhile', () => {
    const set = new FilterSet();
    set.add('found', '//p[contains(., "needle")]');
    expect(set.find(tree(LARGE))).toBeInstanceOf(Unevaluated);
    removeAll(set);
    expect(run(set, tree(SMALL)).events).toEqual([]);
    const index = vi.spyOn(ElementTexts.prototype, 'text');
    onTestFinished(() => {
      index.mockRestore();
    });
    set.add('other', '//q');
    expect(run(set, tree(SMALL)).events).toEqual([]);
    expect(index).not.toHaveBeenCalled();
  });
});

describe('a set of filters', () => {
  test('runs all of them in the order they were added, duplicates too', () => {
    const set = new FilterSet();
    for (const [event, expression] of [
      ['third', '//body'],
      ['first', '/message'],
      ['no', '/iq'],
      ['first', '/message'],
      ['second', '@id'],
    ] as const) {
      set.add(event, expression);
    }
    expect(run(set, tree(MESSAGE)).events).toEqual(['third', 'first', 'first', 'second']);
    expect([...set].map(({ event }) => event)).toEqual(['third', 'first', 'no', 'first', 'second']);
    expect(set.size).toBe(5);
  });

  test('hands over expression, nodes and stanza', () => {
    const set = new FilterSet();
    set.add('e', '//text() | //@id | /message');
    const stanza = tree(MESSAGE);
    const [match] = run(set, stanza).matches;
    expect(match).toEqual({
      expression: '//text() | //@id | /message',
      nodes: expect.any(Array) as unknown,
      node: stanza,
    });
    expect(match!.nodes.map((node) => node.nodeName)).toEqual(['message', 'id', '#text']);
    expect(match!.nodes[0]).toBe(stanza);
  });

  test('removes one, all of an event, all', () => {
    const set = new FilterSet();
    const first = set.add('a', '/message');
    set.add('b', '/message');
    set.add('a', '/message');
    set.add('c', '/message');
    first.remove();
    first.remove();
    expect(first.state).toBe('removed');
    expect(run(set, tree(MESSAGE)).events).toEqual(['b', 'a', 'c']);
    expect(set.remove('a')).toBe(1);
    expect(set.remove('a')).toBe(0);
    expect(set.remove('nobody')).toBe(0);
    expect(run(set, tree(MESSAGE)).events).toEqual(['b', 'c']);
    removeAll(set);
    expect(set.size).toBe(0);
    expect(run(set, tree(MESSAGE)).events).toEqual([]);
  });

  test('tells about each removal once', () => {
    const removed: string[] = [];
    const set = new FilterSet({ onRemove: (filter) => removed.push(filter.event) });
    const a = set.add('a', 'x');
    set.add('b', 'x');
    set.add('c', 'x');
    a.remove();
    a.remove();
    set.remove('b');
    removeAll(set);
    expect(removed).toEqual(['a', 'b', 'c']);
  });

  test('disposing of a filter removes it', () => {
    const set = new FilterSet();
    {
      using filter = set.add('a', '/message');
      expect(filter.state).toBe('active');
      expect(set.size).toBe(1);
    }
    expect(set.size).toBe(0);
  });

  test('what is removed while a stanza is delivered is silent at once, what is added sees the next one', () => {
    const set = new FilterSet();
    set.add('first', '/message');
    const second = set.add('second', '/message');
    set.add('third', '/message');
    let once = true;
    const change = () => {
      if (!once) return;
      once = false;
      second.remove();
      set.add('fourth', '/message');
    };
    expect(run(set, tree(MESSAGE), change).events).toEqual(['first', 'third']);
    expect(run(set, tree(MESSAGE), change).events).toEqual(['first', 'third', 'fourth']);
  });

  test('a filter may remove itself and everything else', () => {
    const set = new FilterSet();
    for (const event of ['a', 'b', 'c']) set.add(event, '/message');
    expect(run(set, tree(MESSAGE), () => removeAll(set)).events).toEqual(['a']);
  });

  test('a callback may match another stanza, and may change the stanza without changing what matches', () => {
    const set = new FilterSet();
    set.add('a', '/message');
    set.add('b', '//body');
    const order: string[] = [];
    const stanza = tree(MESSAGE);
    run(set, stanza, (filter) => {
      order.push(filter.event);
      if (order.length !== 1) return;
      stanza.removeChild(stanza.firstChild!);
      run(set, tree('<message><body/></message>'), (inner) => order.push(`inner ${inner.event}`));
    });
    expect(order).toEqual(['a', 'inner a', 'inner b', 'b']);
  });

  test('counts what its filters do', () => {
    const set = new FilterSet();
    const filter = set.add('a', '//body[. = "hi"]');
    run(set, tree(MESSAGE));
    run(set, tree('<message><body>ho</body></message>'));
    expect(filter.counters).toMatchObject({ matched: 1, overruns: 0 });
    expect(filter.counters.evaluated).toBeGreaterThan(0);
  });
});

describe('a match is boolean() of the result', () => {
  test.each<[string, boolean]>([
    ['/message', true],
    ['/iq', false],
    ['1', true],
    ['0', false],
    ['-0', false],
    ['0 div 0', false],
    ['1 div 0', true],
    ['""', false],
    ['"false"', true],
    ['true()', true],
    ['false()', false],
    ['count(//x)', false],
    ['string(//x)', false],
    ['string(body)', true],
    ['id("1")', false],
  ])('%s: %s', (expression, matches) => {
    expect(matched(MESSAGE, expression) !== null).toBe(matches);
  });

  test('nodes are given for a node-set only', () => {
    expect(matched(MESSAGE, 'count(//*) = 3')).toEqual([]);
    expect(matched(MESSAGE, '//*')).toEqual(['message', 'body', 'delay']);
    expect(matched(MESSAGE, '/')).toEqual(['#document']);
  });
});

describe('the stanza is the root element of its own document and the context node', () => {
  test.each(['/message', '/message/body', '//body', 'self::message', 'body', '@id', '/*', '.', '..', '/', './/body'])(
    '%s',
    (expression) => {
      expect(matched(MESSAGE, expression)).not.toBeNull();
    },
  );

  test('S-API-6: filters see only the stanza, even if it is inside another element', () => {
    const route = tree(`<route from='secret'><presence/>${MESSAGE}<iq/></route>`);
    const stanza = route.firstChild!.nextSibling as Element;
    const set = new FilterSet();
    for (const expression of [
      '../..',
      '//route',
      'ancestor::route',
      '//@*[.="secret"]',
      'following-sibling::*',
      'preceding-sibling::*',
      'following::iq',
      'preceding::presence',
      '//iq',
      '//presence',
      '/route',
    ]) {
      set.add(expression, expression);
    }
    expect(run(set, stanza).events).toEqual([]);
    removeAll(set);
    set.add('root', '/message');
    set.add('document', '/ | .');
    const { matches } = run(set, stanza);
    expect(matches[0]!.nodes).toEqual([stanza]);
    expect(matches[1]!.nodes[0]).toBeInstanceOf(Document);
    expect((matches[1]!.nodes[0] as Document).documentElement).toBe(stanza);
  });

  test('S-API-6: there is no document() and no id that finds anything', () => {
    expect(matched('<message id="x" xml:id="x"/>', 'id("x")')).toBeNull();
    expect(() => new FilterSet().add('e', 'document("file:///etc/passwd")')).toThrow('no function "document"');
  });

  test('the document of a match is the stanza’s own', () => {
    const set = new FilterSet();
    set.add('e', '/');
    const stanza = tree(MESSAGE);
    expect(run(set, stanza).matches[0]!.nodes).toEqual([stanza.ownerDocument]);
  });
});

describe('content namespaces are no namespace', () => {
  test.each(['jabber:client', 'jabber:server', 'jabber:component:accept'])('%s', (namespace) => {
    const stanza = `<message xmlns='${namespace}'><body/></message>`;
    expect(matched(stanza, '/message/body')).toEqual(['body']);
    expect(matched(stanza, '/*[namespace-uri()=""]')).toEqual(['message']);
  });

  test('wherever they occur', () => {
    const carbon = `<message xmlns='jabber:client'><sent xmlns='urn:xmpp:carbons:2'><message xmlns='jabber:server'><body/></message></sent></message>`;
    expect(matched(carbon, '//message/body')).toEqual(['body']);
    expect(matched(carbon, '//sent')).toBeNull();
  });

  test('one of the dialect is given to the set', () => {
    const set = new FilterSet({ contentNamespaces: ['urn:dialect'] });
    set.add('e', '/message');
    expect(run(set, tree(`<message xmlns='urn:dialect'/>`)).events).toEqual(['e']);
    expect(run(set, tree(`<message xmlns='urn:other'/>`)).events).toEqual([]);
    expect(run(set, tree(MESSAGE)).events).toEqual(['e']);
  });

  test('a prefix bound to one of them means just that one', () => {
    const namespaces = { c: 'jabber:client' };
    expect(matched(MESSAGE, '/c:message/c:body', { namespaces })).toEqual(['body']);
    expect(matched(MESSAGE, '/c:*/c:body', { namespaces })).toEqual(['body']);
    expect(matched(`<message xmlns='jabber:server'/>`, '/c:message', { namespaces })).toBeNull();
  });

  test('names of other namespaces need a prefix', () => {
    expect(matched(MESSAGE, '//delay')).toBeNull();
    expect(matched(MESSAGE, '//d:delay', { namespaces: { d: 'urn:xmpp:delay' } })).toEqual(['delay']);
    expect(matched(MESSAGE, '//d:*', { namespaces: { d: 'urn:xmpp:delay' } })).toEqual(['delay']);
  });

  test('a name in one of them is shown without its prefix', () => {
    const prefixed = `<c:message xmlns:c='jabber:client'/>`;
    expect(matched(prefixed, 'name() = "message"')).toEqual([]);
    expect(matched(prefixed, '/message')).toEqual(['c:message']);
  });

  test('declarations are no attributes', () => {
    expect(matched(`<message xmlns='jabber:client' xmlns:x='urn:x'/>`, '@*')).toBeNull();
    expect(matched(`<message xmlns='jabber:client' xmlns:x='urn:x'/>`, '@xmlns')).toBeNull();
  });

  test('namespace nodes', () => {
    const set = new FilterSet();
    set.add('e', '/message/namespace::x');
    const [match] = run(set, tree(`<message xmlns='jabber:client' xmlns:x='urn:x'/>`)).matches;
    expect(match!.nodes.map((node) => [node.nodeType, node.nodeName, node.nodeValue])).toEqual([[13, 'x', 'urn:x']]);
  });
});

describe('variables', () => {
  test('are strings, numbers and booleans', () => {
    expect(matched(MESSAGE, '@from = $jid', { variables: { jid: 'a@b' } })).toEqual([]);
    expect(matched(MESSAGE, '@id = $n', { variables: { n: 1 } })).toEqual([]);
    expect(matched(MESSAGE, 'boolean(@id) = $yes', { variables: { yes: true } })).toEqual([]);
    expect(matched(MESSAGE, '//*[$n]', { variables: { n: 2 } })).toEqual(['delay']);
    expect(matched(MESSAGE, '//*[$s]', { variables: { s: '2' } })).toEqual(['message', 'body', 'delay']);
    expect(matched(MESSAGE, '$n', { variables: { n: NaN } })).toBeNull();
  });

  test.each([`bob' or '1'='1`, `bob" or "1"="1`, `']|//*['`, `$x`, `{x}`, `&apos;`, `a' and count(//*) > 0 or '`])(
    'A-STZ-8: %j is text, not XPath',
    (text) => {
      const variables = { user: text };
      const other = tree(`<message from='somebody'/>`);
      const same = tree(`<message/>`);
      same.firstAttribute = null;
      const set = new FilterSet();
      set.add('e', '/message[@from = $user]', { variables });
      expect(run(set, other).events).toEqual([]);
      const exact = tree(`<message from="${text.replaceAll('&', '&amp;').replaceAll('"', '&quot;')}"/>`);
      expect(run(set, exact).events).toEqual(['e']);
    },
  );
});

describe('A-STZ-10: names are data', () => {
  const NAMES = ['__proto__', 'constructor', 'prototype', 'hasOwnProperty', 'toString', 'valueOf', 'then', 'toJSON'];

  test.each(NAMES)('%s as element, attribute, event, prefix and variable', (name) => {
    const own = (value: string) =>
      JSON.parse(`{${JSON.stringify(name)}: ${JSON.stringify(value)}}`) as Record<string, string>;
    const stanza = tree(`<message><${name} xmlns='urn:x' ${name}='v'>t</${name}></message>`);
    const set = new FilterSet();
    set.add(name, `/message/${name}:${name}[@${name} = $${name}]`, { namespaces: own('urn:x'), variables: own('v') });
    expect(run(set, stanza).events).toEqual([name]);
    expect(set.remove(name)).toBe(1);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  test('what options inherit does not count', () => {
    const set = new FilterSet();
    expect(() => set.add('e', '$v', { variables: Object.create({ v: 'x' }) as never })).toThrow('$v has no value');
    expect(() => set.add('e', 'p:a', { namespaces: Object.create({ p: 'urn:x' }) as never })).toThrow(
      '"p" is not bound',
    );
  });

  test('any text is an event', () => {
    const set = new FilterSet();
    for (const event of ['', 'error', ' ', '\u0000']) set.add(event, '/message');
    expect(run(set, tree(MESSAGE)).events).toEqual(['', 'error', ' ', '\u0000']);
  });
});

describe('S-API-5: a filter has a budget for each stanza', () => {
  const wide = tree(`<message>${'<a><b/></a>'.repeat(500)}</message>`);

  test('past it, it is given up for this stanza and the others run', () => {
    const set = new FilterSet({ visits: 1200, index: false });
    set.add('before', '/message');
    set.add('greedy', '//*[count(preceding::*) > 1000000]');
    set.add('after', '//b');
    const { events, errors } = run(set, wide);
    expect(events).toEqual(['before', 'after']);
    expect(errors).toEqual([['greedy', 'FILTER_BUDGET']]);
  });

  test('the error names the filter and says why', () => {
    const set = new FilterSet({ visits: 10, index: false });
    set.add('greedy', '//x');
    let error: BrokerError | undefined;
    set.match(
      wide,
      () => undefined,
      (_filter, found) => (error = found),
    );
    expect(error).toMatchObject({ code: 'FILTER_BUDGET', layer: 'filter' });
    expect(error!.message).toContain('"greedy"');
    expect(error!.message).toContain('//x');
    expect(error!.message).toContain('10 node visits');
  });

  test('the limit is exact', () => {
    const small = tree('<m><a/><a/><a/></m>');
    for (const [visits, errors] of [
      [3, 0],
      [2, 1],
    ] as const) {
      const set = new FilterSet({ visits, index: false });
      set.add('e', '/*/x');
      expect(run(set, small).errors.length).toBe(errors);
    }
  });

  const alternatives = (count: number, each: (i: number) => string) =>
    `//*[${Array.from({ length: count }, (_, i) => each(i)).join(' or ')}]`;
  test.each<[what: string, expression: string]>([
    ['steps that stay where they are', `//*${'/self::*'.repeat(200)}/x`],
    ['alternatives', alternatives(400, (i) => `self::x${i}`)],
    ['attributes that are not there', alternatives(400, (i) => `@x${i} = '1'`)],
    ['sums', `//*[${Array(1000).fill('1').join(' + ')} = 7]`],
    ['texts put together', alternatives(250, (i) => `concat('a', '${i}') = 'x'`)],
    ['predicates in a row', `//*${"[1 = 1 or @n = 'x']".repeat(200)}/x`],
    ['positions', `//*[position() = ${Array(400).fill('1').join(' + ')}]`],
  ])('what an expression does at each node counts as well: %s', (_what, expression) => {
    const set = new FilterSet({ visits: 10_000, index: false });
    set.add('wordy', expression);
    expect(run(set, wide).errors).toEqual([['wordy', 'FILTER_BUDGET']]);
    expect(run(set, tree('<message/>')).errors).toEqual([]);
  });

  test('so does the way to a node on an axis', () => {
    const depth = 60;
    const comb = tree(`<m>${('<a>'.repeat(depth) + '</a>'.repeat(depth)).repeat(20)}</m>`);
    const set = new FilterSet({ visits: 20_000, index: false });
    set.add('back', 'count(//a[not(preceding::*)]) = 7');
    set.add('forth', 'count(//a[not(following::*)]) = 7');
    expect(run(set, comb).errors.map(([event]) => event)).toEqual(['back', 'forth']);
  });

  test('a filter that does it repeatedly is set aside until it is reinstated', () => {
    const set = new FilterSet({ visits: 100, strikes: 3, index: false });
    const filter = set.add('greedy', '//x');
    set.add('other', '/message');
    expect(run(set, wide).errors).toEqual([['greedy', 'FILTER_BUDGET']]);
    expect(run(set, wide).errors).toEqual([['greedy', 'FILTER_BUDGET']]);
    expect(filter.state).toBe('active');
    expect(run(set, wide).errors).toEqual([
      ['greedy', 'FILTER_BUDGET'],
      ['greedy', 'FILTER_SET_ASIDE'],
    ]);
    expect(filter.state).toBe('set-aside');
    expect(filter.counters.overruns).toBe(3);
    expect(run(set, wide)).toMatchObject({ errors: [], events: ['other'] });
    expect(set.size).toBe(2);
    filter.reinstate();
    expect(filter.state).toBe('active');
    expect(run(set, wide).errors).toEqual([['greedy', 'FILTER_BUDGET']]);
    filter.remove();
    filter.reinstate();
    expect(filter.state).toBe('removed');
  });

  test('one strike is forgiven after a thousand evaluations within the budget', () => {
    const set = new FilterSet({ visits: 100, strikes: 2, index: false });
    const filter = set.add('greedy', '//x');
    const small = tree('<message/>');
    for (let i = 0; i < 5; i += 1) {
      run(set, wide);
      for (let j = 0; j < 1000; j += 1) run(set, small);
    }
    expect(filter.state).toBe('active');
    run(set, wide);
    run(set, wide);
    expect(filter.state).toBe('set-aside');
  });

  const depth = 64;
  const hostile: Record<string, Element> = {
    deep: tree('<a>'.repeat(depth) + '</a>'.repeat(depth)),
    wide: tree(`<a>${'<a/>'.repeat(20_000)}</a>`),
    comb: tree(`<a>${('<a>'.repeat(depth) + '</a>'.repeat(depth)).repeat(300)}</a>`),
    text: tree('<a>'.repeat(depth) + 'ab '.repeat(300_000) + '</a>'.repeat(depth)),
    attributes: tree(`<a>${`<a b='1' c='2' d='3'/>`.repeat(5000)}</a>`),
  };
  test.each(
    Object.keys(hostile).flatMap((name) =>
      [
        '//a//a//a//a',
        '//*[.//*[.//*]]',
        '//*[.//x[.//y]]',
        '//a[count(preceding::a)>0]',
        '//a[count(preceding::a)>1000000]',
        'string-length(//*)',
        '//*[contains(., "zz")]',
        '//a[. = //a]',
        '//a[translate(., "ab", "ba") = "x"]',
        '//a/ancestor::*/descendant::*/ancestor::x',
        'count(//a/following::*/preceding::*)',
        '//@*/../@*/../@*[. = "x"]',
        'count(//namespace::*)',
        Array(500).fill('//x').join('|'),
        `concat(${Array(500).fill('.').join(',')}) = "x"`,
      ].map((expression) => [name, expression] as const),
    ),
  )('A-STZ-9: %s stanza, %s: an answer or FILTER_BUDGET', (name, expression) => {
    for (const index of [true, false]) {
      const set = new FilterSet({ index });
      set.add('e', expression);
      set.add('after', '.');
      const { events, errors } = run(set, hostile[name]!);
      expect(events).toContain('after');
      for (const [, code] of errors) expect(code).toBe('FILTER_BUDGET');
    }
  });

  test('A-STZ-9: the costly filter of the review is answered, without recursion along the tree', () => {
    const deepest = 20_000;
    const chain = tree('<a>'.repeat(deepest) + '</a>'.repeat(deepest));
    const set = new FilterSet({ visits: 1e7 });
    for (const expression of [
      '//a',
      '//a//a//a//a',
      '//a[not(a)]',
      'string(.) = ""',
      '//a[not(a)]/ancestor::a[19999]',
      '//a[last()]',
      '(//a)[last()]',
      '//a[not(a)]/preceding::a',
      'count(//a)=20000',
    ]) {
      set.add(expression, expression);
    }
    const { events, errors } = run(set, chain);
    expect(errors).toEqual([]);
    expect(events).toEqual([
      '//a',
      '//a//a//a//a',
      '//a[not(a)]',
      'string(.) = ""',
      '//a[not(a)]/ancestor::a[19999]',
      '//a[last()]',
      '(//a)[last()]',
      'count(//a)=20000',
    ]);
  });
});
