// What became of stanzas, told to the processes that put them.
import type { NatsLink } from './connection.js';
import type { Staged } from './staged.js';
import type { Subjects } from './subjects.js';

/** How a stanza ended, as it is told. */
export interface TicketReport {
  /** The queue that it was in. */
  readonly queue: string;
  readonly key: string;
  readonly outcome: 'acked' | 'sent' | 'dropped' | 'failed';
  /** Code of the error it failed with. */
  readonly code?: string | undefined;
  /** Whether the stanza may have reached the server before. */
  readonly possibleDuplicate: boolean;
}

/** A message with reports. */
export interface ReportMessage {
  readonly v: 1;
  readonly queue: string;
  readonly tickets: readonly (readonly [key: string, outcome: string, possibleDuplicate: 0 | 1, code?: string])[];
}

export class Reports {
  readonly #link: NatsLink;
  readonly #subjects: Subjects;
  /** Whether there is a stream that keeps them. */
  readonly #areKept: boolean;

  constructor(link: NatsLink, subjects: Subjects, areKept: boolean) {
    this.#link = link;
    this.#subjects = subjects;
    this.#areKept = areKept;
  }

  /** One message for each producer. Never throws: what is lost is not told. */
  tell(queue: string, ended: readonly Pick<Staged, 'entry' | 'outcome' | 'code' | 'mark'>[]): void {
    const byProducer = new Map<string, ReportMessage['tickets'][number][]>();
    for (const { entry, outcome, code, mark } of ended) {
      const ticket = entry?.ticket ?? null;
      if (ticket === null || outcome === null) continue;
      const list = byProducer.get(ticket.producer) ?? [];
      byProducer.set(ticket.producer, list);
      const duplicate = mark.possibleDuplicate ? 1 : 0;
      list.push(code === undefined ? [ticket.key, outcome, duplicate] : [ticket.key, outcome, duplicate, code]);
    }
    for (const [producer, tickets] of byProducer) this.#tell(producer, { v: 1, queue, tickets });
  }

  #tell(producer: string, report: ReportMessage): void {
    const { connection } = this.#link;
    try {
      connection.publish(this.#subjects.ticketOf(producer), JSON.stringify(report));
      if (!this.#areKept) return;
      for (const ticket of report.tickets) {
        const one: ReportMessage = { ...report, tickets: [ticket] };
        connection.publish(this.#subjects.reportOf(producer, ticket[0]), JSON.stringify(one));
      }
    } catch {
      // The connection is closed: whoever waits asks for it.
    }
  }
}

/** The reports of a message. It comes from another process: null if it is not one. */
export function reportsOf(text: string): readonly TicketReport[] | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  const { v, queue, tickets } = (value ?? {}) as Record<string, unknown>;
  if (v !== 1 || typeof queue !== 'string' || !Array.isArray(tickets)) return null;
  return tickets.flatMap((ticket: unknown) => {
    if (!Array.isArray(ticket)) return [];
    const [key, outcome, duplicate, code] = ticket as unknown[];
    if (typeof key !== 'string' || !isOutcome(outcome)) return [];
    return [{ queue, key, outcome, possibleDuplicate: duplicate === 1, ...(typeof code === 'string' ? { code } : {}) }];
  });
}

function isOutcome(value: unknown): value is TicketReport['outcome'] {
  return value === 'acked' || value === 'sent' || value === 'dropped' || value === 'failed';
}
