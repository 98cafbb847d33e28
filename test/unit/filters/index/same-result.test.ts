// The index leaves out nothing that matches: expressions of every shape that it draws conclusions from, with and without it.
import { expect, test } from 'vitest';
import { FilterSet } from '../../../../src/filters/filter-set.js';
import { parse } from '../../../../src/xml/tokenizer/parse.js';

const STANZAS = [
  "<message xmlns='jabber:client' from='a@b' id='1' type='chat'><body>one  two</body><n xmlns='urn:n' v='3'>5</n></message>",
  "<message xmlns='jabber:client' id='2'><body/><n xmlns='urn:n'>-1</n><n xmlns='urn:n'>x</n></message>",
  "<iq xmlns='jabber:client' id='3' type='get' xml:lang='de-AT'><q xmlns='urn:q'><body>two</body></q></iq>",
  "<presence xmlns='jabber:client'/>",
].map((text) => parse(text));
const namespaces = { n: 'urn:n', q: 'urn:q' };

const COMPARED = ['=', '!=', '<', '<=', '>', '>='].flatMap((operator) => [
  `sum(//n:n) ${operator} 0`,
  `0 ${operator} count(//n:n)`,
  `string-length(body) ${operator} 0`,
  `number(//n:n) ${operator} 5`,
  `//n:n ${operator} "5"`,
  `boolean(//n:n) ${operator} "x"`,
  `string(//n:n) ${operator} true()`,
  `string-length(boolean(body)) ${operator} 4`,
  `count(//n:n) ${operator} string(2)`,
]);
const CALLED = [
  'boolean(count(//n:n))',
  'number(boolean(//n:n)) = 1',
  'number(count(//n:n)) = 2',
  'number(string(//n:n)) = 5',
  'string-length(string(body)) = 0',
  'string(boolean(body)) = "true"',
  'normalize-space(string(body)) = "one two"',
  'normalize-space(body) = " "',
  'substring(normalize-space(body), 1, 3) = "one"',
  'substring(count(//n:n), 1) = "2"',
  'translate(body, "o", "0") = "0ne  tw0"',
  'substring-before(body, " ") = "one"',
  'substring-after(body, "one") = "  two"',
  'contains(substring-after(body, "one"), "two")',
  'contains(substring-before(body, "two"), "one")',
  'starts-with(substring-after(body, "one "), " t")',
  'starts-with(local-name(), "mess")',
  'starts-with(name(//q:q), "q")',
  'starts-with(namespace-uri(//n:n), "urn")',
  'namespace-uri(//n:n) = "urn:n"',
  'namespace-uri() = "jabber:client"',
  'local-name(//q:q/*) = "body"',
  'name() = "iq"',
  'name(id("x")) = "iq"',
  'local-name(id("x")) = ""',
  'contains(concat(body, "!"), "two!")',
  'concat(body, "!") = "two!"',
  'string() = "two"',
  'contains(string(), "two")',
  'starts-with(string(1), "1")',
  '"1" = string(1)',
  'lang("de")',
  'not(lang("de"))',
  '-count(//n:n) = -1',
  'count(//n:n) - 2',
];
const PATHS = [
  '//n:n/attribute::*',
  '//@*[. = "3"]',
  '//@*[namespace-uri() = ""]',
  '/*/attribute::node()',
  '//n:*[@v]/self::*',
  '(//n:n | //q:q)[1]/..',
  '(//n:n)[2]',
  '((//q:q)/*)[1] = "two"',
  '//text()[. = "two"]',
  '/message/text()',
  '/text()',
  'body/text() = "two"',
  'descendant-or-self::text()[contains(., "two")]',
  '//q:q/namespace::*',
  '//q:q/namespace::n',
  '//q:q/namespace::node() = "urn:q"',
  '/node()[@id = "3"]',
  '/descendant::comment()',
  '//body/ancestor::*[@id = "3"]',
  '//n:n[1][. = "-1"]/following-sibling::n:n',
  '//n:n/preceding-sibling::node()[self::body]',
  '//body/following::node()',
  'self::node()[self::iq]',
  './/self::text()',
  '//@v/..',
  '//@v/../@v = "3"',
  '*[. = "two"]',
  '*/*[. = "two"]',
  'body = //q:q/body',
  'body = (1 = 1)',
  '//n:n = true()',
  '//n:n != true()',
  'true() = //n:n',
  '"chat" = @type',
  '@xml:lang = "de-AT"',
];

const matching = (set: FilterSet): string[] =>
  STANZAS.flatMap((stanza) => {
    const found: string[] = [];
    set.match(
      stanza,
      ({ expression }) => void found.push(`${String(stanza.getAttribute('id'))} ${expression}`),
      (_, error) => void found.push(error.code),
    );
    return found;
  });

test('G: expressions of every shape match the same with the index and without it', () => {
  const [indexed, plain] = [new FilterSet(), new FilterSet({ index: false })];
  for (const [n, expression] of [...COMPARED, ...CALLED, ...PATHS].entries()) {
    for (const set of [indexed, plain]) set.add(String(n), expression, { namespaces });
  }
  const found = matching(plain);
  expect(matching(indexed)).toEqual(found);
  // Some of them match, and none of them all.
  expect(found.length).toBeGreaterThan(100);
  expect(plain.explainExpression('*').reason).toContain('switched off');
});

test('what is removed and added again is found as before', () => {
  const [indexed, plain] = [new FilterSet(), new FilterSet({ index: false })];
  const all = [...COMPARED, ...CALLED, ...PATHS];
  for (const set of [indexed, plain]) {
    for (const [n, expression] of all.entries()) set.add(String(n % 7), expression, { namespaces });
    for (const event of ['1', '4']) expect(set.remove(event)).toBeGreaterThan(1);
    for (const [n, expression] of all.slice(0, 20).entries()) set.add(String(n % 7), expression, { namespaces });
  }
  expect(matching(indexed)).toEqual(matching(plain));
  for (const event of ['0', '1', '2', '3', '4', '5', '6']) indexed.remove(event);
  expect([matching(indexed), indexed.size]).toEqual([[], 0]);
});

test.each([
  ['//n:n[1.5]', '[1.5]'],
  ['-(/message/query)', 'query finds nothing'],
  ['-(query) = 1', 'query finds nothing'],
  ['@id/@x', 'have none themselves'],
  ['body/text()/self::text()/x', 'have nothing below them'],
  ['//n:n/@xmlns', 'no attribute'],
  ['/q:*', 'without a prefix'],
  ['n:n/name', 'also inside <n/>: bind a prefix to urn:n'],
  ['n:*/name', 'bind a prefix'],
  ['/n:*', 'without a prefix'],
  ['self::q:*', 'without a prefix'],
  ['/message/lang', '@xml:lang'],
  ['/message/to', 'the attribute is @to'],
  ['/*["a" = @id and @id = "b"]', 'never both'],
  ['/*[@id = 1 and @id = 2]', 'never both'],
  ['/node()/@type = "chatt"', null],
  ['/*/@type = "chatt"', 'is never "chatt"'],
  ['//n:n/attribute::node()', null],
  ['@id/self::node()', null],
  ['//*[self::n:n]', null],
])('what is told of %s', (expression, says) => {
  const { warnings } = new FilterSet().explainExpression(expression, { namespaces });
  if (says === null) expect(warnings).toEqual([]);
  else expect(warnings.join('\n')).toContain(says);
});
