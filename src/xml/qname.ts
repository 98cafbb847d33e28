/**
 * The name of an element or attribute, resolved against the namespaces in scope (Namespaces in XML 1.0 §4).
 * Immutable and shared: the tokenizer hands the same object to every node of that name, so equal names are usually,
 * but not always, the same object. Compare `localName` and `namespaceURI`, never a joined string.
 */
export class QName {
  /** The qualified name as written, `prefix:local` or `local`. */
  readonly name: string;

  constructor(
    readonly prefix: string | null,
    readonly localName: string,
    readonly namespaceURI: string | null,
  ) {
    this.name = prefix === null ? localName : `${prefix}:${localName}`;
  }

  /** Whether both have the same expanded name (namespace and local part); the prefix does not count. */
  equals(other: QName): boolean {
    return this === other || (this.localName === other.localName && this.namespaceURI === other.namespaceURI);
  }
}
