import type { Host } from './host.js';
import { Rooms } from './rooms.js';

/** What is served beside the delivery of stanzas. */
export interface ServiceSettings {
  /** Domain, or null for none. */
  readonly rooms: string | null;
}

/** What the server has beside the delivery of stanzas. */
export class Services {
  readonly #rooms: Rooms | null;

  constructor(host: Host, { rooms }: ServiceSettings) {
    this.#rooms = rooms === null ? null : new Rooms(rooms, (stanza) => host.route(stanza));
    if (this.#rooms !== null) host.addService(this.#rooms.domain, this.#rooms);
  }

  /** Every session is over, and nobody was told. */
  reset(): void {
    this.#rooms?.reset();
  }
}
