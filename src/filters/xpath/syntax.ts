// XPath 1.0 §2, §3: the grammar. Our lexer finds the tokens, the tables of the `xpath` package put them together.
import { tokenize, type Token } from './lexer.js';
import { xpathError } from './error.js';
import { type AstNode, type Parser, xpath } from './package.js';

/** Longest expression, in UTF-16 code units. */
const MAX_LENGTH = 8192;
/** How many brackets and parentheses may be open at once. */
const MAX_NESTING = 64;

const AXES: ReadonlySet<string> = new Set([
  'ancestor',
  'ancestor-or-self',
  'attribute',
  'child',
  'descendant',
  'descendant-or-self',
  'following',
  'following-sibling',
  'namespace',
  'parent',
  'preceding',
  'preceding-sibling',
  'self',
]);

/** A parsed expression. Names and literals in the tree are numbers of tokens, so each has its place. */
export interface Parsed {
  source: string;
  tokens: readonly Token[];
  root: AstNode;
}

/** Terminals whose value the tree keeps: their token number stands in for it. */
const NUMBERED: ReadonlySet<string> = new Set(['QNAME', 'NCNAMECOLONASTERISK', 'FUNCTIONNAME', 'LITERAL', 'NUMBER']);

let parser: Parser | null = null;
/** The terminal that ends the input in the parser's tables. */
const END = 1;

/** Parses an expression. Throws `USAGE_XPATH_SYNTAX` or `USAGE_XPATH_LIMIT` with the place. */
export function parseExpression(source: string): Parsed {
  if (source.length > MAX_LENGTH) {
    const what = `the expression has ${source.length} characters, more than the ${MAX_LENGTH} allowed`;
    throw xpathError('USAGE_XPATH_LIMIT', what, source, MAX_LENGTH);
  }
  const tokens = tokenize(source);
  if (tokens.length === 0) throw xpathError('USAGE_XPATH_SYNTAX', 'the expression is empty', source, 0);
  check(tokens, source);

  const { XPathParser } = xpath();
  const types: number[] = tokens.map((token) => XPathParser[token.terminal]);
  types.push(END);
  const values = tokens.map((token, index) => (NUMBERED.has(token.terminal) ? String(index) : token.text));
  values.push('');

  try {
    return { source, tokens, root: parseTokens(source, types, values) };
  } catch {
    throw unexpected(source, tokens, types, values);
  }
}

function parseTokens(source: string, types: readonly number[], values: readonly string[]): AstNode {
  parser ??= new (xpath().XPathParser)();
  parser.tokenize = () => [types, values];
  return parser.parse(source).expression;
}

/** What the parser's tables do not know: axis names and the nesting limit. */
function check(tokens: readonly Token[], source: string): void {
  let nesting = 0;
  for (const { terminal, text, offset } of tokens) {
    if (terminal === 'AXISNAME' && !AXES.has(text)) {
      throw xpathError('USAGE_XPATH_SYNTAX', `there is no axis "${text}"`, source, offset);
    } else if (terminal === 'LEFTPARENTHESIS' || terminal === 'LEFTBRACKET') {
      nesting += 1;
      if (nesting > MAX_NESTING) {
        const what = `more than ${MAX_NESTING} brackets are open`;
        throw xpathError('USAGE_XPATH_LIMIT', what, source, offset);
      }
    } else if (terminal === 'RIGHTPARENTHESIS' || terminal === 'RIGHTBRACKET') nesting -= 1;
  }
}

/** The error for an input that the parser refused: the token it had read last is the first that does not fit. */
function unexpected(source: string, tokens: readonly Token[], types: readonly number[], values: readonly string[]) {
  let read = 0;
  const watched = new Proxy(types, {
    get(target, key) {
      const index = Number(key);
      if (index > read) read = index;
      return target[index];
    },
  });
  try {
    parseTokens(source, watched, values);
  } catch {
    // the same refusal again; only the place was wanted
  }
  const token = tokens[read];
  const what = token === undefined ? 'the expression ends too early' : `unexpected "${token.text}"`;
  return xpathError('USAGE_XPATH_SYNTAX', what, source, token?.offset ?? source.length);
}
