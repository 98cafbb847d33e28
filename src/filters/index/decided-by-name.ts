import { attributeOfContext } from '../xpath/compare.js';
import type { Keys } from './condition.js';
import { isNodeSet, type Expr, type NameTest } from '../xpath/expression.js';

/**
 * The name of the stanza in an expression such as `/message[@from='…']`, if what it is filed under says all the rest: where
 * the index found it, only that name is left to be looked at. Null for every other expression.
 */
export function decidingName(expr: Expr, keys: Keys | null): NameTest | null {
  if (expr.kind !== 'path' || expr.start !== 'root' || expr.steps.length !== 1) return null;
  const [step] = expr.steps;
  if (step?.axis !== 'child' || step.test.kind !== 'name' || step.predicates.length !== 1) return null;
  const [predicate] = step.predicates;
  if (predicate?.kind !== 'compare' || predicate.operator !== '=') return null;
  const [nodes, value] = isNodeSet(predicate.left)
    ? [predicate.left, predicate.right]
    : [predicate.right, predicate.left];
  const attribute = isNodeSet(nodes) ? attributeOfContext(nodes) : null;
  const condition = keys?.length === 1 ? keys[0] : undefined;
  if (attribute === null || value.kind !== 'constant' || condition?.on !== 'attribute') return null;
  const { name, test } = condition;
  const same =
    condition.at === 'root' &&
    name.localName === attribute.localName &&
    name.namespaceURI === attribute.namespaceURI &&
    test.is === 'equal' &&
    test.value === value.value;
  return same ? step.test : null;
}
