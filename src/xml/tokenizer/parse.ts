import type { Optional } from '../../arguments/optional.js';
import { isA, kindOf } from '../../arguments/values.js';
import { BrokerError, usageError } from '../../errors.js';
import type { Element } from '../element.js';
import { Fault } from './fault.js';
import { DEFAULT_LIMITS, xmlLimits, type XmlLimits } from './limits.js';
import { Scanner } from './scanner.js';
import { INHERITED_NAMESPACE, type Namespace, namespaceOf } from './namespace-scope.js';
import { Window } from './window.js';

/**
 * Reads exactly one element under the rules of the wire: no comments, no document type, no entities but the predefined
 * ones, the same limits. White space around it is allowed, an XML declaration is not. Where no `xmlns` is in scope the
 * elements are in no namespace and take one when they are put somewhere, as those of {@link xml} do.
 * @throws BrokerError with the tokenizer's codes (`XML_NOT_WELL_FORMED`, `XML_RESTRICTED`, `LIMIT_…`) and the `offset`
 * of the mistake in characters (bytes when bytes were given); `USAGE_NOT_ONE_ELEMENT` if there is none or more than
 * one; `USAGE_TYPE` if the argument is neither a string nor bytes
 */
export function parse(source: string | Uint8Array, limits?: Optional<XmlLimits>): Element {
  return parseWith(source, INHERITED_NAMESPACE, limits);
}

/**
 * Reads one element as it would be read on a stream with that content namespace, so that `<message/>` is a stanza.
 * Errors as of {@link parse}.
 */
export function parseInScope(
  source: string | Uint8Array,
  contentNamespace: string,
  limits?: Optional<XmlLimits>,
): Element {
  return parseWith(source, namespaceOf(contentNamespace), limits);
}

function parseWith(source: string | Uint8Array, outer: Namespace, limits?: Optional<XmlLimits>): Element {
  const reader = limits === undefined ? (idle ?? new Reader(DEFAULT_LIMITS)) : new Reader(xmlLimits(limits));
  idle = null;
  try {
    reader.read(source, outer);
  } catch (fault) {
    throw fault instanceof Fault ? errorOf(fault, source) : fault;
  }
  const { element, count } = reader;
  reader.element = null;
  if (limits === undefined) idle = reader;
  if (element !== null && count === 1) return element;
  throw usageError('USAGE_NOT_ONE_ELEMENT', `wanted exactly one element, found ${count}`);
}

/** Reads texts one by one, until one has a fault. */
class Reader {
  /** The last element that was read, and how many there were. */
  element: Element | null = null;
  count = 0;
  private readonly window = new Window();
  private readonly scanner: Scanner;

  constructor(limits: XmlLimits) {
    const ignore = () => undefined;
    const element = (found: Element) => {
      this.element = found;
      this.count += 1;
    };
    const events = { streamStart: ignore, streamEnd: ignore, element };
    this.scanner = new Scanner(this.window, limits, events);
  }

  /** Reads the elements side by side in a text. @throws Fault, and BrokerError for what is no text */
  read(source: string | Uint8Array, outer: Namespace): void {
    const { window, scanner } = this;
    this.count = 0;
    window.base = 0;
    scanner.enter({ name: undefined, defaultNamespace: outer, binding: null });
    if (typeof source === 'string' && window.loadText(source)) {
      scanner.scan();
      window.leave();
    } else {
      const bytes = bytesOf(source);
      for (let at = 0; at < bytes.length;) {
        window.load(bytes, at);
        scanner.scan();
        at = window.leave();
      }
    }
    if (window.partial.length > 0) throw new Fault('XML_BAD_UTF8', 'the text ends inside a character', window.offset);
    if (scanner.inStanza) throw new Fault('XML_TRUNCATED', 'the text ends inside an element', window.offset);
  }
}

/** A reader with the default limits that has nothing to do: making one costs more than reading a stanza. */
let idle: Reader | null = null;

function bytesOf(source: string | Uint8Array): Uint8Array {
  if (isA(source, Uint8Array)) return source;
  if (typeof source !== 'string') {
    throw usageError('USAGE_TYPE', `parse() wants a string or bytes (a Buffer or Uint8Array), not ${kindOf(source)}`);
  }
  if (!source.isWellFormed()) {
    const offset = source.search(/\p{Surrogate}/u);
    throw new BrokerError('XML_NOT_WELL_FORMED', `half a character (a lone surrogate), at character ${offset}`, {
      layer: 'xml',
      offset,
    });
  }
  return Buffer.from(source);
}

function errorOf(fault: Fault, source: string | Uint8Array): BrokerError {
  const offset =
    typeof source === 'string' ? Buffer.from(source).subarray(0, fault.offset).toString().length : fault.offset;
  const unit = typeof source === 'string' ? 'character' : 'byte';
  const message = fault.code === 'XML_STREAM_TEXT' ? 'text outside the element' : fault.message;
  return new BrokerError(fault.code, `${message}, at ${unit} ${offset}`, { layer: 'xml', offset });
}
