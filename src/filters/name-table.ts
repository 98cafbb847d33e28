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

/** Values by the names that expressions ask for. */
export class NameTable<V> {
  readonly #names = new Map<string, Namespaces<V>>();
  readonly #make: () => V;

  constructor(make: () => V) {
    this.#make = make;
  }

  get isEmpty(): boolean {
    return this.#names.size === 0;
  }

  /** What is filed under a local name. */
  find(localName: string): Namespaces<V> | undefined {
    return this.#names.get(localName);
  }

  /** @param name - with a local name */
  get({ localName, namespaceURI }: WantedName): V | null {
    return this.#names.get(localName as string)?.get(namespaceURI) ?? null;
  }

  getOrMake({ localName, namespaceURI }: WantedName): V {
    let namespaces = this.#names.get(localName as string);
    if (namespaces === undefined) this.#names.set(localName as string, (namespaces = new Namespaces()));
    const known = namespaces.get(namespaceURI);
    if (known !== null) return known;
    const made = this.#make();
    namespaces.set(namespaceURI, made);
    return made;
  }

  delete({ localName, namespaceURI }: WantedName): void {
    const namespaces = this.#names.get(localName as string);
    namespaces?.delete(namespaceURI);
    if (namespaces?.isEmpty === true) this.#names.delete(localName as string);
  }
}
