// What became of stanzas, told to the processes that put them.
import type { NatsLink } from './connection.js';
import { ReportPost } from './report-post.js';
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

/** Most tickets of one message: with the longest keys it is below what NATS takes by default. */
const MOST_TICKETS = 250;

export class Reports {
  readonly #subjects: Subjects;
  /** Whether there is a stream that keeps them. */
  readonly #areKept: boolean;
  readonly #post: ReportPost;

  constructor(link: NatsLink, subjects: Subjects, areKept: boolean) {
    this.#subjects = subjects;
    this.#areKept = areKept;
    this.#post = new ReportPost(link);
  }

  /** Messages for each producer. Never throws. */
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
    for (const [producer, tickets] of byProducer) {
      for (let at = 0; at < tickets.length; at += MOST_TICKETS) {
        this.#tell(producer, queue, tickets.slice(at, at + MOST_TICKETS));
      }
    }
  }

  /** What nobody heard is let go. */
  close(): void {
    this.#post.close();
  }

  #tell(producer: string, queue: string, tickets: ReportMessage['tickets']): void {
    const kept = this.#areKept ? tickets : [];
    this.#post.send({
      subject: this.#subjects.ticketOf(producer),
      text: textOf(queue, tickets),
      tickets: tickets.length,
      copies: kept.map((ticket) => ({
        subject: this.#subjects.reportOf(producer, ticket[0]),
        text: textOf(queue, [ticket]),
      })),
    });
  }
}

function textOf(queue: string, tickets: ReportMessage['tickets']): string {
  const message: ReportMessage = { v: 1, queue, tickets };
  return JSON.stringify(message);
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
