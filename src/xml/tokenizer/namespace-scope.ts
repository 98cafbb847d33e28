import { mayKeepNamespace } from '../cache-limits.js';
import { NS } from '../namespaces.js';
import { PackedBytes } from './packed-bytes.js';

/** A namespace name as the tokenizer passes it around: compared by pointer, so usually one object for each name. */
export class Namespace {
  /** The name as it is written if it is plain ASCII without references, as nearly all are; else null. */
  readonly packed: PackedBytes | null;
  /** Whether names in it may be kept. */
  readonly isKept: boolean;

  constructor(
    /** `null`: no namespace. */
    readonly uri: string | null,
    /** An element in it takes the namespace of whatever it is put into ({@link QName.inherits}). */
    readonly inherits = false,
  ) {
    this.isKept = mayKeepNamespace(uri);
    const plain = uri !== null && this.isKept && /^[!#-%(-;=?-~]+$/.test(uri);
    this.packed = plain ? new PackedBytes(Buffer.from(uri)) : null;
  }
}

export const NO_NAMESPACE = new Namespace(null);
/** What a string that is parsed on its own has outside every `xmlns`. */
export const INHERITED_NAMESPACE = new Namespace(null, true);
const XML_NAMESPACE = new Namespace(NS.XML);

/**
 * How many namespace names are kept: a cache with two places for each, of which a new one takes that of the older. So a
 * peer that makes them up costs time and no memory.
 */
const PLACES = 1024;
const cache: (Namespace | undefined)[] = Array.from({ length: PLACES }, () => undefined);
/** Which of two places the newer one has. */
const newer = new Uint8Array(PLACES / 2);

/** The record of a namespace name. */
export function namespaceOf(uri: string): Namespace {
  if (uri === '') return NO_NAMESPACE;
  if (!mayKeepNamespace(uri)) return new Namespace(uri);
  let hash = uri.length;
  for (let k = 0; k < uri.length; k++) hash = (Math.imul(hash, 31) + uri.charCodeAt(k)) | 0;
  const pair = (hash ^ (hash >>> 10)) & (PLACES / 2 - 1);
  const first = cache[2 * pair];
  if (first?.uri === uri) return first;
  const second = cache[2 * pair + 1];
  if (second?.uri === uri) return second;
  // A copy: a piece of a received window would keep the whole window.
  const made = new Namespace(Buffer.from(uri).toString());
  const place = 1 - (newer[pair] as number);
  newer[pair] = place;
  cache[2 * pair + place] = made;
  return made;
}

/** Prefixes in scope, the innermost first. Immutable: elements that declare none share their parent's. */
export class Binding {
  constructor(
    readonly prefix: string,
    readonly namespace: Namespace,
    readonly outer: Binding | null,
  ) {}
}

/** Whether two scopes were declared alike. */
export function declareTheSame(one: Binding | null, other: Binding | null): boolean {
  let [mine, theirs] = [one, other];
  // No recursion: a program may allow any number of declarations.
  while (mine !== theirs) {
    if (mine === null || theirs === null) return false;
    if (mine.prefix !== theirs.prefix || mine.namespace !== theirs.namespace) return false;
    [mine, theirs] = [mine.outer, theirs.outer];
  }
  return true;
}

/** The namespace a prefix stands for, or null. */
export function lookup(bindings: Binding | null, prefix: string): Namespace | null {
  if (prefix === 'xml') return XML_NAMESPACE;
  let binding = bindings;
  while (binding !== null && binding.prefix !== prefix) binding = binding.outer;
  return binding === null ? null : binding.namespace;
}
