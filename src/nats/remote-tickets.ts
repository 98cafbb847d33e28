// The tickets of a producer of which the holders have not told yet.
import type { BrokerError } from '../errors.js';
import { headerText } from './headers.js';
import { RemoteTicket } from './remote-ticket.js';
import type { TicketReport } from './reports.js';

export class RemoteTickets {
  /** By queue and key. Who holds none of them wants to know nothing. */
  readonly #untold = new Map<string, WeakRef<RemoteTicket>>();
  /** Those that somebody waits for. */
  readonly #wanted = new Set<RemoteTicket>();
  readonly #gone = new FinalizationRegistry<string>((name) => {
    if (this.#untold.get(name)?.deref() === undefined) this.#untold.delete(name);
  });
  #deaf: BrokerError | null = null;

  /** A new one. */
  make(key: string, queue: string): RemoteTicket {
    const ticket = new RemoteTicket(key, queue, (wanted) => {
      this.#want(wanted);
    });
    const name = nameOf(queue, headerText(key));
    this.#untold.set(name, new WeakRef(ticket));
    this.#gone.register(ticket, name);
    return ticket;
  }

  /** The one of that key, if it is for that queue and more will become of it. */
  find(queue: string, key: string): RemoteTicket | undefined {
    const ticket = this.#untold.get(nameOf(queue, headerText(key)))?.deref();
    return ticket?.isOver === false ? ticket : undefined;
  }

  /** What a holder tells. */
  heard(reports: readonly TicketReport[]): void {
    for (const report of reports) {
      const name = nameOf(report.queue, report.key);
      const ticket = this.#untold.get(name)?.deref();
      this.#untold.delete(name);
      if (ticket === undefined) continue;
      this.#wanted.delete(ticket);
      ticket.report(report);
    }
  }

  /** Nothing that the holders tell comes here. */
  deafen(error: BrokerError): void {
    this.#deaf = error;
    this.#failWanted(error);
  }

  /** Nobody listens to the holders any more. */
  close(error: BrokerError): void {
    this.#failWanted(error);
    this.#untold.clear();
  }

  #want(ticket: RemoteTicket): void {
    if (ticket.isOver) return;
    if (this.#deaf !== null) ticket.fail(this.#deaf);
    else this.#wanted.add(ticket);
  }

  #failWanted(error: BrokerError): void {
    for (const ticket of this.#wanted) ticket.fail(error);
    this.#wanted.clear();
  }
}

/** @param key as it is in a header: without a line feed */
function nameOf(queue: string, key: string): string {
  return `${key}\n${queue}`;
}
