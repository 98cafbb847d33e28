import type { Random } from './xpath-generator.js';

/** Values that are nearly the same, group by group. */
const VALUES = [
  ['', 'a', 'ab', 'abc', 'abababac', 'babac'],
  ['a', 'a@b', 'a@b/c', 'a@b/cd', 'x a@b', '@b'],
  ['one', 'one two', 'two one', ' one ', 'One', 'two', 'o', 'chat'],
  ['', '1', '2', '2.0', '12', ' 2 ', '-1'],
  ['é😀', '😀', 'é', '__proto__'],
  ['x'.repeat(40), `${'y'.repeat(66)}1`, `${'y'.repeat(66)}2`, 'y'],
];
const NAMESPACES = ['urn:example:x', 'urn:example:y', 'jabber:client', 'urn:none'];
const NAMES = ['message', 'iq', 'a', 'b', 'body', 'x:a', 'y:b'];

const ATTRIBUTES = ['@from', '@to', '@id', '@type', '@xml:lang', '@x:n', '@*'];
const ON_ATTRIBUTE = [
  'A',
  'not(A)',
  'A = V',
  'V = A',
  'A != V',
  'A = ""',
  'A = $v',
  'string(A) = V',
  'normalize-space(A) = V',
  'boolean(A)',
  'count(A) = 1',
  'count(A) > 0',
  'count(A) < 1',
  'string-length(A) > 2',
  'string-length(A) = 0',
  'starts-with(A, V)',
  'starts-with(A, $v)',
  'starts-with(A, "")',
  'contains(A, V)',
  'contains(A, $v)',
  'substring-before(A, "/") = V',
  'substring-after(A, "@") = V',
  'starts-with(substring-before(A, "/"), V)',
  'starts-with(substring-after(A, "@"), V)',
  'contains(substring-after(A, "a"), V)',
  'substring(A, 1, 3) = V',
  'substring(A, 2) = V',
  'translate(A, "abc", "ABC") = V',
  'contains(translate(A, "O", "o"), V)',
  'concat(A, "/c") = V',
  'starts-with(concat("a", A), V)',
  'number(A) = 2',
  'A = 2',
  'A > 1',
  'A < V',
  'A = @to',
  'A != @to',
  'A = true()',
  'A = false()',
  'A != true()',
  'contains(V, A)',
  'starts-with(V, A)',
  'contains(count(A), "0")',
  'contains(boolean(A), "false")',
  'string(A) != V',
  'name(A) = "id"',
];

const ELEMENTS = [
  'body',
  'a',
  'x:a',
  'x:*',
  '*',
  'self::node()',
  'a/b',
  'x:a/y:b',
  './/body',
  '//body',
  '//x:a',
  './/*',
  'body/text()',
  './/text()',
  '//a//b',
  'a[1]',
  '(//x:a)[last()]',
  'body|a',
  '//node()',
  './/@n/parent::*',
  'descendant::b[@n]',
  '/message/body',
  '/*/x:a',
  '/message',
  'parent::node()',
];
const ON_ELEMENT = [
  'E',
  'not(E)',
  'E = V',
  'E != V',
  'E = $v',
  'string(E) = V',
  'contains(E, V)',
  'contains(E, $v)',
  'starts-with(E, V)',
  'contains(normalize-space(E), V)',
  'normalize-space(E) = V',
  'count(E) > 1',
  'count(E) = 0',
  'string-length(E) > 0',
  'E = @id',
  'E = //b',
  'E < 2',
  'E/@n = V',
  'E[@n = V]',
  'E[contains(., V)]',
  'E[. = V][@n]',
  'E/.. = V',
  'contains(E/@n, V)',
  'E/text() = V',
  'contains(E/text(), V)',
  'E[starts-with(@n, V)]',
  'local-name(E) = "b"',
  'name(E) = "x:a"',
  'namespace-uri(E) = U',
  'E[last()] = V',
  'E[not(@n)]',
  'sum(E) = 2',
  'string-length(normalize-space(E)) = 3',
  'E = true()',
  'E = false()',
];

const OTHERS = [
  'local-name() = "message"',
  'name() = "iq"',
  'namespace-uri() = ""',
  'namespace-uri() = U',
  '*[local-name() = "a"]',
  './/*[local-name() = "b" and namespace-uri() = U]',
  './/*[name() = "x:a"]',
  './/*[namespace-uri() = U]',
  '@*[local-name() = "id"]',
  '@*[name() = "x:n"] = V',
  '@*[local-name() = "id"] = V',
  './/@* = V',
  './/@n = V',
  './/@*[local-name() = "n"] = V',
  '//@x:n[starts-with(., V)]',
  '//@n[contains(., V)]',
  '//@n[. = V]/..',
  '//*[@n = V]',
  '//*[@n = V and @type]',
  '//x:a[@n = V]/y:b',
  '//N',
  '//N[@n = V]',
  '//N[. = V]',
  '/N',
  '/N/N',
  '/N[@from = V]',
  '/N[@id = V]/N',
  '/N//N[contains(., V)]',
  'id("x")',
  'id("x") = V',
  'true()',
  'false()',
  '1',
  '0',
  '"x"',
  '""',
  '$v',
  '$v = V',
  '@id = concat("a", "b")',
  '3 > 2',
  'count(//*) > 3',
  'count(//*) mod 2',
  'position() = 1',
  'last()',
  'lang("en")',
  '//N[lang("en")]',
  '//comment()',
  '//N/processing-instruction()',
  '//namespace::x',
  'namespace::*[. = U]',
  '//N/following::N',
  '//N[preceding::N]',
  '//N[ancestor::N]',
  '//N/ancestor::N[@n = V]',
  '//N/parent::N',
  '//N/self::N',
  '//N[self::x:a]',
  '//N/following-sibling::N[@n = V]',
  '//N[2]',
  '//N[position() = 2]/@n = V',
  '(//N)[2][@n = V]',
  '(//N | //N)[@n = V]',
  '(//N[@n = V] | //N)[1]',
  '(//N)[. = V]/N',
  '//N[N = V]',
  '//N[N[@n = V]]',
  '//N[not(N)]',
  '//N[N or @n = V]',
  '//N[@n = V or @n = "1"]',
  '-count(//N)',
  'string(//N)',
  'normalize-space(//N)',
  'not(not(//N))',
  'boolean(//N[@n = V])',
  'not(//N[@n = V])',
  '//N = //N',
  '//N != //N',
  '//N/@n < //N/@n',
  '/',
  '/N[1]',
  '/N[2]',
  '/N[last()][@id]',
  'self::N',
  'self::N[@type = V]',
  'self::*',
  'self::node()[@id = V]',
  './self::node()',
  '/node()',
  '/text()',
  '//text()[contains(., V)]',
  '//text()[. = V]',
  '//text()/..',
  '/descendant::text()[. = V]',
];

/** The kinds of condition a filter may have. */
export const KINDS: readonly string[] = [
  ...ATTRIBUTES.flatMap((attribute) => ON_ATTRIBUTE.map((kind) => kind.replaceAll(/\bA\b/g, attribute))),
  ...ELEMENTS.flatMap((element) => ON_ELEMENT.map((kind) => kind.replaceAll(/\bE\b/g, element))),
  ...OTHERS,
];

/** A filter: its expression, and the value of `$v`. */
export interface Made {
  expression: string;
  variables: { v: string };
}

/** So few values that filters and stanzas meet often: a group and some of another. */
export function fewValues(random: Random): readonly string[] {
  return [...random.pick(VALUES), ...random.pick(VALUES).slice(0, 2)];
}

/** A filter of one kind. */
export function filterOf(kind: string, random: Random, values: readonly string[]): Made {
  const quoted = (text: string) => `"${text}"`;
  const expression = kind
    .replaceAll(/\bV\b/g, () => quoted(random.pick(values)))
    .replaceAll(/\bU\b/g, () => quoted(random.pick(NAMESPACES)))
    .replaceAll(/\bN\b/g, () => random.pick(NAMES));
  return { expression, variables: { v: random.pick(values) } };
}

/** A random filter, of several kinds together. */
export function randomFilter(random: Random, values: readonly string[]): Made {
  const condition = () => filterOf(random.pick(KINDS), random, values).expression;
  const wrap = (depth: number): string => {
    switch (random.below(depth > 0 ? 16 : 6)) {
      case 6:
      case 7:
        return `(${wrap(depth - 1)}) and (${wrap(depth - 1)})`;
      case 8:
      case 9:
        return `(${wrap(depth - 1)}) or (${wrap(depth - 1)})`;
      case 10:
        return `not(${wrap(depth - 1)})`;
      case 11:
        return `/message[${wrap(depth - 1)}]`;
      case 12:
        return `/*[${wrap(depth - 1)}][${wrap(depth - 1)}]`;
      case 13:
        return `//*[${wrap(depth - 1)}]`;
      case 14:
        return `boolean(${wrap(depth - 1)}) = ${random.pick(['true()', 'false()'])}`;
      case 15:
        return `count(//*[${wrap(depth - 1)}]) ${random.pick(['>', '=', '<', '!='])} ${random.below(3)}`;
      default:
        return condition();
    }
  };
  return { expression: wrap(2), variables: { v: random.pick(values) } };
}

/** A random stanza from the same names and values. */
export function randomSubject(random: Random, values: readonly string[]): string {
  const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
  const attributes = (names: readonly string[]) =>
    names.map((name) => (random.chance(50) ? ` ${name}="${escaped(random.pick(values))}"` : '')).join('');
  const content = (depth: number): string => {
    let inside = '';
    for (let i = random.below(5); i > 0; i -= 1) {
      if (depth > 3 || random.chance(45)) inside += escaped(random.pick(values));
      else {
        const name = random.pick(['a', 'a', 'b', 'b', 'body', 'body', 'x:a', 'x:a', 'x:b', 'y:b', 'y:b', 'message']);
        inside += `<${name}${attributes(['n', 'type', 'x:n'])}>${content(depth + 1)}</${name}>`;
      }
    }
    return inside;
  };
  const root = random.pick(['message', 'message', 'iq', 'presence', 'x:a']);
  const namespace = random.pick(['jabber:client', 'jabber:component:accept', 'urn:example:y']);
  const all = attributes(['from', 'to', 'id', 'type', 'xml:lang', 'x:n']);
  return `<${root} xmlns="${namespace}" xmlns:x="urn:example:x" xmlns:y="urn:example:y"${all}>${content(0)}</${root}>`;
}
