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
  /** By length of a name modulo 32, a bit for each first character modulo 32: most names of a stanza end there. */
  readonly #initials = new Int32Array(32);
  readonly #make: () => V;

  constructor(make: () => V) {
    this.#make = make;
  }

  get isEmpty(): boolean {
    return this.#names.size === 0;
  }

  /** What is filed under a local name. */
  find(localName: string): Namespaces<V> | undefined {
    const initials = this.#initials[localName.length & 31] as number;
    if (((initials >>> (localName.charCodeAt(0) & 31)) & 1) === 0) return undefined;
    return this.#names.get(localName);
  }

  /** @param name - with a local name */
  get({ localName, namespaceURI }: WantedName): V | null {
    return this.#names.get(localName as string)?.get(namespaceURI) ?? null;
  }

  getOrMake({ localName, namespaceURI }: WantedName): V {
    const name = localName as string;
    let namespaces = this.#names.get(name);
    if (namespaces === undefined) {
      this.#names.set(name, (namespaces = new Namespaces()));
      const at = name.length & 31;
      this.#initials[at] = (this.#initials[at] as number) | (1 << (name.charCodeAt(0) & 31));
    }
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
