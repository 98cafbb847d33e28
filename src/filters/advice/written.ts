// Expressions as text again, for what is said about them.
import { printable } from '../../errors.js';
import type { Expr, NodeTest, PathExpr, Step } from '../xpath/expression.js';

/** A name as it is said: `{namespace}local`, without braces for what needs no prefix. */
export function writtenName(localName: string | null, namespaceURI: string | null | undefined): string {
  const local = localName ?? '*';
  return namespaceURI === null || namespaceURI === undefined ? local : `{${namespaceURI}}${local}`;
}

/** A text in quotes, as XPath has them. It may be anybody's: the value of a variable. */
export function quoted(text: string): string {
  const shown = printable(text, 200);
  return shown.includes('"') ? `'${shown}'` : `"${shown}"`;
}

function writtenTest(test: NodeTest): string {
  if (test.kind === 'name') return writtenName(test.localName, test.namespaceURI);
  return test.kind === 'nothing' ? 'comment()' : `${test.kind}()`;
}

export function writtenStep({ axis, test, predicates }: Step): string {
  const conditions = predicates.map((predicate) => `[${written(predicate)}]`).join('');
  const name = writtenTest(test);
  if (axis === 'child' || axis === 'descendant') return name + conditions;
  if (axis === 'attribute') return `@${name}${conditions}`;
  if (test.kind === 'node' && axis === 'self') return `.${conditions}`;
  if (test.kind === 'node' && axis === 'parent') return `..${conditions}`;
  return `${axis}::${name}${conditions}`;
}

function writtenPath({ start, predicates, steps }: PathExpr): string {
  let text = start === 'context' ? '' : start === 'root' ? '/' : `(${written(start)})`;
  text += predicates.map((predicate) => `[${written(predicate)}]`).join('');
  for (const [i, step] of steps.entries()) {
    const isFirst = i === 0 && typeof start === 'string';
    if (step.axis === 'descendant') text += isFirst ? (start === 'root' ? '/' : './/') : '//';
    else if (!isFirst) text += '/';
    text += writtenStep(step);
  }
  return text === '' ? '.' : text;
}

/** An expression as XPath. */
export function written(expr: Expr): string {
  switch (expr.kind) {
    case 'path':
      return writtenPath(expr);
    case 'union':
      return expr.operands.map(written).join(' | ');
    case 'empty':
      return 'id()';
    case 'constant':
      if (typeof expr.value === 'boolean') return `${String(expr.value)}()`;
      return typeof expr.value === 'string' ? quoted(expr.value) : String(expr.value);
    case 'and':
    case 'or':
      return expr.operands.map(inner).join(` ${expr.kind} `);
    case 'compare':
      return `${inner(expr.left)} ${expr.operator} ${inner(expr.right)}`;
    case 'arithmetic':
      return [inner(expr.first), ...expr.rest.map(({ operator, operand }) => `${operator} ${inner(operand)}`)].join(
        ' ',
      );
    case 'negate':
      return `-${inner(expr.operand)}`;
    case 'call':
      return `${expr.name}(${expr.args.map(written).join(', ')})`;
  }
}

/** An operand. */
function inner(expr: Expr): string {
  const { kind } = expr;
  const binds = kind === 'and' || kind === 'or' || kind === 'compare' || kind === 'arithmetic';
  return binds ? `(${written(expr)})` : written(expr);
}
