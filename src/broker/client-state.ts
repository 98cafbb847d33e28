// Client state indication: XEP-0352.
import type { Link } from '../link/link.js';
import type { Lifecycle } from '../lifecycle/lifecycle.js';
import type { Established } from '../protocols/dialect.js';
import { xml } from '../xml/builder.js';
import { NS } from '../xml/namespaces.js';

/** Whether somebody looks at what arrives. */
export type ClientStateName = 'active' | 'inactive';

/** What {@link ClientState} works with. */
interface ClientStateParts {
  readonly lifecycle: Pick<Lifecycle, 'link'>;
}

/** Tells servers whether somebody looks. They forget it with each connection, a resumed one, too (XEP-0352 §5.2). */
export class ClientState {
  readonly #parts: ClientStateParts;
  #wanted: ClientStateName = 'active';
  /** What the server of this link knows; null while it wants to know nothing, or there is no link. */
  #told: ClientStateName | null = null;
  /** Whether the features that came last had it; a resumption may come without any. */
  #offered = false;

  constructor(parts: ClientStateParts) {
    this.#parts = parts;
  }

  /** @returns whether the server knows it now */
  set(state: ClientStateName): boolean {
    this.#wanted = state;
    return this.#tell();
  }

  linkReady({ clientStates }: Established): void {
    this.#offered = clientStates ?? this.#offered;
    this.#told = this.#offered ? 'active' : null;
  }

  /** PCJ_READY was published. */
  afterReady(): void {
    this.#tell();
  }

  linkEnded(): void {
    this.#told = null;
  }

  #tell(): boolean {
    const link: Link | null = this.#parts.lifecycle.link;
    if (this.#told === null || link?.ready !== true) return false;
    if (this.#told === this.#wanted) return true;
    this.#told = this.#wanted;
    link.send(xml(this.#wanted, { xmlns: NS.CSI }));
    return true;
  }
}
