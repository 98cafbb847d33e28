import { createRequire } from 'node:module';

/**
 * The part of the `xpath` package that is used: its table-driven parser and the classes of its syntax tree.
 * Described here because the package's own types bring in the DOM library, which this package must not depend on.
 */
export interface XPathPackage {
  XPathParser: ParserClass;
  Step: Record<AstAxis, number>;
  NodeTest: Record<'NAMETESTANY' | 'NAMETESTPREFIXANY' | 'NAMETESTQNAME' | 'COMMENT' | 'TEXT' | 'PI' | 'NODE', number>;
  LocationPath: NodeClass<AstLocationPath>;
  PathExpr: NodeClass<AstPathExpr>;
  FunctionCall: NodeClass<AstFunctionCall>;
  VariableReference: NodeClass<AstVariableReference>;
  XString: NodeClass<AstString>;
  XNumber: NodeClass<AstNumber>;
  UnaryMinusOperation: NodeClass<AstUnary>;
  OrOperation: NodeClass<AstBinary>;
  AndOperation: NodeClass<AstBinary>;
  BarOperation: NodeClass<AstBinary>;
  EqualsOperation: NodeClass<AstBinary>;
  NotEqualOperation: NodeClass<AstBinary>;
  LessThanOperation: NodeClass<AstBinary>;
  GreaterThanOperation: NodeClass<AstBinary>;
  LessThanOrEqualOperation: NodeClass<AstBinary>;
  GreaterThanOrEqualOperation: NodeClass<AstBinary>;
  PlusOperation: NodeClass<AstBinary>;
  MinusOperation: NodeClass<AstBinary>;
  MultiplyOperation: NodeClass<AstBinary>;
  DivOperation: NodeClass<AstBinary>;
  ModOperation: NodeClass<AstBinary>;
}

type AstAxis =
  | 'ANCESTOR'
  | 'ANCESTORORSELF'
  | 'ATTRIBUTE'
  | 'CHILD'
  | 'DESCENDANT'
  | 'DESCENDANTORSELF'
  | 'FOLLOWING'
  | 'FOLLOWINGSIBLING'
  | 'NAMESPACE'
  | 'PARENT'
  | 'PRECEDING'
  | 'PRECEDINGSIBLING'
  | 'SELF';

/** Name of a terminal symbol of the parser's tables. */
export type Terminal =
  | 'DOUBLEDOT'
  | 'DOUBLECOLON'
  | 'DOUBLESLASH'
  | 'NOTEQUAL'
  | 'LESSTHANOREQUAL'
  | 'GREATERTHANOREQUAL'
  | 'AND'
  | 'OR'
  | 'MOD'
  | 'DIV'
  | 'MULTIPLYOPERATOR'
  | 'FUNCTIONNAME'
  | 'AXISNAME'
  | 'LITERAL'
  | 'NUMBER'
  | 'ASTERISKNAMETEST'
  | 'QNAME'
  | 'NCNAMECOLONASTERISK'
  | 'NODETYPE'
  | 'PROCESSINGINSTRUCTIONWITHLITERAL'
  | 'EQUALS'
  | 'LESSTHAN'
  | 'GREATERTHAN'
  | 'PLUS'
  | 'MINUS'
  | 'BAR'
  | 'SLASH'
  | 'LEFTPARENTHESIS'
  | 'RIGHTPARENTHESIS'
  | 'COMMA'
  | 'AT'
  | 'LEFTBRACKET'
  | 'RIGHTBRACKET'
  | 'DOT'
  | 'DOLLAR';

type ParserClass = (new () => Parser) & Readonly<Record<Terminal, number>>;

export interface Parser {
  /** Called by `parse` for the terminals and the values of its tokens; replaced by our lexer. */
  tokenize: (source: string) => [types: readonly number[], values: readonly string[]];
  parse(source: string): { expression: AstNode };
}

type NodeClass<T> = abstract new (...parts: never[]) => T;

/** Any node of the syntax tree; told apart by `instanceof`. */
export type AstNode = object;
export interface AstBinary {
  lhs: AstNode;
  rhs: AstNode;
}
export interface AstUnary {
  rhs: AstNode;
}
export interface AstString {
  str: string;
}
export interface AstNumber {
  num: number;
}
export interface AstFunctionCall {
  functionName: string;
  arguments: AstNode[];
}
export interface AstVariableReference {
  variable: string;
}
export interface AstNodeTest {
  type: number;
  /** Of a name test. */
  name?: string;
  /** Of a test for all names of a prefix. */
  prefix?: string;
}
export interface AstStep {
  axis: number;
  nodeTest: AstNodeTest;
  predicates: AstNode[];
}
export interface AstLocationPath {
  absolute: boolean;
  steps: AstStep[];
}
export interface AstPathExpr {
  filter: AstNode | undefined;
  filterPredicates: AstNode[] | undefined;
  locationPath: AstLocationPath | undefined;
}

const require = createRequire(import.meta.url);
let loaded: XPathPackage | null = null;

/** The package. It is loaded with the first expression: programs without filters do without. */
export function xpath(): XPathPackage {
  return (loaded ??= require('xpath') as XPathPackage);
}
