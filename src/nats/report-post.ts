// Reports on their way to producers, told again until somebody heard them: NATS keeps nothing for who does not listen, and
// one that is killed takes along what it had not passed on.
import type { Msg, Subscription } from '@nats-io/transport-node';
import type { NatsLink } from './connection.js';

/** How often it is asked whether somebody listens now, in milliseconds. So long a report is in doubt at least. */
const AGAIN_MS = 1_000;
/** How long a report waits for somebody who listens, in milliseconds. */
const KEEP_MS = 60_000;
/** Most that is in doubt, and most that waits: tickets, and bytes of their reports. The oldest goes. */
const MOST_TICKETS = 10_000;
const MOST_BYTES = 1024 * 1024;

/** What NATS says in place of an answer where nobody listens. */
const NOBODY = 503;

/** A report to one producer. */
export interface Letter {
  readonly subject: string;
  readonly text: string;
  /** How many tickets it tells of. */
  readonly tickets: number;
  /** For the stream of reports: what is kept there needs nobody who listens. */
  readonly copies: readonly { readonly subject: string; readonly text: string }[];
}

interface Sent {
  readonly letter: Letter;
  /** Since when nobody listens, by the clock of this process; null: nothing was said of that. */
  since: number | null;
}

export class ReportPost {
  readonly #link: NatsLink;
  #heard: Subscription | null = null;
  #inbox = '';
  /** Published: NATS may still say that nobody listens, or be killed before it passed them on. By number, oldest first. */
  readonly #inDoubt = new Map<number, Sent>();
  readonly #doubtSize = new Size();
  /** Nobody listens to them. By subject, each oldest first. */
  readonly #waiting = new Map<string, Sent[]>();
  readonly #waitingSize = new Size();
  /** Number of the last one that was published. */
  #last = 0;
  /** NATS had everything up to this one when it was asked last. */
  #passed = 0;
  #timer: NodeJS.Timeout | null = null;
  #isAsking = false;
  #isClosed = false;

  constructor(link: NatsLink) {
    this.#link = link;
    link.watch({
      up: () => {
        this.#again();
      },
    });
  }

  /** Never throws. */
  send(letter: Letter): void {
    if (this.#isClosed) return;
    this.#copy(letter);
    // Whoever does not listen is asked once a second, not with each report.
    const sent: Sent = { letter, since: null };
    if (this.#waiting.has(letter.subject)) this.#wait(sent);
    else this.#publish(sent);
    this.#later();
  }

  /** What nobody heard is let go. */
  close(): void {
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#inDoubt.clear();
    this.#waiting.clear();
    try {
      this.#heard?.unsubscribe();
    } catch {
      // The connection is closed.
    }
  }

  /** @returns its number */
  #publish(sent: Sent): number {
    const { letter } = sent;
    this.#last += 1;
    const number = this.#last;
    this.#inDoubt.set(number, sent);
    this.#doubtSize.add(letter);
    for (const [oldest, one] of this.#inDoubt) {
      if (!this.#doubtSize.isTooMuch) break;
      this.#settle(oldest, one);
    }
    try {
      this.#listen();
      this.#link.connection.publish(letter.subject, letter.text, { reply: `${this.#inbox}.${number}` });
    } catch {
      // The connection is closed: whoever waits asks for it.
    }
    return number;
  }

  #copy({ copies }: Letter): void {
    try {
      for (const { subject, text } of copies) this.#link.connection.publish(subject, text);
    } catch {
      // The same.
    }
  }

  #listen(): void {
    if (this.#heard !== null) return;
    this.#inbox = this.#link.newInbox();
    this.#heard = this.#link.connection.subscribe(`${this.#inbox}.*`, {
      callback: (error, message) => {
        if (error === null && message.headers?.code === NOBODY) this.#refused(message);
      },
    });
  }

  #refused({ subject }: Msg): void {
    const number = Number(subject.slice(this.#inbox.length + 1));
    const sent = this.#inDoubt.get(number);
    if (sent === undefined) return;
    this.#settle(number, sent);
    this.#wait(sent);
  }

  #settle(number: number, { letter }: Sent): void {
    this.#inDoubt.delete(number);
    this.#doubtSize.take(letter);
  }

  #wait(sent: Sent): void {
    const { subject } = sent.letter;
    const now = performance.now();
    const waiting = this.#waiting.get(subject) ?? [];
    this.#waiting.set(subject, waiting);
    // What was asked with is the oldest.
    if (sent.since === null) waiting.push(sent);
    else waiting.unshift(sent);
    sent.since ??= now;
    this.#waitingSize.add(sent.letter);
    while (waiting[0] !== undefined && now - (waiting[0].since ?? now) >= KEEP_MS) this.#next(waiting);
    if (waiting.length === 0) this.#waiting.delete(subject);
    this.#letGo();
  }

  /** What is too much. */
  #letGo(): void {
    for (const [subject, waiting] of this.#waiting) {
      while (this.#waitingSize.isTooMuch && waiting.length > 0) this.#next(waiting);
      if (!this.#waitingSize.isTooMuch) return;
      this.#waiting.delete(subject);
    }
  }

  /** Takes the oldest away. */
  #next(waiting: Sent[]): Sent | undefined {
    const next = waiting.shift();
    if (next !== undefined) this.#waitingSize.take(next.letter);
    return next;
  }

  #later(): void {
    if (this.#timer !== null || this.#isAsking || this.#isClosed) return;
    if (this.#inDoubt.size === 0 && this.#waiting.size === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      void this.#ask();
    }, AGAIN_MS).unref();
  }

  /** Whether somebody listens now, and whether NATS has what was published. Never rejects. */
  async #ask(): Promise<void> {
    if (this.#link.isClosed) {
      this.close();
      return;
    }
    this.#isAsking = true;
    for (const [number, sent] of this.#inDoubt) {
      if (number > this.#passed) break;
      this.#settle(number, sent);
    }
    const asked = this.#asked();
    const last = this.#last;
    try {
      await this.#link.connection.flush();
      this.#passed = last;
      // NATS says that nobody listens before it answers to that.
      for (const [subject, number] of asked) if (this.#inDoubt.has(number)) this.#listens(subject);
    } catch {
      // The connection was lost: when it is there again, everything is told again.
    }
    this.#isAsking = false;
    this.#later();
  }

  /** The oldest report to each who does not listen is published. */
  #asked(): [subject: string, number: number][] {
    const asked: [string, number][] = [];
    for (const [subject, waiting] of this.#waiting) {
      const next = this.#next(waiting);
      if (next === undefined) {
        this.#waiting.delete(subject);
        continue;
      }
      asked.push([subject, this.#publish(next)]);
    }
    return asked;
  }

  #listens(subject: string): void {
    const waiting = this.#waiting.get(subject) ?? [];
    this.#waiting.delete(subject);
    for (const sent of waiting) {
      this.#waitingSize.take(sent.letter);
      this.#publish({ ...sent, since: null });
    }
  }

  /** The connection is there again: what was published before may be lost. */
  #again(): void {
    if (this.#isClosed) return;
    for (const waiting of this.#waiting.values()) for (const { letter } of waiting) this.#copy(letter);
    const inDoubt = [...this.#inDoubt];
    for (const [number, sent] of inDoubt) this.#settle(number, sent);
    for (const [, sent] of inDoubt) {
      this.#copy(sent.letter);
      this.#publish(sent);
    }
    this.#later();
  }
}

/** How much there is of letters. */
class Size {
  #tickets = 0;
  #bytes = 0;

  get isTooMuch(): boolean {
    return this.#tickets > MOST_TICKETS || this.#bytes > MOST_BYTES;
  }

  add({ tickets, text }: Letter): void {
    this.#tickets += tickets;
    this.#bytes += text.length;
  }

  take({ tickets, text }: Letter): void {
    this.#tickets -= tickets;
    this.#bytes -= text.length;
  }
}
