// What is said of an expression that does not match, part by part; and expressions as text again.
import { describe, expect, test } from 'vitest';
import { WhyNot } from '../../../src/filters/advice/why-not.js';
import { quoted, written } from '../../../src/filters/advice/written.js';
import { parseExpression } from '../../../src/filters/xpath/syntax.js';
import { bindings, translate } from '../../../src/filters/xpath/translate.js';
import { CONTENT_NAMESPACES } from '../../../src/xml/namespaces.js';
import { tree } from './tree.js';

const STANZA = tree(
  `<message xmlns='jabber:client' xmlns:x='urn:x' from='a@b' to='c@d' id='1'><body>hi</body><a n='1'>x</a><a n='2'>y</a><x:a/>text</message>`,
);
const NAMESPACES = { x: 'urn:x', d: 'urn:d' };

const expression = (source: string) => translate(parseExpression(source), bindings(NAMESPACES));
const whyNot = (source: string) => new WhyNot(STANZA, CONTENT_NAMESPACES, 1e6).of(expression(source));

test.each<[string, string]>([
  ['/iq', 'the stanza is <message/>, not iq'],
  ['/x:message', 'the stanza is <message/>, not {urn:x}message'],
  ['//c', 'there is no c in <message/>'],
  ['//d:a', "there is no {urn:d}a in <message/>; there is <a/>, <a xmlns='urn:x'/>"],
  ['c', "<message/> has no child c; it has <body/>, <a/>, <a/>, <a xmlns='urn:x'/>"],
  ['body/c', '<body/> has no child c; it has none'],
  ['x:a/text()', "<a xmlns='urn:x'/> has no text"],
  ['@type', '<message/> has no attribute type; it has from, to, id'],
  ['body/@type', '<body/> has no attribute type; it has none'],
  ['self::iq', '<message/> is not iq'],
  ['body/following-sibling::c', 'following-sibling::c finds nothing from <body/>'],
  ['body/text()/c', 'c finds nothing from a text'],
  ['@from/c', 'c finds nothing from @from'],
  ['/..', '.. finds nothing from the document'],
  ['/descendant::comment()', 'there is no comment() in <message/>'],
  ['a[3]', 'there is no a[3]: there are 2 a'],
  ['body[2]', 'there is no body[2]: there is 1 body'],
  ['a[@n = "1"][2]', 'there is no a[@n = "1"][2]: there is 1 a[@n = "1"]'],
  ['a[@n = "3"]', '@n of <a/> is "1", not "3", and alike for 1 more'],
  ['(a | body)[@n = "3"]', 'nothing that a | body finds fulfils its predicates'],
  [
    '(c | d)[1]/e',
    "<message/> has no child c; it has <body/>, <a/>, <a/>, <a xmlns='urn:x'/>; and <message/> has no child d; it has <body/>, <a/>, <a/>, <a xmlns='urn:x'/>",
  ],
  ['(a | body)[1]/e', '<body/> has no child e; it has none'],
  ['id("x")', 'id() finds nothing: stanzas have no identifiers'],
  ['body and @type', '<message/> has no attribute type; it has from, to, id'],
  [
    '@type or @code',
    '<message/> has no attribute type; it has from, to, id; and <message/> has no attribute code; it has from, to, id',
  ],
  ['body = "ho"', 'body of <message/> is "hi", not "ho"'],
  ['"ho" = body', 'body of <message/> is "hi", not "ho"'],
  ['body != "hi"', 'body of <message/> is "hi", and body != "hi" is asked for'],
  ['body = a', 'body of <message/> is "hi", and a is "x", "y"'],
  ['string(body) = string(@id)', 'string(body) is "hi", and string(@id) is "1"'],
  ['count(a) = 3', 'count(a) is "2", not 3'.replace('"2"', '2')],
  ['@type = "chat"', '<message/> has no attribute type; it has from, to, id'],
  ['boolean(@type)', '<message/> has no attribute type; it has from, to, id'],
  ['not(body)', 'body holds, and not() of it is asked for'],
  ['contains(body, "ho")', 'body is "hi": it contains no "ho"'],
  ['starts-with(body, "ho")', 'body is "hi": it does not begin with "ho"'],
  ['contains(c, "ho")', "<message/> has no child c; it has <body/>, <a/>, <a/>, <a xmlns='urn:x'/>"],
  ['false()', 'false() is false'],
  ['lang("de")', 'lang("de") is false'],
  ['count(a) - 2', 'count(a) - 2 is 0'],
  ['""', '"" is ""'],
])('%s: %s', (source, why) => {
  expect(whyNot(source)).toBe(why);
});

describe('what is long is cut', () => {
  const long = tree(
    `<message xmlns='jabber:client' a='1' b='2' c='3' d='4' e='5' f='6'><body>${'x'.repeat(100)}</body></message>`,
  );
  const why = (source: string) => new WhyNot(long, CONTENT_NAMESPACES, 1e6).of(expression(source));

  test('a text, and a list of names', () => {
    expect(why('body = "hi"')).toBe(`body of <message/> is "${'x'.repeat(80)}…", not "hi"`);
    expect(why('@g')).toBe('<message/> has no attribute g; it has a, b, c, d and 2 more');
  });
});

test.each([
  ['.', '.'],
  ['..', '..'],
  ['/', '/'],
  ['//b', '//b'],
  ['.//b', './/b'],
  ['a//b', 'a//b'],
  ['/a/x:b', '/a/{urn:x}b'],
  ['x:*', '{urn:x}*'],
  ['@*', '@*'],
  ['a/text()', 'a/text()'],
  ['a/node()', 'a/node()'],
  ['ancestor::a[1]', 'ancestor::a[1]'],
  ['(a | b)[2]/c', '(a | b)[2]/c'],
  ['id("x")', 'id()'],
  ['a or b and c', 'a or (b and c)'],
  ['a = 1 or not(b)', '(a = 1) or not(b)'],
  ['1 + 2 * 3', '1 + (2 * 3)'],
  ['-(a)', '-a'],
  ['-(1 + 2)', '-(1 + 2)'],
  ['true()', 'true()'],
  ['\'say "x"\'', '\'say "x"\''],
])('%s is written %s', (source, text) => {
  expect(written(expression(source))).toBe(text);
});

test('a text with quotes is in the others', () => {
  expect([quoted('a'), quoted('a"b')]).toEqual(['"a"', "'a\"b'"]);
});
