import { shown } from './fault.js';
import { NS } from './namespaces.js';

/** A namespace name as the tokenizer passes it around: compared by pointer, so usually one object for each name. */
export class Namespace {
  constructor(
    /** `null`: no namespace. */
    readonly uri: string | null,
    /** An element in it takes the namespace of whatever it is put into ({@link QName.inherits}). */
    readonly inherits = false,
  ) {}
}

export const NO_NAMESPACE = new Namespace(null);
/** What a string that is parsed on its own has outside every `xmlns`. */
export const INHERITED_NAMESPACE = new Namespace(null, true);
export const XML_NAMESPACE = new Namespace(NS.XML);

/** How many namespace names are kept: a cache, so a peer that makes them up costs time and no memory. */
const SLOTS = 1024;
const cache: (Namespace | undefined)[] = Array.from({ length: SLOTS }, () => undefined);

/** The record of a namespace name. Longer names than anybody uses are not kept. */
export function namespaceOf(uri: string): Namespace {
  if (uri === '') return NO_NAMESPACE;
  if (uri.length > 256) return new Namespace(uri);
  let hash = uri.length;
  for (let k = 0; k < uri.length; k++) hash = (Math.imul(hash, 31) + uri.charCodeAt(k)) | 0;
  const slot = hash & (SLOTS - 1);
  const kept = cache[slot];
  if (kept?.uri === uri) return kept;
  // A copy: a piece of a received window would keep the whole window.
  const made = new Namespace(Buffer.from(uri).toString());
  cache[slot] = made;
  return made;
}

interface Binding {
  readonly prefix: string;
  readonly namespace: Namespace;
  readonly outer: Binding | null;
}

/** The namespaces in scope at one element. Immutable: elements that declare nothing share their parent's. */
export class Scope {
  /** The scope made last for a child that declared a default namespace: most children declare the same again. */
  private recent: Scope | null = null;

  constructor(
    readonly defaultNamespace: Namespace,
    private readonly bindings: Binding | null = null,
  ) {}

  withDefault(namespace: Namespace): Scope {
    if (this.recent?.defaultNamespace !== namespace) this.recent = new Scope(namespace, this.bindings);
    return this.recent;
  }

  withPrefix(prefix: string, namespace: Namespace): Scope {
    return new Scope(this.defaultNamespace, { prefix, namespace, outer: this.bindings });
  }

  lookup(prefix: string): Namespace | null {
    if (prefix === 'xml') return XML_NAMESPACE;
    let binding = this.bindings;
    while (binding !== null && binding.prefix !== prefix) binding = binding.outer;
    return binding === null ? null : binding.namespace;
  }
}

/** What is wrong with `xmlns='…'` or `xmlns:prefix='…'` (Namespaces in XML 1.0 §3), or null. */
export function declarationMistake(prefix: string | null, uri: string): string | null {
  if (prefix === 'xmlns') return 'prefix xmlns cannot be declared';
  if (uri === NS.XMLNS) return `nothing can be bound to ${NS.XMLNS}`;
  if ((prefix === 'xml') !== (uri === NS.XML)) return `prefix xml and ${NS.XML} belong together and to nothing else`;
  if (prefix !== null && uri === '') return `prefix ${shown(prefix)} is bound to nothing`;
  return null;
}
