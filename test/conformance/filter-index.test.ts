import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Filter } from '../../src/filters/filter.js';
import { FilterSet } from '../../src/filters/filter-set.js';
import { NamespaceNode } from '../../src/filters/xpath/node.js';
import type { Element } from '../../src/xml/element.js';
import { tree } from '../unit/filters/tree.js';
import { fewValues, filterOf, KINDS, randomFilter, randomSubject, type Made } from './filter-kinds.js';
import { ExpressionGenerator, Random, randomStanza } from './xpath-generator.js';

const NAMESPACES = { x: 'urn:example:x', y: 'urn:example:y' };
const visits = 1e9;

/** How many pairs the longer test makes, about. */
const PAIRS = Number(process.env['XMPP_BROKER_PAIRS'] ?? 200_000);

/** Pairs of one of its sets. */
const PAIRS_OF_A_SET = 13_000;

/** What a set finds: which filters match, in order, with which nodes. */
function found(set: FilterSet, stanza: Element): [event: string, nodes: readonly unknown[]][] {
  const matches: [string, readonly unknown[]][] = [];
  set.match(
    stanza,
    (filter, { nodes }) => matches.push([filter.event, nodes]),
    (filter, error) => {
      throw new Error(`${filter.expression}: ${error.message}`, { cause: error });
    },
  );
  return matches;
}

/** Namespace nodes are made for each evaluation, all others are the stanza's own. */
function sameNodes(a: readonly unknown[], b: readonly unknown[]): boolean {
  const same = (x: unknown, y: unknown) =>
    x instanceof NamespaceNode && y instanceof NamespaceNode
      ? x.prefix === y.prefix && x.namespaceURI === y.namespaceURI && x.ownerElement === y.ownerElement
      : x === y;
  return a.length === b.length && a.every((node, i) => same(node, b[i]));
}

/** The same filters twice: with the index and without. */
class Pair {
  readonly indexed = new FilterSet({ visits });
  readonly naive = new FilterSet({ visits, index: false });
  readonly filters: { made: Made; both: readonly [Filter, Filter] }[] = [];
  pairs = 0;
  matches = 0;
  #added = 0;

  add(made: Made): void {
    const options = { namespaces: NAMESPACES, variables: made.variables };
    this.#added += 1;
    const event = String(this.#added);
    const both = [this.indexed, this.naive].map((set) => set.add(event, made.expression, options));
    this.filters.push({ made, both: both as unknown as [Filter, Filter] });
  }

  remove(which: number): void {
    const [removed] = this.filters.splice(which % this.filters.length, 1);
    removed?.both.forEach((filter) => filter.remove());
  }

  /** What the two sets find differently, in words; null if nothing. */
  difference(source: string): string | null {
    const stanza = tree(source);
    const expected = found(this.naive, stanza);
    const actual = found(this.indexed, stanza);
    this.pairs += this.naive.size;
    this.matches += expected.length;
    for (let i = 0; i < Math.max(expected.length, actual.length); i += 1) {
      const [mine, theirs] = [actual[i], expected[i]];
      if (mine?.[0] === theirs?.[0] && sameNodes(mine?.[1] ?? [], theirs?.[1] ?? [])) continue;
      const event = String(Math.min(Number(mine?.[0] ?? Infinity), Number(theirs?.[0] ?? Infinity)));
      const { expression, variables } = this.filters.find(({ both }) => both[0].event === event)!.made;
      return `${expression} with $v=${variables.v} on ${source}`;
    }
    return null;
  }
}

describe('the index changes no result', () => {
  test('each kind of expression: it matches stanzas, with the index as without', () => {
    const random = new Random(2);
    const matched = new Map(KINDS.map((kind) => [kind, 0]));
    for (let round = 0; round < 24; round += 1) {
      const values = fewValues(random);
      const set = new Pair();
      for (const kind of KINDS) set.add(filterOf(kind, random, values));
      for (let i = 0; i < 16; i += 1) expect(set.difference(randomSubject(random, values))).toBeNull();
      for (const [i, { both }] of set.filters.entries()) {
        const kind = KINDS[i]!;
        matched.set(kind, matched.get(kind)! + both[1].counters.matched);
      }
    }
    const never = [...matched].filter(([, count]) => count === 0).map(([kind]) => kind);
    expect(matched.size).toBeGreaterThan(1000);
    // Some contradict themselves: texts have no attributes, and what is looked for by its name has that name.
    expect(never.length).toBeLessThan(matched.size / 8);
  });

  test(`${String(PAIRS)} pairs of filters and stanzas, with filters added and removed between stanzas`, () => {
    let pairs = 0;
    let matches = 0;
    const property = fc.property(
      fc.integer(),
      fc.array(fc.nat(), { minLength: 60, maxLength: 60 }),
      (seed, changes) => {
        const random = new Random(seed);
        const values = fewValues(random);
        const generator = new ExpressionGenerator(random);
        const make = (): Made =>
          random.chance(15) ? { expression: generator.any(3), variables: { v: '' } } : randomFilter(random, values);
        const set = new Pair();
        for (let i = 0; i < 220; i += 1) set.add(make());
        for (const change of changes) {
          for (let i = change % 9; i > 0; i -= 1) set.remove(random.below(1000));
          for (let i = change % 8; i > 0; i -= 1) set.add(make());
          expect(set.difference(random.chance(70) ? randomSubject(random, values) : randomStanza(random))).toBeNull();
        }
        while (set.filters.length > 0) set.remove(0);
        expect(set.difference(randomSubject(random, values))).toBeNull();
        pairs += set.pairs;
        matches += set.matches;
      },
    );
    // How many filters a set has is drawn: some have fewer than usual, and then there are more sets.
    for (let left = PAIRS; left > 0; left = PAIRS - pairs)
      fc.assert(property, { numRuns: Math.ceil(left / PAIRS_OF_A_SET), endOnFailure: true });
    expect(matches).toBeGreaterThan(pairs * 0.09);
  });
});
