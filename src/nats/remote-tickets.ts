// The tickets of a producer of which the holders have not told yet.
import type { BrokerError } from '../errors.js';
import { headerText } from './headers.js';
import { RemoteTicket } from './remote-ticket.js';
import type { TicketReport } from './reports.js';

/**
 * So many of the newest, and up to as many of those before them, are held themselves: mostly a report comes before there are that
 * many more, and to hold a ticket weakly costs as much as to publish its stanza.
 */
const MOST_NEW = 1_024;

export class RemoteTickets {
  /** By queue and key. */
  #new = new Map<string, RemoteTicket>();
  #before = new Map<string, RemoteTicket>();
  /** Those that nobody told of for long. Who holds none of them wants to know nothing. */
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
    this.#before.delete(name);
    this.#untold.delete(name);
    this.#new.set(name, ticket);
    if (this.#new.size > MOST_NEW) this.#age();
    return ticket;
  }

  /** The one of that key, if it is for that queue and more will become of it. */
  find(queue: string, key: string): RemoteTicket | undefined {
    const ticket = this.#at(nameOf(queue, headerText(key)));
    return ticket?.isOver === false ? ticket : undefined;
  }

  /** What a holder tells. */
  heard(reports: readonly TicketReport[]): void {
    for (const report of reports) {
      const name = nameOf(report.queue, report.key);
      const ticket = this.#at(name);
      if (!this.#new.delete(name) && !this.#before.delete(name)) this.#untold.delete(name);
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
    this.#new.clear();
    this.#before.clear();
    this.#untold.clear();
  }

  #at(name: string): RemoteTicket | undefined {
    return this.#new.get(name) ?? this.#before.get(name) ?? this.#untold.get(name)?.deref();
  }

  #age(): void {
    for (const [name, ticket] of this.#before) {
      this.#untold.set(name, new WeakRef(ticket));
      this.#gone.register(ticket, name);
    }
    this.#before = this.#new;
    this.#new = new Map();
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
