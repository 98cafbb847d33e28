// XPath 1.0 §3.7: lexical structure.
import { xpathError } from './error.js';
import type { Terminal } from './package.js';

/** One token of an expression. */
export interface Token {
  terminal: Terminal;
  /** A name, the content of a literal, the digits of a number, otherwise the token as written. */
  text: string;
  /** Place of the first character in the expression, in UTF-16 code units. */
  offset: number;
}

const SPACE = /[ \t\r\n]*/y;
/** XML 1.0 §2.3, without the colon: what a name begins with, and what it goes on with. */
const NAME_START =
  String.raw`A-Z_a-z\u{c0}-\u{d6}\u{d8}-\u{f6}\u{f8}-\u{2ff}\u{370}-\u{37d}\u{37f}-\u{1fff}\u{200c}-\u{200d}` +
  String.raw`\u{2070}-\u{218f}\u{2c00}-\u{2fef}\u{3001}-\u{d7ff}\u{f900}-\u{fdcf}\u{fdf0}-\u{fffd}\u{10000}-\u{effff}`;
const NAME_MORE = String.raw`\u{300}-\u{36f}\u{203f}-\u{2040}\u{b7}\-.0-9`;
/** Namespaces in XML 1.0 §3. */
const NCNAME = new RegExp(`[${NAME_START}][${NAME_MORE}${NAME_START}]*`, 'uy');
const NUMBER = /[0-9]+(?:\.[0-9]*)?|\.[0-9]+/y;
const LITERAL = /"([^"]*)"|'([^']*)'/y;
const SYMBOL = /::|\.\.|\/\/|!=|<=|>=|[()[\]@,.$|+\-=<>*/]/y;

const SYMBOLS: Readonly<Record<string, Terminal>> = {
  '(': 'LEFTPARENTHESIS',
  ')': 'RIGHTPARENTHESIS',
  '[': 'LEFTBRACKET',
  ']': 'RIGHTBRACKET',
  '.': 'DOT',
  '..': 'DOUBLEDOT',
  '@': 'AT',
  ',': 'COMMA',
  '::': 'DOUBLECOLON',
  $: 'DOLLAR',
  '/': 'SLASH',
  '//': 'DOUBLESLASH',
  '|': 'BAR',
  '+': 'PLUS',
  '-': 'MINUS',
  '=': 'EQUALS',
  '!=': 'NOTEQUAL',
  '<': 'LESSTHAN',
  '<=': 'LESSTHANOREQUAL',
  '>': 'GREATERTHAN',
  '>=': 'GREATERTHANOREQUAL',
  '*': 'ASTERISKNAMETEST',
};

const OPERATOR_NAMES: ReadonlyMap<string, Terminal> = new Map([
  ['and', 'AND'],
  ['or', 'OR'],
  ['mod', 'MOD'],
  ['div', 'DIV'],
]);

const NODE_TYPES: ReadonlySet<string> = new Set(['comment', 'text', 'processing-instruction', 'node']);

/** Behind one of these an operand has ended, so `*` multiplies and a name is an operator. */
const ENDS_OPERAND: ReadonlySet<Terminal> = new Set<Terminal>([
  'RIGHTPARENTHESIS',
  'RIGHTBRACKET',
  'DOT',
  'DOUBLEDOT',
  'LITERAL',
  'NUMBER',
  'QNAME',
  'NCNAMECOLONASTERISK',
  'ASTERISKNAMETEST',
]);

/** Splits an expression into tokens. Throws `USAGE_XPATH_SYNTAX` where no token begins. */
export function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  let offset = 0;

  const match = (pattern: RegExp, at: number): RegExpExecArray | null => {
    pattern.lastIndex = at;
    return pattern.exec(source);
  };
  const skipSpace = (at: number): number => at + (match(SPACE, at)?.[0].length ?? 0);
  const push = (terminal: Terminal, text: string, length = text.length): void => {
    tokens.push({ terminal, text, offset });
    offset += length;
  };

  while ((offset = skipSpace(offset)) < source.length) {
    const last = tokens.at(-1)?.terminal;
    const afterOperand = last !== undefined && ENDS_OPERAND.has(last);

    const number = match(NUMBER, offset);
    if (number !== null) {
      push('NUMBER', number[0]);
      continue;
    }
    const literal = match(LITERAL, offset);
    if (literal !== null) {
      push('LITERAL', literal[1] ?? literal[2] ?? '', literal[0].length);
      continue;
    }
    const symbol = match(SYMBOL, offset)?.[0];
    if (symbol !== undefined) {
      push(symbol === '*' && afterOperand ? 'MULTIPLYOPERATOR' : (SYMBOLS[symbol] as Terminal), symbol);
      continue;
    }

    const name = match(NCNAME, offset)?.[0];
    if (name === undefined) {
      const found = String.fromCodePoint(source.codePointAt(offset) as number);
      const what = found === '"' || found === "'" ? 'the literal is not closed' : `unexpected character "${found}"`;
      throw xpathError('USAGE_XPATH_SYNTAX', what, source, offset);
    }
    if (afterOperand) {
      const operator = OPERATOR_NAMES.get(name);
      if (operator === undefined) {
        throw xpathError('USAGE_XPATH_SYNTAX', `an operator is expected, not the name "${name}"`, source, offset);
      }
      push(operator, name);
      continue;
    }

    const qname = qualified(name);
    if (last === 'DOLLAR') {
      if (tokens.at(-1)?.offset !== offset - 1) {
        throw xpathError('USAGE_XPATH_SYNTAX', 'no space is allowed between "$" and the name', source, offset);
      }
      push('QNAME', qname);
      continue;
    }
    const next = skipSpace(offset + qname.length);
    if (qname.endsWith(':*')) push('NCNAMECOLONASTERISK', qname);
    else if (source.startsWith('::', next)) push('AXISNAME', qname);
    else if (source[next] !== '(') push('QNAME', qname);
    else if (!NODE_TYPES.has(qname)) push('FUNCTIONNAME', qname);
    else if (qname === 'processing-instruction' && source[skipSpace(next + 1)] !== ')') {
      push('PROCESSINGINSTRUCTIONWITHLITERAL', qname);
    } else push('NODETYPE', qname);
  }
  return tokens;

  /** The QName or `prefix:*` that begins with the name at `offset`. */
  function qualified(name: string): string {
    const colon = offset + name.length;
    if (source[colon] !== ':' || source[colon + 1] === ':') return name;
    if (source[colon + 1] === '*') return `${name}:*`;
    const local = match(NCNAME, colon + 1)?.[0];
    if (local === undefined) {
      throw xpathError('USAGE_XPATH_SYNTAX', `a name is expected behind "${name}:"`, source, colon + 1);
    }
    return `${name}:${local}`;
  }
}

/** Whether a text is one name without a colon. */
export function isNCName(text: string): boolean {
  NCNAME.lastIndex = 0;
  return NCNAME.exec(text)?.[0].length === text.length;
}
