/** Name of an element or attribute as an expression asks for it. */
export interface WantedName {
  /** `null`: any. */
  localName: string | null;
  /** `undefined`: any; `null`: none, which includes the content namespaces. */
  namespaceURI: string | null | undefined;
}

/** What is asked about a text: that it is there at all, that it is, begins with or contains `value`. */
export interface ValueTest {
  is: 'present' | 'equal' | 'prefix' | 'part';
  /** Empty for `present`. */
  value: string;
}

/** How much of a prefix or a part is looked up, in UTF-16 code units: it bounds what comparing costs. */
export const LONGEST_KEY = 64;

/** Something about a stanza that can be looked up without evaluating an expression. */
export type Condition =
  /** The stanza's root has that name, or some element has. */
  | { on: 'root' | 'element'; name: WantedName }
  /** The root, or some element, has such an attribute. */
  | { on: 'attribute'; at: 'root' | 'any'; name: WantedName; test: ValueTest }
  /** The text of some element of that name, or of the whole stanza. Never asks for `present` or `prefix`. */
  | { on: 'text'; name: WantedName | null; test: ValueTest };

/** Conditions one of which holds whenever the filter matches. */
export type Keys = readonly Condition[];

const COMMON_ATTRIBUTES: ReadonlySet<string> = new Set(['type', 'xmlns', 'lang']);

/** Who sends one stanza sends others, its addressee is often ourselves, and its id is its own. */
const ROOT_ATTRIBUTES: ReadonlyMap<string | null, number> = new Map([
  ['id', 0.2],
  ['to', 6],
]);

/**
 * How unspecific a condition is: a guess at how many of 1,000 stanzas fulfil it. Only the order matters, and only for
 * speed.
 */
export function frequency(condition: Condition): number {
  switch (condition.on) {
    case 'root':
      return 300;
    case 'element':
      if (condition.name.localName === null) return 10;
      return condition.name.namespaceURI === null ? 150 : 8;
    case 'text':
      return condition.test.is === 'equal' ? 3 : 4 + 40 / condition.test.value.length;
    case 'attribute': {
      const { at, name, test } = condition;
      if (test.is === 'present') return at === 'root' ? 400 : 500;
      if (name.localName !== null && COMMON_ATTRIBUTES.has(name.localName)) return 200;
      const base = at === 'any' ? 4 : (ROOT_ATTRIBUTES.get(name.localName) ?? 1);
      if (test.is === 'equal') return base;
      return base + (test.is === 'prefix' ? 1 : 4) + 40 / test.value.length;
    }
  }
}

/** A condition in words, for {@link Explanation}. */
export function describe(condition: Condition): string {
  switch (condition.on) {
    case 'root':
      return `the stanza is ${nameOf(condition.name)}`;
    case 'element':
      return `there is an element ${nameOf(condition.name)}`;
    case 'text':
      return `the text of ${condition.name === null ? 'the stanza' : nameOf(condition.name)} ${testOf(condition.test)}`;
    case 'attribute': {
      const where = condition.at === 'root' ? "the stanza's attribute" : 'an attribute';
      return `${where} ${nameOf(condition.name)} ${testOf(condition.test)}`;
    }
  }
}

function nameOf({ localName, namespaceURI }: WantedName): string {
  const local = localName ?? '*';
  if (namespaceURI === undefined) return `*:${local}`;
  return namespaceURI === null ? local : `{${namespaceURI}}${local}`;
}

function testOf({ is, value }: ValueTest): string {
  const quoted = JSON.stringify(value);
  if (is === 'present') return 'is there';
  return is === 'equal' ? `is ${quoted}` : is === 'prefix' ? `begins with ${quoted}` : `contains ${quoted}`;
}

/** The conditions without those that say the same: a filter is filed only once under each key. */
export function distinct(keys: Keys): Keys {
  if (keys.length < 2) return keys;
  return [...new Map(keys.map((condition) => [identity(condition), condition])).values()];
}

function identity(condition: Condition): string {
  const { on, name } = condition;
  // undefined and null mean different namespaces
  const namespace = name?.namespaceURI === undefined ? 'any' : [name.namespaceURI];
  const at = on === 'attribute' ? condition.at : null;
  const test = on === 'attribute' || on === 'text' ? [condition.test.is, condition.test.value] : null;
  return JSON.stringify([on, name?.localName, namespace, at, test]);
}
