import { describe, expect, test } from 'vitest';
import { FilterSet } from '../../../src/filters/filter-set.js';
import type { Element } from '../../../src/xml/element.js';
import { tree } from './tree.js';

const namespaces = { d: 'urn:xmpp:delay', c: 'jabber:client' };

function events(set: FilterSet, stanza: Element): string[] {
  const seen: string[] = [];
  set.match(
    stanza,
    (filter) => seen.push(filter.event),
    (_filter, error) => {
      throw error;
    },
  );
  return seen;
}

describe('what a filter is filed under', () => {
  test.each<[expression: string, keys: string[]]>([
    ['/message', ['the stanza is message']],
    ['/c:message', ['the stanza is {jabber:client}message']],
    ['/d:*', ['the stanza is {urn:xmpp:delay}*']],
    ["/*[local-name() = 'iq']", ['the stanza is *:iq']],
    ["/message[@from = 'a@b']", [`the stanza's attribute from is "a@b"`]],
    ["'a@b' = @from", [`the stanza's attribute from is "a@b"`]],
    ["string(@from) = 'a@b'", [`the stanza's attribute from is "a@b"`]],
    ["/message[@type = 'chat' and @id = 'x']", [`the stanza's attribute id is "x"`]],
    ["/*[@from = 'a@b' and @id = 'x']", [`the stanza's attribute id is "x"`]],
    ["/*[starts-with(@from, 'a@') and contains(status, 'a long word')]", ['the text of status contains "a long word"']],
    [
      "/*[starts-with(@from, 'room@muc.') and contains(status, 'word')]",
      [`the stanza's attribute from begins with "room@muc."`],
    ],
    ["/*[@constructor = 'a' and @to = 'b']", [`the stanza's attribute constructor is "a"`]],
    ["/message[@type = 'chat'][@id = 'x']", [`the stanza's attribute id is "x"`]],
    ["/message[starts-with(@from, 'room@')]", [`the stanza's attribute from begins with "room@"`]],
    ["substring-before(@from, '/') = 'a@b'", [`the stanza's attribute from begins with "a@b/"`]],
    ["substring-after(@from, '@') = 'b'", [`the stanza's attribute from contains "@b"`]],
    ["contains(@from, 'bot')", [`the stanza's attribute from contains "bot"`]],
    ["@xml:lang = 'de'", [`the stanza's attribute {http://www.w3.org/XML/1998/namespace}lang is "de"`]],
    ['@code', ["the stanza's attribute code is there"]],
    ['/message/d:delay', ['there is an element {urn:xmpp:delay}delay']],
    ['//d:delay', ['there is an element {urn:xmpp:delay}delay']],
    ['//d:*', ['there is an element {urn:xmpp:delay}*']],
    ["//*[local-name() = 'delay' and namespace-uri() = 'urn:xmpp:delay']", ['there is an element *:delay']],
    ["//item[@node = 'n']", ['an attribute node is "n"']],
    ["//@node[. = 'n']", ['an attribute node is "n"']],
    ["//*[starts-with(@jid, 'a@')]", ['an attribute jid begins with "a@"']],
    ["/message/body = 'hi'", ['the text of body is "hi"']],
    ["contains(/message/body, 'urgent')", ['the text of body contains "urgent"']],
    ["/message[contains(body, 'urgent')]", ['the text of body contains "urgent"']],
    ["starts-with(body, 'urgent')", ['the text of body contains "urgent"']],
    ["contains(normalize-space(body), 'very urgent')", ['the text of body contains "urgent"']],
    ["body/text()[contains(., 'urgent')]", ['the text of body contains "urgent"']],
    ["contains(., 'urgent')", ['the text of the stanza contains "urgent"']],
    ["//text()[contains(., 'urgent')]", ['the text of the stanza contains "urgent"']],
    ["@id = 'a' or @id = 'b'", [`the stanza's attribute id is "a"`, `the stanza's attribute id is "b"`]],
    ["//a[@n = '1'] | //b[@n = '2']", ['an attribute n is "1"', 'an attribute n is "2"']],
    ['count(//d:delay) > 0', ['there is an element {urn:xmpp:delay}delay']],
    ["/message[body and not(d:delay) and @id = 'm1']", [`the stanza's attribute id is "m1"`]],
    ['boolean(//d:delay) = true()', ['there is an element {urn:xmpp:delay}delay']],
    ['//d:delay/@stamp > 5', ['there is an element {urn:xmpp:delay}delay']],
    ['(//d:delay)[2]/@stamp', ['there is an element {urn:xmpp:delay}delay']],
  ])('%s', (expression, keys) => {
    const explained = new FilterSet().explainExpression(expression, { namespaces });
    expect(explained).toMatchObject({ event: null, expression, state: 'not added', keys });
    expect(explained.reason).toContain('only');
  });

  test.each<[expression: string, why: string]>([
    ['not(//body)', 'not() is true for stanzas that lack something'],
    ['true()', 'always true'],
    ["@id != 'x' or not(@id)", 'one of its alternatives'],
    ["string(@id) != 'x'", 'also true where there is nothing'],
    ['count(//body) = 0', 'also true where there is nothing'],
    ['count(*) + 1', 'a calculation'],
    ['//node()', 'nodes of any name'],
    ["//*[. = 'x' or true()]", 'any name'],
    ['*', 'any name'],
    ['lang("en")', 'lang()'],
    ["contains(@id, '')", 'the empty string'],
    ['contains("x", @id)', 'not known before'],
  ])('%s is evaluated for every stanza', (expression, why) => {
    const explained = new FilterSet().explainExpression(expression);
    expect(explained.keys).toBeNull();
    expect(explained.reason).toContain('evaluated for every stanza');
    expect(explained.reason).toContain(why);
  });

  test.each(['false()', 'id("x")', '//comment()', '0', "'' ", 'body and false()', '//a[0 = 1 and false()]'])(
    '%s is never evaluated',
    (expression) => {
      const explained = new FilterSet().explainExpression(expression);
      expect(explained.keys).toEqual([]);
      expect(explained.reason).toContain('no stanza can match');
    },
  );

  test.each<[what: string, nest: (inner: string) => string]>([
    ['comparisons', (inner) => `a[${inner} = 'x']`],
    ['comparisons of texts', (inner) => `a[string(*[${inner}]) = 'x']`],
    ['texts of texts', (inner) => `string(${inner})`],
    ['booleans', (inner) => `boolean(a[${inner}]) = true()`],
    ['parts', (inner) => `a[contains(string(${inner}), 'x')]`],
    ['counts', (inner) => `*[count(${inner.startsWith('*') ? inner : `*[${inner}]`}) > 1]`],
    ['first nodes', (inner) => `ancestor::a[string(ancestor::b[${inner}]) = 'x']`],
  ])('what is nested is looked at once: %s', (_what, nest) => {
    let expression = '*';
    for (let i = 0; i < 20; i += 1) expression = nest(expression);
    const set = new FilterSet();
    set.add('e', expression);
    expect(set.explain('e').length).toBe(1);
  });

  test('a bad expression is refused as by add', () => {
    expect(() => new FilterSet().explainExpression('//d:delay')).toThrow('"d" is not bound');
  });

  test('a key that other filters share is avoided', () => {
    const set = new FilterSet();
    for (let i = 0; i < 50; i += 1) set.add('e', `@from = 'bot@x' and @to = 'user${i}'`);
    const all = set.explain('e');
    const [first, last] = [all[0], all.at(-1)];
    expect(first!.keys).toEqual([`the stanza's attribute from is "bot@x"`]);
    expect(last!.keys).toEqual([`the stanza's attribute to is "user49"`]);
  });
});

describe('counters', () => {
  test('tell how often a filter was evaluated and matched, of how many stanzas', () => {
    const set = new FilterSet();
    events(set, tree('<message/>'));
    set.add('mine', "/message[@from = 'a@b'][body]");
    set.add('each', 'not(body)');
    for (const stanza of [
      '<message from="a@b"><body/></message>',
      '<message from="a@b"/>',
      '<message from="c@d"/>',
      '<iq/>',
    ]) {
      events(set, tree(stanza));
    }
    expect(set.explain('mine')).toEqual([
      {
        event: 'mine',
        expression: "/message[@from = 'a@b'][body]",
        state: 'active',
        keys: [`the stanza's attribute from is "a@b"`],
        reason: expect.any(String) as unknown,
        warnings: [],
        counters: { evaluated: 2, matched: 1, overruns: 0, milliseconds: expect.any(Number) as unknown },
        stanzas: 4,
      },
    ]);
    expect(set.explain('each')[0]).toMatchObject({ keys: null, counters: { evaluated: 4, matched: 3 }, stanzas: 4 });
  });

  test('are there for every filter of the event', () => {
    const set = new FilterSet();
    set.add('a', '/message');
    set.add('b', '/message');
    set.add('a', '/iq');
    expect(set.explain('a').map(({ expression }) => expression)).toEqual(['/message', '/iq']);
    expect(() => set.explain('/message')).toThrow('no filter publishes "/message"');
    expect(set.explainExpression('/message')).toMatchObject({ event: null, state: 'not added' });
  });

  test('estimate the time', () => {
    const set = new FilterSet();
    set.add('e', 'count(//*[not(x)]) > 100');
    const stanza = tree(`<message>${'<a/>'.repeat(2000)}</message>`);
    for (let i = 0; i < 200; i += 1) events(set, stanza);
    const [explained] = set.explain('e');
    expect(explained!.counters.evaluated).toBe(200);
    expect(explained!.counters.milliseconds).toBeGreaterThan(0);
  });

  test('without the index every filter is evaluated for every stanza', () => {
    const set = new FilterSet({ index: false });
    set.add('e', '/iq');
    events(set, tree('<message/>'));
    expect(set.explain('e')[0]).toMatchObject({ keys: null, counters: { evaluated: 1, matched: 0 } });
    expect(set.explain('e')[0]!.reason).toContain('switched off');
  });
});

describe('what the index finds', () => {
  test('comes in the order of adding, whatever the filters are filed under', () => {
    const set = new FilterSet();
    const expressions = [
      "contains(body, 'x')",
      'true()',
      "@id = '1'",
      '/message',
      "starts-with(@id, '1')",
      '//body',
      'not(y)',
      "@id = '1'",
      "body = 'x'",
    ];
    expressions.forEach((expression, i) => set.add(String(i), expression));
    expect(events(set, tree('<message id="1"><body>x</body></message>'))).toEqual(expressions.map((_, i) => String(i)));
    for (let i = 0; i < 40; i += 1) set.add(String(9 + i), i % 2 === 0 ? '//body' : "@id = '1'");
    expect(events(set, tree('<message id="1"><body>x</body></message>'))).toEqual(
      Array.from({ length: 49 }, (_, i) => String(i)),
    );
  });

  test('one filter is found once, though several of its keys hold', () => {
    const set = new FilterSet();
    set.add('e', "@id = '1' or @from = 'a' or //body or contains(body, 'x') or @id = '1'");
    expect(events(set, tree('<message id="1" from="a"><body>x</body><body/></message>'))).toEqual(['e']);
  });

  test('what is removed is not found, and its keys are free again', () => {
    const set = new FilterSet();
    const expressions = [
      "contains(body, 'needle')",
      "@id = '1'",
      '/message',
      "starts-with(@id, '1')",
      '//body',
      "body = 'needle'",
      '//*[namespace-uri()="urn:x"]',
      '/*[namespace-uri()="urn:x"]',
      "contains(., 'needle')",
      "//@n = 'v'",
      '@id',
      "@id = '1' or body or @id = '1'",
      'not(z)',
    ];
    const stanza = tree('<message xmlns="urn:x" id="1" n="v"><body xmlns="">needle</body></message>');
    for (let round = 0; round < 3; round += 1) {
      const filters = expressions.map((expression) => set.add(expression, expression));
      const found = events(set, stanza);
      expect(found.length).toBeGreaterThan(8);
      for (const [i, filter] of filters.entries()) {
        filter.remove();
        expect(events(set, stanza)).toEqual(found.filter((event) => expressions.indexOf(event) > i));
      }
      expect(set.size).toBe(0);
    }
  });

  test('the options are those at the time of adding', () => {
    const set = new FilterSet();
    const options = { namespaces: { d: 'urn:xmpp:delay' }, variables: { v: '1' } };
    set.add('e', '//d:delay[@n = $v]', options);
    options.namespaces.d = 'urn:other';
    options.variables.v = '2';
    expect(events(set, tree(`<message><delay xmlns='urn:xmpp:delay' n='1'/></message>`))).toEqual(['e']);
  });

  test('texts that elements are between are found as one', () => {
    const set = new FilterSet();
    set.add('part', "contains(body, 'urgent')");
    set.add('equal', "body = 'urgently'");
    set.add('inner', "body/b = 'gent'");
    set.add('whole', "contains(., 'a urgently z')");
    const stanza = tree('<message>a <body>ur<b>g<i>e</i>nt</b>ly</body> z</message>');
    expect(events(set, stanza)).toEqual(['part', 'equal', 'inner', 'whole']);
  });

  test('elements of one name inside one another are looked up each', () => {
    const set = new FilterSet();
    set.add('outer', "//a = 'xyz'");
    set.add('inner', "//a = 'y'");
    set.add('middle', "//a = 'yz'");
    set.add('part', "contains(//a/a, 'z')");
    const stanza = tree('<m><a>x<a><a>y</a>z</a></a></m>');
    expect(events(set, stanza)).toEqual(['outer', 'inner', 'middle', 'part']);
  });
});
