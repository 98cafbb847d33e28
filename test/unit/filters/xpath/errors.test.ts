import { describe, expect, test } from 'vitest';
import { BrokerError } from '../../../../src/errors.js';
import type { FilterOptions } from '../../../../src/filters/filter.js';
import { FilterSet } from '../../../../src/filters/filter-set.js';

function refused(act: () => unknown): BrokerError {
  try {
    act();
  } catch (error) {
    if (error instanceof BrokerError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

const add = (expression: string, options?: FilterOptions) => () => new FilterSet().add('event', expression, options);

describe('S-API-4: a bad expression throws when it is added, with its place', () => {
  test.each<[expression: string, code: string, offset: number]>([
    ['', 'SYNTAX', 0],
    ['   ', 'SYNTAX', 0],
    ['/message[', 'SYNTAX', 9],
    ['/message[]', 'SYNTAX', 9],
    ['/message]', 'SYNTAX', 8],
    ['/message[@a=)]', 'SYNTAX', 12],
    ['(a', 'SYNTAX', 2],
    ['a b', 'SYNTAX', 2],
    ['a/', 'SYNTAX', 2],
    ['//', 'SYNTAX', 2],
    ['a//', 'SYNTAX', 3],
    ['///a', 'SYNTAX', 2],
    ['a::b', 'SYNTAX', 0],
    ['/a/foo::b', 'SYNTAX', 3],
    ['child::', 'SYNTAX', 7],
    ['child:: ::a', 'SYNTAX', 8],
    ['@', 'SYNTAX', 1],
    ['@@a', 'SYNTAX', 1],
    ['a=', 'SYNTAX', 2],
    ['=a', 'SYNTAX', 0],
    ['a!b', 'SYNTAX', 1],
    ['a and', 'SYNTAX', 5],
    ['a or', 'SYNTAX', 4],
    ['1 2', 'SYNTAX', 2],
    ['1a', 'SYNTAX', 1],
    ['"abc', 'SYNTAX', 0],
    ["a='b", 'SYNTAX', 2],
    ['.[1]', 'SYNTAX', 1],
    ['..[a]', 'SYNTAX', 2],
    ['...', 'SYNTAX', 2],
    ['$', 'SYNTAX', 1],
    ['$ x', 'SYNTAX', 2],
    ['a:', 'SYNTAX', 2],
    ['a:1', 'SYNTAX', 2],
    ['d:a:b', 'SYNTAX', 3],
    ['a : b', 'SYNTAX', 2],
    ['a#b', 'SYNTAX', 1],
    ['a;b', 'SYNTAX', 1],
    ['a{1}', 'SYNTAX', 1],
    ['a,b', 'SYNTAX', 1],
    ['f(,)', 'SYNTAX', 2],
    ['count(a,)', 'SYNTAX', 8],
    ['node(1)', 'SYNTAX', 5],
    ['text("x")', 'SYNTAX', 5],
    ["processing-instruction('a','b')", 'SYNTAX', 26],
    ['a/text()()', 'SYNTAX', 8],
    ['-', 'SYNTAX', 1],
    ['1--', 'SYNTAX', 3],
    ['a|', 'SYNTAX', 2],
    ['|a', 'SYNTAX', 0],
    ['/ or /', 'SYNTAX', 6],
    ['for $x in a return $x', 'SYNTAX', 7],
    ['a except b', 'SYNTAX', 2],
    ['a\u0000', 'SYNTAX', 1],
    ['𐀀 b', 'SYNTAX', 3],
    ['q:a', 'PREFIX', 0],
    ['/message/q:*', 'PREFIX', 9],
    ['@xmlns:a', 'PREFIX', 1],
    ['//a[b and q:c]', 'PREFIX', 10],
    ['__proto__:a', 'PREFIX', 0],
    ['$v', 'VARIABLE', 1],
    ['@a=$v', 'VARIABLE', 4],
    ['$d:v', 'VARIABLE', 1],
    ['$constructor', 'VARIABLE', 1],
    ['foo()', 'FUNCTION', 0],
    ['a[foo()]', 'FUNCTION', 2],
    ['d:foo()', 'FUNCTION', 0],
    ['toString()', 'FUNCTION', 0],
    ['__proto__()', 'FUNCTION', 0],
    ['matches(a,"b")', 'FUNCTION', 0],
    ['document("x")', 'FUNCTION', 0],
    ['current()', 'FUNCTION', 0],
    ['ends-with(a,"b")', 'FUNCTION', 0],
    ['position(1)', 'FUNCTION', 0],
    ['count()', 'FUNCTION', 0],
    ['count(a,b)', 'FUNCTION', 0],
    ['concat("a")', 'FUNCTION', 0],
    ['contains(a)', 'FUNCTION', 0],
    ['substring(a)', 'FUNCTION', 0],
    ['substring(a,1,2,3)', 'FUNCTION', 0],
    ['translate(a,b)', 'FUNCTION', 0],
    ['true(1)', 'FUNCTION', 0],
    ['not()', 'FUNCTION', 0],
    ['boolean()', 'FUNCTION', 0],
    ['id()', 'FUNCTION', 0],
    ['a[lang()]', 'FUNCTION', 2],
    ['count("a")', 'TYPE', 6],
    ['sum(1)', 'TYPE', 4],
    ['name("a")', 'TYPE', 5],
    ['a | 1', 'TYPE', 4],
    ['"a" | a', 'TYPE', 0],
    ['"a"[1]', 'TYPE', 0],
    ['(1+2)[1]', 'TYPE', 1],
    ['count(a)/b', 'TYPE', 0],
    ['"a"//b', 'TYPE', 0],
    ['(a and b)/c', 'TYPE', 1],
  ])('%j: %s at %i', (expression, code, offset) => {
    const error = refused(add(expression, { namespaces: { d: 'urn:xmpp:delay' } }));
    expect({ code: error.code, offset: error.offset }).toEqual({ code: `USAGE_XPATH_${code}`, offset });
    expect(error.layer).toBe('filter');
    expect(error.message).toContain(`at offset ${offset}: `);
  });

  test('the message shows the place, in one line and not more than is needed', () => {
    const { message } = refused(add(`/message[@from='x' and\n@to==${'a'.repeat(9000)}]`.slice(0, 8000)));
    expect(message).toContain('[@from=');
    expect(message).toContain('unexpected "="');
    expect(message).not.toContain('\n');
    expect(message.length).toBeLessThan(300);
  });

  test('limits: length', () => {
    const fits = `a${' '.repeat(8191)}`;
    expect(add(fits)).not.toThrow();
    expect(refused(add(`${fits} `)).code).toBe('USAGE_XPATH_LIMIT');
  });

  test.each([
    ['parentheses', (n: number) => '('.repeat(n) + 'a' + ')'.repeat(n)],
    ['predicates', (n: number) => 'a['.repeat(n) + 'a' + ']'.repeat(n)],
    ['calls', (n: number) => 'not('.repeat(n) + 'a' + ')'.repeat(n)],
  ])('limits: nested %s', (_name, nested) => {
    expect(add(nested(64))).not.toThrow();
    const error = refused(add(nested(65)));
    expect(error.code).toBe('USAGE_XPATH_LIMIT');
    expect(error.offset).toBeGreaterThan(0);
  });

  test('limits: chains are as long as an expression may be, where they need no depth', () => {
    expect(add(Array(1000).fill('@a=1').join('or '))).not.toThrow();
    expect(add(Array(2000).fill('a').join('|'))).not.toThrow();
    expect(add(Array(2000).fill('1').join('+'))).not.toThrow();
    expect(add(`${'-'.repeat(8000)}1`)).not.toThrow();
    expect(add(`concat(${Array(2000).fill('1').join(',')})`)).not.toThrow();
    expect(add(`a${'[1]'.repeat(2000)}`)).not.toThrow();
  });

  test('limits: steps and comparisons inside one another', () => {
    expect(add(Array(250).fill('a').join('/'))).not.toThrow();
    expect(refused(add(Array(300).fill('a').join('/'))).code).toBe('USAGE_XPATH_LIMIT');
    expect(add(Array(250).fill('1').join('='))).not.toThrow();
    expect(refused(add(Array(300).fill('1').join('='))).code).toBe('USAGE_XPATH_LIMIT');
    expect(
      refused(
        add(
          Array(40)
            .fill(`${Array(10).fill('a').join('/')}[`)
            .join('') +
            'a' +
            ']'.repeat(40),
        ),
      ).code,
    ).toBe('USAGE_XPATH_LIMIT');
  });
});

describe('bindings', () => {
  test.each<[string, FilterOptions, string]>([
    ['a namespace that is no string', { namespaces: { a: 1 as never } }, 'PREFIX'],
    ['an empty namespace', { namespaces: { a: '' } }, 'PREFIX'],
    ['a prefix that is no name', { namespaces: { '1': 'urn:x' } }, 'PREFIX'],
    ['a prefix with a colon', { namespaces: { 'a:b': 'urn:x' } }, 'PREFIX'],
    ['an empty prefix', { namespaces: { '': 'urn:x' } }, 'PREFIX'],
    ['xmlns as a prefix', { namespaces: { xmlns: 'urn:x' } }, 'PREFIX'],
    ['the namespace of declarations', { namespaces: { a: 'http://www.w3.org/2000/xmlns/' } }, 'PREFIX'],
    ['xml for another namespace', { namespaces: { xml: 'urn:x' } }, 'PREFIX'],
    ['another prefix for that of xml', { namespaces: { a: 'http://www.w3.org/XML/1998/namespace' } }, 'PREFIX'],
    ['a variable that is an object', { variables: { v: {} as never } }, 'VARIABLE'],
    ['a variable that is null', { variables: { v: null as never } }, 'VARIABLE'],
    ['a variable that is undefined', { variables: { v: undefined as never } }, 'VARIABLE'],
    ['a variable that is a bigint', { variables: { v: 1n as never } }, 'VARIABLE'],
    ['a variable whose name is none', { variables: { 'a b': 1 } }, 'VARIABLE'],
  ])('%s is refused', (_name, options, code) => {
    expect(refused(add('a', options)).code).toBe(`USAGE_XPATH_${code}`);
  });

  test('the value of a variable is not in the error', () => {
    const { message } = refused(add('$v', { variables: { 'a b': 'secret' } }));
    expect(message).not.toContain('secret');
  });

  test('xml is bound already and may be bound again', () => {
    expect(add('@xml:lang')).not.toThrow();
    expect(add('@xml:lang', { namespaces: { xml: 'http://www.w3.org/XML/1998/namespace' } })).not.toThrow();
  });
});

describe('arguments', () => {
  test.each<[string, unknown[]]>([
    ['no arguments', []],
    ['an event that is no string', [1, 'a']],
    ['an expression that is no string', ['e', 1]],
    ['no expression', ['e']],
    ['options that are a string', ['e', 'a', 'x']],
    ['options that are null', ['e', 'a', null]],
    ['an unknown option', ['e', 'a', { namespace: {} }]],
    ['namespaces that are a Map', ['e', 'a', { namespaces: new Map() }]],
    ['namespaces that are an array', ['e', 'a', { namespaces: [] }]],
    ['variables that are a string', ['e', 'a', { variables: 'x' }]],
  ])('%s', (_name, args) => {
    const set = new FilterSet();
    const error = refused(() => Reflect.apply(set.add, set, args));
    expect(error.code).toBe('USAGE_FILTER');
    expect(set.size).toBe(0);
  });
});
