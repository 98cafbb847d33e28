import { mayKeepName, mayKeepNamespace } from '../../xml/cache-limits.js';
import type { QName } from '../../xml/qname.js';
import type { WantedName } from './condition.js';

/** What is filed under one local name, by namespace. */
export class Namespaces<V> {
  /** Under any namespace. */
  any: V | null = null;
  /** Under none, which includes the content namespaces. */
  none: V | null = null;
  /** Under one. */
  exact: Map<string, V> | null = null;

  get isEmpty(): boolean {
    return this.any === null && this.none === null && this.exact === null;
  }

  get(namespaceURI: string | null | undefined): V | null {
    if (namespaceURI === undefined) return this.any;
    return namespaceURI === null ? this.none : (this.exact?.get(namespaceURI) ?? null);
  }

  set(namespaceURI: string | null | undefined, value: V): void {
    if (namespaceURI === undefined) this.any = value;
    else if (namespaceURI === null) this.none = value;
    else (this.exact ??= new Map()).set(namespaceURI, value);
  }

  delete(namespaceURI: string | null | undefined): void {
    if (namespaceURI === undefined) this.any = null;
    else if (namespaceURI === null) this.none = null;
    else {
      this.exact?.delete(namespaceURI);
      if (this.exact?.size === 0) this.exact = null;
    }
  }
}

/** What was found for a name. */
interface Found<V> {
  readonly name: QName;
  readonly values: readonly V[];
}

/** For so many names a table remembers what it found: stanzas have few. A power of two. */
const REMEMBERED = 128;

/** Values by the names that expressions ask for. */
export class NameTable<V> {
  readonly #names = new Map<string, Namespaces<V>>();
  readonly #make: () => V;
  readonly #contentNamespaces: readonly string[];
  /** By the place of a name; empty when what is filed has changed. */
  #found: (Found<V> | undefined)[] = [];

  constructor(make: () => V, contentNamespaces: readonly string[]) {
    this.#make = make;
    this.#contentNamespaces = contentNamespaces;
  }

  get isEmpty(): boolean {
    return this.#names.size === 0;
  }

  /** What is filed under a name, under its local name in any namespace, and under no namespace if it may pass for that. */
  find(name: QName): readonly V[] {
    const found = this.#found[name.place & (REMEMBERED - 1)];
    return found !== undefined && found.name === name ? found.values : this.#find(name);
  }

  /** @param name - with a local name */
  get({ localName, namespaceURI }: WantedName): V | null {
    return this.#names.get(localName as string)?.get(namespaceURI) ?? null;
  }

  getOrMake({ localName, namespaceURI }: WantedName): V {
    const name = localName as string;
    let namespaces = this.#names.get(name);
    if (namespaces === undefined) this.#names.set(name, (namespaces = new Namespaces()));
    const known = namespaces.get(namespaceURI);
    if (known !== null) return known;
    const made = this.#make();
    namespaces.set(namespaceURI, made);
    this.#found = [];
    return made;
  }

  delete({ localName, namespaceURI }: WantedName): void {
    const namespaces = this.#names.get(localName as string);
    namespaces?.delete(namespaceURI);
    if (namespaces?.isEmpty === true) this.#names.delete(localName as string);
    this.#found = [];
  }

  #find(name: QName): readonly V[] {
    const values = this.#lookUp(name);
    if (!mayKeepName(name.localName) || !mayKeepNamespace(name.namespaceURI)) return values;
    if (this.#found.length === 0) this.#found = new Array<Found<V> | undefined>(REMEMBERED).fill(undefined);
    this.#found[name.place & (REMEMBERED - 1)] = { name, values };
    return values;
  }

  #lookUp({ localName, namespaceURI }: QName): readonly V[] {
    const names = this.#names.get(localName);
    if (names === undefined) return [];
    const none = namespaceURI === null || this.#contentNamespaces.includes(namespaceURI);
    const exact = namespaceURI === null ? null : names.exact?.get(namespaceURI);
    return [names.any, none ? names.none : null, exact].filter((value) => value !== null && value !== undefined);
  }
}
