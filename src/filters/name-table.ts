import type { WantedName } from './condition.js';

/** Something filed under a name. */
export interface Named<V> {
  readonly namespaceURI: string | null | undefined;
  readonly value: V;
}

/** Values by the names that expressions ask for, found by the names of elements and attributes. */
export class NameTable<V> {
  /** By local name; few namespaces share one. */
  readonly #byLocalName = new Map<string, Named<V>[]>();
  readonly #make: () => V;

  constructor(make: () => V) {
    this.#make = make;
  }

  get isEmpty(): boolean {
    return this.#byLocalName.size === 0;
  }

  /** What is filed under a local name, whatever the namespace. */
  find(localName: string): readonly Named<V>[] | undefined {
    return this.#byLocalName.get(localName);
  }

  /** @param name - with a local name */
  get({ localName, namespaceURI }: WantedName): V | undefined {
    return this.#byLocalName.get(localName as string)?.find((named) => named.namespaceURI === namespaceURI)?.value;
  }

  getOrMake(name: WantedName): V {
    const known = this.get(name);
    if (known !== undefined) return known;
    const made = { namespaceURI: name.namespaceURI, value: this.#make() };
    const others = this.#byLocalName.get(name.localName as string);
    if (others === undefined) this.#byLocalName.set(name.localName as string, [made]);
    else others.push(made);
    return made.value;
  }

  delete({ localName, namespaceURI }: WantedName): void {
    const left = this.#byLocalName.get(localName as string)?.filter((named) => named.namespaceURI !== namespaceURI);
    if (left === undefined) return;
    if (left.length === 0) this.#byLocalName.delete(localName as string);
    else this.#byLocalName.set(localName as string, left);
  }
}
