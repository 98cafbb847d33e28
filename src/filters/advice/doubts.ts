// What in an expression can never, or hardly ever, find anything in a stanza of RFC 6120.
import { nearest } from '../../arguments/suggestion.js';
import { NS } from '../../xml/namespaces.js';
import {
  isNodeSet,
  type CompareExpr,
  type Expr,
  type NameTest,
  type PathExpr,
  type Step,
} from '../xpath/expression.js';
import { quoted, written, writtenName, writtenStep } from './written.js';

type Kind = 'message' | 'presence' | 'iq';

/** Elements of the stream's own namespace, by their stanza (RFC 6121 §4.7, §5.2; RFC 6120 §8.3). */
const CHILDREN: Readonly<Record<Kind, readonly string[]>> = {
  message: ['body', 'subject', 'thread', 'error'],
  presence: ['show', 'status', 'priority', 'error'],
  iq: ['error'],
};
const KINDS = Object.keys(CHILDREN) as Kind[];
const OWN_NAMES: readonly string[] = [...KINDS, ...KINDS.flatMap((kind) => CHILDREN[kind])];

/** Attributes of stanzas (RFC 6120 §8.1). */
const ATTRIBUTES = ['from', 'to', 'id', 'type', 'lang'];

/** Values that are defined (RFC 6121 §4.7.1, §5.2.2, §4.7.2.1; RFC 6120 §8.2.3). */
const TYPES: Readonly<Record<Kind, readonly string[]>> = {
  message: ['chat', 'error', 'groupchat', 'headline', 'normal'],
  presence: ['error', 'probe', 'subscribe', 'subscribed', 'unavailable', 'unsubscribe', 'unsubscribed'],
  iq: ['get', 'set', 'result', 'error'],
};
const SHOWS = ['away', 'chat', 'dnd', 'xa'];

/** What a part of an expression looks at. */
type Place =
  | { readonly at: 'document' | 'leaf' | 'anywhere' }
  /** The stanza; null: of any kind. */
  | { readonly at: 'stanza'; readonly kind: Kind | null }
  /** A child of the stanza in the stream's own namespace. */
  | { readonly at: 'own'; readonly name: string }
  /** What a stanza carries. */
  | { readonly at: 'payload'; readonly name: string; readonly namespace: string };

const STANZA: Place = { at: 'stanza', kind: null };
const ANYWHERE: Place = { at: 'anywhere' };
const LEAF: Place = { at: 'leaf' };

/** The parts of an expression that find nothing, each with the reason and what to write. */
export function doubtsOf(expr: Expr, contentNamespaces: readonly string[]): string[] {
  const doubts = new Doubts(contentNamespaces);
  doubts.look(expr, STANZA);
  return [...doubts.found];
}

class Doubts {
  readonly found = new Set<string>();
  readonly #contentNamespaces: readonly string[];

  constructor(contentNamespaces: readonly string[]) {
    this.#contentNamespaces = contentNamespaces;
  }

  /** Looks through an expression whose context node is at that place. */
  look(expr: Expr, place: Place): void {
    switch (expr.kind) {
      case 'path':
        this.#path(expr, place);
        return;
      case 'and':
        this.#conflict(expr.operands, place);
        for (const operand of expr.operands) this.look(operand, place);
        return;
      case 'or':
      case 'union':
        for (const operand of expr.operands) this.look(operand, place);
        return;
      case 'compare':
        this.#compare(expr, place);
        this.look(expr.left, place);
        this.look(expr.right, place);
        return;
      case 'arithmetic':
        for (const operand of [expr.first, ...expr.rest.map(({ operand }) => operand)]) this.look(operand, place);
        return;
      case 'negate':
        this.look(expr.operand, place);
        return;
      case 'call':
        for (const arg of expr.args) this.look(arg, place);
        return;
      case 'empty':
        this.#add('id()', 'stanzas have no identifiers: compare the attribute with @id');
        return;
      case 'constant':
    }
  }

  #add(part: string, why: string): void {
    this.found.add(`${part} finds nothing: ${why}`);
  }

  #path({ start, predicates, steps }: PathExpr, context: Place): void {
    let place: Place = start === 'root' ? { at: 'document' } : start === 'context' ? context : ANYWHERE;
    if (typeof start !== 'string') {
      this.look(start, context);
      for (const predicate of predicates) this.#predicate(predicate, ANYWHERE, false);
    }
    for (const [i, step] of steps.entries()) {
      const isOne = step.axis === 'child' && place.at === 'document';
      place = this.#step(step, place, start === 'context' && i === 0);
      this.#conflict(step.predicates, place);
      for (const predicate of step.predicates) this.#predicate(predicate, place, isOne);
    }
  }

  #predicate(predicate: Expr, place: Place, isOne: boolean): void {
    if (predicate.kind === 'constant' && typeof predicate.value === 'number') {
      const { value } = predicate;
      if (!Number.isInteger(value) || value < 1) this.#add(`[${String(value)}]`, 'places are counted from 1');
      else if (isOne && value > 1) this.#add(`[${String(value)}]`, 'there is one stanza at a time');
      return;
    }
    this.look(predicate, place);
  }

  /** Says what is wrong with a step, and where the next one looks. */
  #step(step: Step, place: Place, isFirst: boolean): Place {
    const { axis, test } = step;
    const part = writtenStep({ ...step, predicates: [] });
    if (test.kind === 'nothing') {
      this.#add(part, 'XMPP has no comments and no processing instructions');
      return ANYWHERE;
    }
    if (axis === 'attribute') {
      this.#attribute(part, test.kind === 'name' ? test : null, place);
      return LEAF;
    }
    const goesUp = axis === 'parent' || axis === 'ancestor';
    if (goesUp && (place.at === 'document' || (place.at === 'stanza' && test.kind === 'name'))) {
      this.#add(part, 'the stanza is the root, and the stream around it cannot be seen');
    }
    if (axis === 'parent' && place.at === 'stanza' && test.kind === 'node') return { at: 'document' };
    if (axis === 'self' && (test.kind === 'node' || place.at !== 'stanza')) return place;
    if (axis !== 'child' && axis !== 'descendant' && axis !== 'self') return ANYWHERE;
    if (place.at === 'leaf') {
      this.#add(part, 'attributes and texts have nothing below them');
      return LEAF;
    }
    if (test.kind === 'text') return LEAF;
    if (test.kind !== 'name') return ANYWHERE;
    if (axis === 'self') return this.#stanza(part, test);
    return axis === 'child' ? this.#child(part, test, place, isFirst) : this.#below(part, test);
  }

  #attribute(part: string, test: NameTest | null, place: Place): void {
    if (place.at === 'document') this.#add(part, 'the document has no attributes: leave the slash out');
    if (place.at === 'leaf') this.#add(part, 'attributes and texts have none themselves');
    if (test === null) return;
    if (test.localName === 'xmlns' && !test.namespaceURI) {
      this.#add(part, 'a declaration of a namespace is no attribute: bind a prefix to it in the option namespaces');
    } else if (typeof test.namespaceURI === 'string' && test.namespaceURI !== NS.XML) {
      this.#add(part, 'attributes without a prefix are in no namespace, whatever their element is in');
    } else if (test.localName === 'lang' && test.namespaceURI === null) {
      this.#add(part, 'the language is @xml:lang');
    } else if (place.at === 'stanza' && test.namespaceURI === null && test.localName !== null) {
      const meant = nearest(test.localName, ATTRIBUTES);
      if (meant !== undefined && meant !== test.localName) {
        this.#add(part, `a stanza has no such attribute: did you mean @${meant}?`);
      }
    }
  }

  #child(part: string, test: NameTest, place: Place, isFirst: boolean): Place {
    const { localName } = test;
    if (place.at === 'document') return this.#stanza(part, test);
    if (localName === null) return ANYWHERE;
    if (!this.#isOwn(test)) return payload(localName, test);
    switch (place.at) {
      case 'stanza':
        return this.#childOfStanza(part, localName, place.kind, isFirst);
      case 'own':
        if (place.name !== 'error') this.#add(part, `a <${place.name}/> holds nothing but text`);
        else this.#add(part, `conditions are in the namespace ${NS.STANZAS}: bind a prefix to it`);
        return ANYWHERE;
      case 'payload':
        if (isKind(localName)) return { at: 'stanza', kind: localName }; // forwarded
        this.#add(
          part,
          `a name without a prefix is in no namespace, also inside <${place.name}/>: bind a prefix to ${place.namespace}`,
        );
        return ANYWHERE;
      default:
        return this.#below(part, test);
    }
  }

  /** The root of the document. */
  #stanza(part: string, test: NameTest): Place {
    const { localName } = test;
    if (!this.#isOwn(test) && test.namespaceURI !== undefined) {
      this.#add(
        part,
        'it would be the stanza itself, which is in the namespace of the stream: write it without a prefix',
      );
      return ANYWHERE;
    }
    if (localName === null) return STANZA;
    if (isKind(localName)) return { at: 'stanza', kind: localName };
    const meant = nearest(localName, KINDS);
    const hint = meant === undefined ? `write /*/${writtenName(localName, null)} or //…` : `did you mean ${meant}?`;
    this.#add(`/${part}`, `it would be the stanza itself, which is a message, a presence or an iq: ${hint}`);
    return ANYWHERE;
  }

  #childOfStanza(part: string, name: string, kind: Kind | null, isFirst: boolean): Place {
    const known = kind === null ? KINDS.flatMap((each) => CHILDREN[each]) : CHILDREN[kind];
    if (known.includes(name)) return { at: 'own', name };
    const stanza = kind === null ? 'a stanza' : `${kind === 'iq' ? 'an' : 'a'} <${kind}/>`;
    if (isKind(name)) {
      const hint = isFirst && kind === null ? `: the stanza is where the expression begins; write /${name}` : '';
      this.#add(part, `${stanza} has no stanza below it${hint}`);
    } else if (ATTRIBUTES.includes(name)) {
      this.#add(part, `it would be an element; the attribute is @${name === 'lang' ? 'xml:lang' : name}`);
    } else {
      const meant = nearest(name, known);
      const other = OWN_NAMES.includes(name);
      const why = other
        ? `${stanza} has none`
        : `a name without a prefix is in no namespace, and what ${stanza} carries is in one (RFC 6120 §8.4): bind a prefix to it in the option namespaces`;
      this.#add(part, meant === undefined || other ? why : `did you mean ${meant}? Otherwise: ${why}`);
    }
    return ANYWHERE;
  }

  /** Somewhere below. */
  #below(part: string, test: NameTest): Place {
    const { localName } = test;
    if (localName === null) return ANYWHERE;
    if (!this.#isOwn(test)) return payload(localName, test);
    if (isKind(localName)) return { at: 'stanza', kind: localName };
    if (!OWN_NAMES.includes(localName)) {
      this.#add(
        part,
        'a name without a prefix is in no namespace, and what a stanza carries is in one (RFC 6120 §8.4): bind a prefix to it in the option namespaces',
      );
    }
    return ANYWHERE;
  }

  /** Whether a name is one of the stream's own. */
  #isOwn({ namespaceURI }: NameTest): boolean {
    if (namespaceURI === undefined) return false;
    return namespaceURI === null || this.#contentNamespaces.includes(namespaceURI);
  }

  #compare({ operator, left, right }: CompareExpr, place: Place): void {
    const [value, of] =
      left.kind === 'constant' ? [left.value, right] : [right.kind === 'constant' ? right.value : null, left];
    if (operator !== '=' || typeof value !== 'string') return;
    if (of.kind === 'call' && of.name === 'local-name' && value.includes(':')) {
      this.found.add(`local-name() is never ${quoted(value)}: it has no prefix in it`);
    }
    const known = valuesOf(of, place);
    if (known === null || known.includes(value)) return;
    const none = known === TYPES.presence && value === 'available' ? '; available is not(@type)' : '';
    this.found.add(`${written(of)} is never ${quoted(value)}: it is one of ${known.join(', ')}${none}`);
  }

  /** One attribute with two values. */
  #conflict(conditions: readonly Expr[], place: Place): void {
    if (place.at === 'leaf' || place.at === 'anywhere') return;
    const values = new Map<string, unknown>();
    for (const condition of conditions) {
      if (condition.kind !== 'compare' || condition.operator !== '=') continue;
      const { left, right } = condition;
      const [of, value] = left.kind === 'constant' ? [right, left] : [left, right];
      if (value.kind !== 'constant' || attributeName(of) === null) continue;
      const name = written(of);
      const before = values.get(name);
      if (before !== undefined && before !== value.value) {
        this.found.add(
          `${name} is never both ${written({ kind: 'constant', value: before as string })} and ${written(value)}`,
        );
      }
      values.set(name, value.value);
    }
  }
}

/** An element whose name has a prefix. */
function payload(name: string, { namespaceURI }: NameTest): Place {
  return { at: 'payload', name, namespace: namespaceURI as string };
}

/** The values that a part of a stanza can have; null: any. */
function valuesOf(expr: Expr, place: Place): readonly string[] | null {
  let stanza = place;
  let name: string | null = attributeName(expr);
  if (expr.kind === 'path' && expr.start === 'root' && expr.steps.length === 2) {
    const [root, last] = expr.steps as [Step, Step];
    if (root.axis !== 'child' || root.test.kind !== 'name') return null;
    stanza = { at: 'stanza', kind: isKind(root.test.localName) ? root.test.localName : null };
    name = attributeName({ ...expr, start: 'context', steps: [last] });
    if (name === null && isChild(last, 'show')) return SHOWS;
  }
  if (stanza.at !== 'stanza') return null;
  if (name === 'type') return stanza.kind === null ? KINDS.flatMap((kind) => TYPES[kind]) : TYPES[stanza.kind];
  const [only] = expr.kind === 'path' && expr.start === 'context' && expr.steps.length === 1 ? expr.steps : [];
  return only !== undefined && isChild(only, 'show') && stanza.kind === 'presence' ? SHOWS : null;
}

/** The name of an attribute of the context node. */
function attributeName(expr: Expr): string | null {
  if (!isNodeSet(expr) || expr.kind !== 'path' || expr.start !== 'context' || expr.steps.length !== 1) return null;
  const { axis, test } = expr.steps[0] as Step;
  return axis === 'attribute' && test.kind === 'name' && test.namespaceURI === null ? test.localName : null;
}

function isChild({ axis, test }: Step, name: string): boolean {
  return axis === 'child' && test.kind === 'name' && test.localName === name;
}

function isKind(name: string | null): name is Kind {
  return name !== null && Object.hasOwn(CHILDREN, name);
}
