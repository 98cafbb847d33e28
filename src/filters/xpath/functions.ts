// XPath 1.0 §4: the core function library. Missing optional arguments stand for the context node.
import { Attr } from '../../xml/attr.js';
import { Element } from '../../xml/element.js';
import { NS } from '../../xml/namespaces.js';
import type { Test } from './axes.js';
import { isNodeSet, type CallExpr, type Expr, type PathExpr } from './expression.js';
import { NamespaceNode, parentOf, type XNode } from './node.js';
import type { ExpressionCompiler, NumberOf, StringOf } from './paths.js';
import type { Run } from './run.js';
import * as values from './values.js';

/** How many times dearer a function is that handles a text character by character. */
const CHARACTERWISE = 8;
/** How many visits such a function costs for the shortest text. */
const CALL_VISITS = 4;

const CONTEXT: PathExpr = { kind: 'path', start: 'context', predicates: [], steps: [] };

const argument = ({ args }: CallExpr, i: number): Expr => args[i] ?? CONTEXT;

/** §4.1, §4.4: functions that give a number. */
export function numberCall(call: CallExpr, compiler: ExpressionCompiler): NumberOf {
  const number = (): NumberOf => compiler.number(argument(call, 0));
  switch (call.name) {
    case 'last':
      return (_node, run) => run.size;
    case 'position':
      return (_node, run) => run.position;
    case 'count': {
      const collect = collected(call, compiler);
      return (node, run) => collect(node, run).length;
    }
    case 'sum': {
      const collect = collected(call, compiler);
      return (node, run) => {
        let sum = 0;
        for (const each of collect(node, run)) sum += run.toNumber(run.stringValue(each));
        return sum;
      };
    }
    case 'string-length': {
      const string = compiler.string(argument(call, 0));
      return (node, run) => {
        const text = string(node, run);
        run.chargeText(text.length);
        return values.stringLength(text);
      };
    }
    case 'number':
      return number();
    case 'floor': {
      const value = number();
      return (node, run) => Math.floor(value(node, run));
    }
    case 'ceiling': {
      const value = number();
      return (node, run) => Math.ceil(value(node, run));
    }
    case 'round': {
      const value = number();
      return (node, run) => values.round(value(node, run));
    }
    default:
      throw new TypeError(`${call.name}() gives no number`);
  }
}

/** §4.2, §4.3: functions that give a boolean. */
export function booleanCall(call: CallExpr, compiler: ExpressionCompiler): Test {
  switch (call.name) {
    case 'boolean':
      return compiler.boolean(argument(call, 0));
    case 'not': {
      const operand = compiler.boolean(argument(call, 0));
      return (node, run) => !operand(node, run);
    }
    case 'starts-with':
      return texts(call, compiler, (text, start) => text.startsWith(start));
    case 'contains':
      return texts(call, compiler, (text, part) => text.includes(part));
    case 'lang': {
      const wanted = compiler.string(argument(call, 0));
      return (node, run) => inLanguage(node, wanted(node, run).toLowerCase(), run);
    }
    default:
      throw new TypeError(`${call.name}() gives no boolean`);
  }
}

/** §4.1, §4.2: functions that give a string. */
export function stringCall(call: CallExpr, compiler: ExpressionCompiler): StringOf {
  const string = (i: number): StringOf => compiler.string(argument(call, i));
  switch (call.name) {
    case 'string':
      return string(0);
    case 'local-name':
      return ofFirst(call, compiler, localName);
    case 'namespace-uri':
      return ofFirst(call, compiler, (node) => namespaceURI(node, compiler));
    case 'name':
      return ofFirst(call, compiler, (node) => qualifiedName(node, compiler));
    case 'concat': {
      const parts = call.args.map((_, i) => string(i));
      return (node, run) => {
        let text = '';
        for (const part of parts) {
          const next = part(node, run);
          run.chargeText(next.length);
          text += next;
        }
        return text;
      };
    }
    case 'substring-before':
      return texts(call, compiler, (text, part) => text.slice(0, Math.max(0, text.indexOf(part))));
    case 'substring-after':
      return texts(call, compiler, (text, part) => {
        const at = text.indexOf(part);
        return at < 0 ? '' : text.slice(at + part.length);
      });
    case 'substring': {
      const text = characterwise(string(0));
      const start = compiler.number(argument(call, 1));
      const [, , third] = call.args;
      if (third === undefined) return (node, run) => values.substring(text(node, run), start(node, run));
      const length = compiler.number(third);
      return (node, run) => values.substring(text(node, run), start(node, run), length(node, run));
    }
    case 'normalize-space': {
      const text = characterwise(string(0));
      return (node, run) => values.normalizeSpace(text(node, run));
    }
    case 'translate': {
      const text = characterwise(string(0));
      const [, from, to] = call.args as [Expr, Expr, Expr];
      if (from.kind === 'constant' && to.kind === 'constant') {
        const table = values.translationTable(values.toText(from.value), values.toText(to.value));
        return (node, run) => values.translate(text(node, run), table);
      }
      const search = characterwise(compiler.string(from));
      const replace = characterwise(compiler.string(to));
      return (node, run) =>
        values.translate(text(node, run), values.translationTable(search(node, run), replace(node, run)));
    }
    default:
      throw new TypeError(`${call.name}() gives no string`);
  }
}

function collected(call: CallExpr, compiler: ExpressionCompiler) {
  const nodes = argument(call, 0);
  if (!isNodeSet(nodes)) throw new TypeError(`${call.name}() takes a node-set`);
  return compiler.paths.collect(nodes, false);
}

/** A function of the first node in document order; the empty string without one. */
function ofFirst(call: CallExpr, compiler: ExpressionCompiler, name: (node: XNode) => string): StringOf {
  const nodes = argument(call, 0);
  if (!isNodeSet(nodes)) throw new TypeError(`${call.name}() takes a node-set`);
  const first = compiler.paths.first(nodes);
  return (node, run) => {
    const found = first(node, run);
    return found === null ? '' : name(found);
  };
}

/** A function of two texts. */
function texts<T>(
  call: CallExpr,
  compiler: ExpressionCompiler,
  combine: (a: string, b: string) => T,
): (node: XNode, run: Run) => T {
  const first = compiler.string(argument(call, 0));
  const second = argument(call, 1);
  if (second.kind === 'constant') {
    const constant = values.toText(second.value);
    return (node, run) => {
      const text = first(node, run);
      run.chargeText(text.length);
      return combine(text, constant);
    };
  }
  const other = compiler.string(second);
  return (node, run) => {
    const a = first(node, run);
    const b = other(node, run);
    run.chargeText(a.length + b.length);
    return combine(a, b);
  };
}

function characterwise(string: StringOf): StringOf {
  return (node, run) => {
    const text = string(node, run);
    run.charge(CALL_VISITS);
    run.chargeText(text.length * CHARACTERWISE);
    return text;
  };
}

function localName(node: XNode): string {
  if (node instanceof Element || node instanceof Attr) return node.qname.localName;
  return node instanceof NamespaceNode ? node.localName : '';
}

function namespaceURI(node: XNode, compiler: ExpressionCompiler): string {
  if (!(node instanceof Element || node instanceof Attr)) return '';
  const uri = node.qname.namespaceURI;
  return uri === null || compiler.isContent(uri) ? '' : uri;
}

/** The name as written; what is in a content namespace is in none to a filter and so has no prefix either. */
function qualifiedName(node: XNode, compiler: ExpressionCompiler): string {
  if (!(node instanceof Element || node instanceof Attr)) return localName(node);
  const { name, localName: local, namespaceURI: uri } = node.qname;
  return uri !== null && compiler.isContent(uri) ? local : name;
}

/** §4.3 `lang()`: the nearest `xml:lang` is the language asked for or a variant of it. */
function inLanguage(node: XNode, wanted: string, run: Run): boolean {
  for (let at: XNode | null = node; at !== null; at = parentOf(at, run.root)) {
    run.charge(1);
    if (!(at instanceof Element)) continue;
    const declared = at.getAttributeNS(NS.XML, 'lang')?.toLowerCase();
    if (declared !== undefined) return declared === wanted || declared.startsWith(`${wanted}-`);
  }
  return false;
}
