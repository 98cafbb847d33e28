// Where the code checks something: an `if` or a `? :` that leads to a refusal, and each part of an "and" that is returned.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { ROOT } from '../facts.mjs';

/** What checks what others send, what matters most first: folders and files of `src`. */
const CHECKED = [
  ...['tls', 'protocols', 'stream', 'xml/tokenizer', 'stanza', 'requests', 'xml/serializer.ts', 'xml/qname.ts'],
  ...['broker/router.ts', 'broker/resumption.ts', 'broker/answerer.ts', 'link', 'lifecycle', 'jid', 'dial'],
  ...['queue/outbound-queue.ts', 'queue/send-buffer.ts', 'filters/xpath'],
];

/** What only helps whoever gives options: a program's mistakes are no attack. */
const LEFT_OUT = /\/(options|checks|errors)\.ts$|\/options\//;

/** A refusal, by what is said in it. */
const REFUSES =
  /\bthrow\b|Error\(|\b(fail|refuse|reject|unexpected|malformed|invalid|violation|deny|abort|end|close)\w*\(/i;

export const checkedFiles = () =>
  CHECKED.flatMap((path) =>
    path.endsWith('.ts')
      ? [`src/${path}`]
      : readdirSync(join(ROOT, 'src', path), { recursive: true })
          .filter((name) => name.endsWith('.ts'))
          .map((name) => `src/${path}/${name}`)
          .sort(),
  ).filter((path) => !LEFT_OUT.test(path));

/** Whether a statement is a refusal and nothing else. */
function refuses(statement, source) {
  if (ts.isBlock(statement))
    return statement.statements.length > 0 && statement.statements.some((one) => refuses(one, source));
  if (ts.isThrowStatement(statement)) return true;
  const text = statement.getText(source);
  if (ts.isReturnStatement(statement)) return REFUSES.test(text) || /return (false|'[\w-]+');?$/.test(text);
  return ts.isExpressionStatement(statement) && REFUSES.test(text);
}

/** Parts of `a && b && c`, from left to right. */
function conjuncts(node) {
  if (ts.isParenthesizedExpression(node)) return conjuncts(node.expression);
  if (!ts.isBinaryExpression(node) || node.operatorToken.kind !== ts.SyntaxKind.AmpersandAmpersandToken) return [node];
  return [...conjuncts(node.left), ...conjuncts(node.right)];
}

/**
 * The checks of a file: `key` is its text and which of that text it is, so that it keeps its name when lines move; `from` and
 * `to` are the condition, `without` is what stands there when the check is taken out.
 */
export function guardsIn(path, text = readFileSync(join(ROOT, path), 'utf8')) {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true);
  const found = [];
  const seen = new Map();
  const add = (node, without) => {
    const condition = node.getText(source).replaceAll(/\s+/g, ' ');
    const times = (seen.get(condition) ?? 0) + 1;
    seen.set(condition, times);
    found.push({
      key: `${path}: ${condition}${times === 1 ? '' : ` (${times})`}`,
      path,
      line: source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1,
      from: node.getStart(source),
      to: node.getEnd(),
      without,
    });
  };
  const visit = (node) => {
    if (ts.isIfStatement(node) && refuses(node.thenStatement, source)) add(node.expression, 'false');
    if (ts.isConditionalExpression(node) && REFUSES.test(node.whenTrue.getText(source))) add(node.condition, 'false');
    if (ts.isReturnStatement(node) && node.expression !== undefined) {
      const parts = conjuncts(node.expression);
      if (parts.length > 1) for (const part of parts) add(part, 'true');
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** The text of a file with a switch in each check: what comes of it says `setup.mjs`. */
export function switched(text, guards) {
  const inserted = guards.flatMap(({ key, from, to, without }) => [
    { at: from, length: to - from, what: `__check(${JSON.stringify(key)}, ${without === 'false'}, (` },
    { at: to, length: from - to, what: '))' },
  ]);
  // One check may lie within another: at one place, what ends comes before what begins, and ends from within.
  inserted.sort(
    (one, other) => one.at - other.at || Math.sign(one.length) - Math.sign(other.length) || other.length - one.length,
  );
  let [changed, from] = ['', 0];
  for (const { at, what } of inserted) {
    changed += text.slice(from, at) + what;
    from = at;
  }
  return `${changed}${text.slice(from)}\n${SWITCH}`;
}

const SWITCH = `
function __check(key, when, value) {
  return globalThis.__checks.check(key, when, value);
}
`;
