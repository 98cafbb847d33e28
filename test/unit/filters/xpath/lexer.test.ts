import { describe, expect, test } from 'vitest';
import { isNCName, tokenize } from '../../../../src/filters/xpath/lexer.js';

const shown = (source: string) => tokenize(source).map(({ terminal, text, offset }) => [terminal, text, offset]);

describe('tokens of an expression (XPath 1.0 §3.7)', () => {
  test('have their place, whatever space is between them', () => {
    expect(shown(' a\n/ \t@b ')).toEqual([
      ['QNAME', 'a', 1],
      ['SLASH', '/', 3],
      ['AT', '@', 6],
      ['QNAME', 'b', 7],
    ]);
  });

  test.each([
    ['* * *', ['ASTERISKNAMETEST', 'MULTIPLYOPERATOR', 'ASTERISKNAMETEST']],
    ['div div div', ['QNAME', 'DIV', 'QNAME']],
    ['and and and', ['QNAME', 'AND', 'QNAME']],
    [
      '(a)mod(b)',
      ['LEFTPARENTHESIS', 'QNAME', 'RIGHTPARENTHESIS', 'MOD', 'LEFTPARENTHESIS', 'QNAME', 'RIGHTPARENTHESIS'],
    ],
    ['f(a,div)', ['FUNCTIONNAME', 'LEFTPARENTHESIS', 'QNAME', 'COMMA', 'QNAME', 'RIGHTPARENTHESIS']],
    ['f(a,*)', ['FUNCTIONNAME', 'LEFTPARENTHESIS', 'QNAME', 'COMMA', 'ASTERISKNAMETEST', 'RIGHTPARENTHESIS']],
    ['text ()', ['NODETYPE', 'LEFTPARENTHESIS', 'RIGHTPARENTHESIS']],
    ['text', ['QNAME']],
    ['or:or or or:*', ['QNAME', 'OR', 'NCNAMECOLONASTERISK']],
    ['child :: a', ['AXISNAME', 'DOUBLECOLON', 'QNAME']],
    ['child::a::b', null],
    ['self::and', ['AXISNAME', 'DOUBLECOLON', 'QNAME']],
    ['$and and $or', ['DOLLAR', 'QNAME', 'AND', 'DOLLAR', 'QNAME']],
    ['5.', ['NUMBER']],
    ['.5', ['NUMBER']],
    ['5.5', ['NUMBER']],
    ['. .. .', null],
    ['a-1', ['QNAME']],
    ['a -1', ['QNAME', 'MINUS', 'NUMBER']],
    ['1-1', ['NUMBER', 'MINUS', 'NUMBER']],
    ['<=<', ['LESSTHANOREQUAL', 'LESSTHAN']],
    ['///', ['DOUBLESLASH', 'SLASH']],
    ['processing-instruction()', ['NODETYPE', 'LEFTPARENTHESIS', 'RIGHTPARENTHESIS']],
    [
      "processing-instruction( 'a')",
      ['PROCESSINGINSTRUCTIONWITHLITERAL', 'LEFTPARENTHESIS', 'LITERAL', 'RIGHTPARENTHESIS'],
    ],
    ['é𐀀', ['QNAME']],
  ])('%s', (source, terminals) => {
    if (terminals !== null) expect(tokenize(source).map(({ terminal }) => terminal)).toEqual(terminals);
    else expect(tokenize(source).length).toBeGreaterThan(2);
  });

  test('the content of a literal is kept as it is', () => {
    expect(shown(`"it's" 'say "x"' ""`.replaceAll(' ', '|'))).toEqual([
      ['LITERAL', "it's", 0],
      ['BAR', '|', 6],
      ['LITERAL', 'say|"x"', 7],
      ['BAR', '|', 16],
      ['LITERAL', '', 17],
    ]);
  });

  test.each([
    ['a', true],
    ['_', true],
    ['a-b.c1', true],
    ['ñ', true],
    ['𐀀x', true],
    ['', false],
    ['1a', false],
    ['-a', false],
    ['a:b', false],
    ['a b', false],
    ['×', false],
  ])('is %s a name without colon: %s', (text, is) => {
    expect(isNCName(text)).toBe(is);
  });
});
