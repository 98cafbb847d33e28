/** A reproducible source of random choices. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** An integer from 0 up to, not including, `below`. */
  below(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }
}

const NAMES = ['a', 'b', 'c', 'message', 'body', 'x:a', 'x:b', 'y:b'];
const TEXTS = ['', 'a', 'b', 'one', '1', '2', '-3', ' 4 ', '0.5', 'on', 'é😀', 'one two', 'true'];
const LANGUAGES = ['en', 'en-GB', 'de', ''];

/** A random stanza: few names, few values and some depth, so that random expressions find something in it. */
export function randomStanza(random: Random): string {
  let budget = 3 + random.below(20);
  const attributes = () => {
    let text = '';
    for (const name of ['n', 'type', 'x:n', 'id']) {
      if (random.chance(25)) text += ` ${name}='${random.pick(TEXTS)}'`;
    }
    if (random.chance(10)) text += ` xml:lang='${random.pick(LANGUAGES)}'`;
    return text;
  };
  const element = (depth: number): string => {
    budget -= 1;
    const name = random.pick(NAMES);
    let inside = '';
    while (budget > 0 && depth < 6 && random.chance(65))
      inside += random.chance(30) ? random.pick(TEXTS) : element(depth + 1);
    return `<${name}${attributes()}>${inside}</${name}>`;
  };
  let inside = '';
  while (budget > 0) inside += random.chance(30) ? random.pick(TEXTS) : element(1);
  const root = random.pick(['message', 'iq', 'presence']);
  return `<${root} xmlns='jabber:client' xmlns:x='urn:example:x' xmlns:y='urn:example:y'${attributes()}>${inside}</${root}>`;
}

const AXES = [
  'child',
  'descendant',
  'descendant-or-self',
  'self',
  'parent',
  'ancestor',
  'ancestor-or-self',
  'following-sibling',
  'preceding-sibling',
];
const OUTWARD = ['following', 'preceding'];
const TESTS = ['*', 'node()', 'text()', 'a', 'b', 'c', 'body', 'x:a', 'x:*', 'y:b', 'message', 'comment()'];

/**
 * Random XPath 1.0 expressions without what the oracle is known to do otherwise: numbers that need many digits,
 * `following` and `preceding` of attributes, namespace nodes, positions outside of predicates.
 */
export class ExpressionGenerator {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  any(depth = 4): string {
    return this.#random.pick([
      () => this.nodes(depth, false),
      () => this.nodes(depth, false),
      () => this.nodes(depth, false),
      () => this.boolean(depth, false, false),
      () => this.boolean(depth, false, false),
      () => this.number(depth, false, false),
      () => this.string(depth, false, false),
    ])();
  }

  /** @param attribute - whether the context node may be an attribute */
  nodes(depth: number, attribute: boolean): string {
    const random = this.#random;
    const roll = random.below(10);
    if (depth > 0 && roll === 0) return `${this.nodes(depth - 1, attribute)} | ${this.nodes(depth - 1, attribute)}`;
    if (depth > 0 && roll === 1) {
      const start = `(${this.nodes(depth - 1, attribute)})${this.#predicates(depth - 1, true)}`;
      return random.chance(50) ? start : `${start}${random.pick(['/', '//'])}${this.#steps(depth - 1, true)}`;
    }
    if (roll < 4) return `//${this.#steps(depth, false)}`;
    if (roll < 6) return `/${this.#steps(depth, false)}`;
    if (roll === 6) return random.pick(['.', '..', '/', '@*', '*', 'text()', 'node()']);
    return this.#steps(depth, attribute);
  }

  #steps(depth: number, attribute: boolean): string {
    const random = this.#random;
    let path = '';
    let atAttribute = attribute;
    const count = 1 + random.below(3);
    for (let i = 0; i < count; i += 1) {
      if (i > 0) path += random.chance(25) ? '//' : '/';
      const roll = random.below(12);
      if (roll === 0) path += '..';
      else if (roll === 1) path += '.';
      else if (roll < 4) {
        path += `@${random.pick(['n', 'type', 'id', '*', 'x:n', 'x:*', 'xml:lang'])}${this.#predicates(depth - 1, true)}`;
        atAttribute = true;
        continue;
      } else if (roll < 8) path += `${random.pick(TESTS)}${this.#predicates(depth - 1, false)}`;
      else {
        const axis = random.pick(atAttribute ? AXES : [...AXES, ...OUTWARD]);
        path += `${axis}::${random.pick(TESTS)}`;
        const stays = axis === 'self' || axis.endsWith('-or-self');
        atAttribute &&= stays;
        path += this.#predicates(depth - 1, atAttribute);
        continue;
      }
      if (roll !== 1) atAttribute = false;
    }
    return path;
  }

  #predicates(depth: number, attribute: boolean): string {
    let text = '';
    while (depth > 0 && this.#random.chance(30)) text += `[${this.#predicate(depth - 1, attribute)}]`;
    return text;
  }

  #predicate(depth: number, attribute: boolean): string {
    const random = this.#random;
    switch (random.below(8)) {
      case 0:
        return String(1 + random.below(3));
      case 1:
        return random.pick([
          'last()',
          'position()=last()',
          'position()>1',
          'position() mod 2 = 1',
          'last()-1',
          'position()<last()',
        ]);
      case 2:
        return this.number(depth, attribute, true);
      case 3:
      case 4:
        return this.nodes(depth, attribute);
      default:
        return this.boolean(depth, attribute, true);
    }
  }

  boolean(depth: number, attribute: boolean, inPredicate: boolean): string {
    const random = this.#random;
    if (depth <= 0) return random.pick(['true()', 'false()', '@n', 'b', '. = "one"']);
    const less = depth - 1;
    const side = () =>
      random.pick([
        () => this.nodes(less, attribute),
        () => this.nodes(less, attribute),
        () => this.string(less, attribute, inPredicate),
        () => this.number(less, attribute, inPredicate),
        () => this.boolean(less, attribute, inPredicate),
      ])();
    const operand = () => `(${side()})`;
    switch (random.below(9)) {
      case 0:
        return `${operand()} and ${operand()}`;
      case 1:
        return `${operand()} or ${operand()}`;
      case 2:
        return `not(${side()})`;
      case 3:
        return `contains(${side()}, ${this.string(less, attribute, inPredicate)})`;
      case 4:
        return `starts-with(${side()}, ${this.string(less, attribute, inPredicate)})`;
      case 5:
        return `lang(${random.pick(["'en'", "'EN-gb'", "'de'", "''"])})`;
      case 6:
        return `boolean(${side()})`;
      default:
        return `${operand()} ${random.pick(['=', '!=', '<', '<=', '>', '>='])} ${operand()}`;
    }
  }

  number(depth: number, attribute: boolean, inPredicate: boolean): string {
    const random = this.#random;
    if (depth <= 0) {
      return random.pick(['0', '1', '2', '3', '.5', '-1', '1.5', ...(inPredicate ? ['position()', 'last()'] : [])]);
    }
    const less = depth - 1;
    const nodes = () => this.nodes(less, attribute);
    const number = () => this.number(less, attribute, inPredicate);
    switch (random.below(10)) {
      case 0:
      case 1:
        return `count(${nodes()})`;
      case 2:
        return `sum(${nodes()})`;
      case 3:
        return `string-length(${this.string(less, attribute, inPredicate)})`;
      case 4:
        return `number(${random.pick([nodes, () => this.string(less, attribute, inPredicate)])()})`;
      case 5:
        return `${random.pick(['floor', 'ceiling', 'round'])}(${number()})`;
      case 6:
        return `(${number()} ${random.pick(['+', '-'])} ${number()})`;
      case 7:
        return `(${number()} * ${random.pick(['2', '-1', '0', '.5'])})`;
      case 8:
        return `(${number()} ${random.pick(['div 2', 'div 0', 'mod 2', 'mod 3', 'div -4'])})`;
      default:
        return `-${number()}`;
    }
  }

  string(depth: number, attribute: boolean, inPredicate: boolean): string {
    const random = this.#random;
    const literal = () => random.pick(["''", "'a'", "'o'", "'one'", "'é😀'", "'1'", "' '", "'b'", "'n'"]);
    if (depth <= 0) return literal();
    const less = depth - 1;
    const text = () =>
      random.pick([
        () => this.nodes(less, attribute),
        () => this.nodes(less, attribute),
        () => this.string(less, attribute, inPredicate),
        literal,
        () => this.boolean(less, attribute, inPredicate),
      ])();
    switch (random.below(12)) {
      case 0:
        return `string(${text()})`;
      case 1:
        return `concat(${text()}, ${text()})`;
      case 2:
        return `substring-before(${text()}, ${literal()})`;
      case 3:
        return `substring-after(${text()}, ${literal()})`;
      case 4:
        return `substring(${text()}, ${this.number(less, attribute, inPredicate)})`;
      case 5:
        return `substring(${text()}, ${this.number(less, attribute, inPredicate)}, ${this.number(less, attribute, inPredicate)})`;
      case 6:
        return `normalize-space(${text()})`;
      case 7:
        return `translate(${text()}, ${literal()}, ${text()})`;
      case 8:
        return `name(${this.nodes(less, attribute)})`;
      case 9:
        return `local-name(${this.nodes(less, attribute)})`;
      case 10:
        return `namespace-uri(${this.nodes(less, attribute)})`;
      default:
        return literal();
    }
  }
}
