import { kindOf } from '../arguments/values.js';
import { BrokerError, printable, usageError } from '../errors.js';
import type { Attr } from './attr.js';
import { Element, isElement } from './element.js';
import { escapeValue } from './escape.js';
import { NS } from './namespaces.js';
import { Piece } from './piece.js';
import type { QName } from './qname.js';
import { declarationMistake } from './declaration.js';
import type { Text } from './text.js';

/** What is declared where the text will be put. */
export interface SerializeScope {
  /** The default namespace there, such as a stream's content namespace. Without it, the text can stand alone. */
  defaultNamespace?: string | undefined;
  /** Prefixes that are declared there. */
  prefixes?: Readonly<Record<string, string>> | undefined;
}

interface Binding {
  readonly prefix: string;
  readonly uri: string;
  readonly outer: Binding | null;
}

/** What was in scope in front of an element that declares something. */
interface Frame {
  readonly element: Element;
  readonly defaultNamespace: string | undefined;
  readonly bindings: Binding | null;
  readonly outer: Frame | null;
}

/**
 * Writes an element as XML that reads back as the same element: declarations that are missing are added, those that
 * change nothing are left out, and an element that says no namespace gets none.
 * @throws BrokerError `XML_UNSERIALIZABLE` if a text, value or name in it cannot be written; `USAGE_ELEMENT` if it is no
 * element, `USAGE_SCOPE` if the scope is none
 */
export function serialize(element: Element, scope?: SerializeScope): string {
  if (!isElement(element)) throw notAnElement(element);
  return written(element, checkedScope(scope));
}

/** {@link serialize} with arguments that are known to be what they should. */
export function written(element: Element, scope: SerializeScope | undefined): string {
  const writer = new Writer(scope);
  let node: Element | Text = element;
  for (;;) {
    if (node instanceof Element) {
      const first: Element | Text | null = node.firstChild;
      writer.start(node, first === null);
      if (first !== null) {
        node = first;
        continue;
      }
      writer.leave(node);
    } else {
      writer.text(node.escaped);
    }
    while (node !== element && node.nextSibling === null) {
      node = node.parentElement as Element;
      writer.piece(markupOf(node.qname).end);
      writer.leave(node);
    }
    if (node === element) return writer.result();
    node = node.nextSibling as Element | Text;
  }
}

/** Writes only the start tag, as a stream header needs it (RFC 6120 §4.7). Errors as of {@link serialize}. */
export function serializeStart(element: Element, scope?: SerializeScope): string {
  if (!isElement(element)) throw notAnElement(element);
  const writer = new Writer(scope);
  writer.start(element, false);
  return writer.result();
}

/** The ends of tags, behind a value or not. */
const END = new Piece('>');
const END_BEHIND_VALUE = new Piece("'>");
const EMPTY_END = new Piece('/>');
const EMPTY_END_BEHIND_VALUE = new Piece("'/>");

/** What is written so far, and what is declared there. */
class Writer {
  private out = '';
  /** What comes behind that: it may become one piece with the next. */
  private last: Piece | null = null;
  /** `undefined`: not known, so every namespace is written. */
  private defaultNamespace: string | undefined;
  /** Inner ones only: what is declared around everything is in `outer`. */
  private bindings: Binding | null = null;
  private readonly outer: Readonly<Record<string, string>> | undefined;
  private frame: Frame | null = null;

  constructor(scope: SerializeScope | undefined) {
    this.defaultNamespace = scope?.defaultNamespace;
    this.outer = scope?.prefixes;
  }

  result(): string {
    return this.last === null ? this.out : this.out + this.last.text;
  }

  /** Appends markup that is written again and again. */
  piece(next: Piece): void {
    const { last } = this;
    const joined = last === null ? next : last.with(next);
    if (joined !== null) {
      this.last = joined;
      return;
    }
    this.out += (last as Piece).text;
    this.last = next;
  }

  /** Appends what is written once. */
  text(text: string): void {
    this.out = this.result() + text;
    this.last = null;
  }

  /** Appends a start tag; afterwards its declarations are in scope. */
  start(element: Element, empty: boolean): void {
    const { qname } = element;
    const name = markupOf(qname);
    let simple = qname.prefix === null;
    const uri = qname.namespaceURI ?? '';
    if (!simple || qname.inherits || uri === this.defaultNamespace) {
      this.piece(name.start);
    } else {
      this.enter(element);
      this.defaultNamespace = uri;
      if (name.declared !== null) {
        this.piece(name.declared);
      } else {
        this.piece(name.start);
        this.text(declaration(null, uri));
      }
    }
    // The quote behind a value is written with what follows it.
    let quote = false;
    for (let attr = element.firstAttribute; attr !== null; attr = attr.nextAttribute) {
      const { markup } = attr.qname;
      if (markup?.attribute === true) {
        const { known } = attr;
        const { first, next } = known ?? markup;
        this.piece(quote ? next : first);
        if (known === null) this.text(attr.escaped);
        quote = true;
      } else if (attr.qname.prefix === null) {
        // What it says is known from the element's name, unless that has a prefix.
        if (!declaresDefault(attr.qname)) throw unserializable(attr.qname);
      } else {
        simple = false;
      }
    }
    if (!simple) {
      if (quote) this.text("'");
      quote = false;
      this.text(this.prefixes(element));
    }
    this.piece(empty ? (quote ? EMPTY_END_BEHIND_VALUE : EMPTY_END) : quote ? END_BEHIND_VALUE : END);
  }

  /** An element's end was written. */
  leave(element: Element): void {
    const { frame } = this;
    if (frame?.element !== element) return;
    this.defaultNamespace = frame.defaultNamespace;
    this.bindings = frame.bindings;
    this.frame = frame.outer;
  }

  /** What a tag needs beside its plain attributes: its own declarations, names with a prefix, missing declarations. */
  private prefixes(element: Element): string {
    let tag = '';
    this.enter(element);
    for (let attr = element.firstAttribute; attr !== null; attr = attr.nextAttribute) {
      if (attr.qname.namespaceURI === NS.XMLNS) tag += this.declare(element, attr);
    }
    tag += this.need(element.qname);
    for (let attr = element.firstAttribute; attr !== null; attr = attr.nextAttribute) {
      const { qname } = attr;
      if (qname.prefix === null || qname.namespaceURI === NS.XMLNS) continue;
      if (!qname.writable) throw unserializable(qname);
      tag += this.need(qname) + ` ${qname.name}='${escapeValue(attr.value)}'`;
    }
    return tag;
  }

  /** A declaration that the element has, if it changes anything. */
  private declare(element: Element, attr: Attr): string {
    const { value, qname } = attr;
    const wellNamed = declaresDefault(qname) || (qname.prefix === 'xmlns' && qname.writable);
    if (!wellNamed) throw unserializable(qname);
    if (qname.prefix === null) {
      if (element.qname.prefix === null || value === this.defaultNamespace) return '';
      this.defaultNamespace = value;
      return declaration(null, value);
    }
    return this.bind(qname.localName, value);
  }

  /** The declaration that a name with a prefix needs, if it is not in scope. */
  private need(qname: QName): string {
    return qname.prefix === null || qname.prefix === 'xml' ? '' : this.bind(qname.prefix, qname.namespaceURI as string);
  }

  private bind(prefix: string, uri: string): string {
    let binding = this.bindings;
    while (binding !== null && binding.prefix !== prefix) binding = binding.outer;
    const { outer } = this;
    const known =
      binding === null && outer !== undefined && Object.hasOwn(outer, prefix) ? outer[prefix] : binding?.uri;
    if (known === uri) return '';
    // A prefix cannot mean two things in one tag.
    for (let own = this.bindings; own !== (this.frame as Frame).bindings && own !== null; own = own.outer) {
      if (own.prefix === prefix) throw contradiction(prefix);
    }
    this.bindings = { prefix, uri, outer: this.bindings };
    return declaration(prefix, uri);
  }

  private enter(element: Element): void {
    if (this.frame?.element === element) return;
    this.frame = { element, defaultNamespace: this.defaultNamespace, bindings: this.bindings, outer: this.frame };
  }
}

function markupOf(qname: QName): NonNullable<QName['markup']> {
  const { markup } = qname;
  if (markup === null) throw unserializable(qname);
  return markup;
}

/** Whether an attribute is `xmlns`. */
function declaresDefault({ name, namespaceURI }: QName): boolean {
  return name === 'xmlns' && namespaceURI === NS.XMLNS;
}

function declaration(prefix: string | null, uri: string): string {
  const mistake = declarationMistake(prefix, uri);
  if (mistake !== null) throw new BrokerError('XML_UNSERIALIZABLE', mistake, { layer: 'xml' });
  return ` xmlns${prefix === null ? '' : `:${prefix}`}='${escapeValue(uri)}'`;
}

function unserializable(qname: QName): BrokerError {
  const name = printable(qname.name, 64);
  return new BrokerError('XML_UNSERIALIZABLE', `the name "${name}" cannot be written in XML, or not in its namespace`, {
    layer: 'xml',
  });
}

function contradiction(prefix: string): BrokerError {
  return new BrokerError(
    'XML_UNSERIALIZABLE',
    `prefix "${printable(prefix, 64)}" stands for two namespaces in one tag`,
    {
      layer: 'xml',
    },
  );
}

function checkedScope(scope: SerializeScope | undefined): SerializeScope | undefined {
  if (scope === undefined) return undefined;
  try {
    const { defaultNamespace, prefixes } = scope;
    if (typeof scope === 'object' && isText(defaultNamespace) && isTexts(prefixes)) return scope;
  } catch {
    // It cannot be read, so it is no scope.
  }
  throw usageError(
    'USAGE_SCOPE',
    `the scope of serialize() is { defaultNamespace, prefixes }, a string and an object of strings, not ${kindOf(scope)}`,
  );
}

function isText(value: unknown): boolean {
  return value === undefined || typeof value === 'string';
}

function isTexts(value: unknown): boolean {
  if (value === undefined) return true;
  if (typeof value !== 'object' || value === null) return false;
  for (const one of Object.values(value)) if (typeof one !== 'string') return false;
  return true;
}

function notAnElement(value: unknown): BrokerError {
  return usageError('USAGE_ELEMENT', `wanted an Element as xml() and parse() make it, not ${kindOf(value)}`);
}
