// What the holder of a queue writes into streams: stanzas that are put, and those that are given up.
import { randomKey } from '../queue/ticket.js';
import type { Change, StoreOwner } from '../queue/store.js';
import { ANSWER_MS, type NatsBase } from './base.js';
import { buryOutput } from './dead-letters.js';
import { tooBig } from './errors.js';
import type { KnownStanzas } from './known-stanzas.js';
import { FRESH } from './marks.js';
import { headerRoom, headersOf } from './message.js';
import type { Staged, StagedEntry as Entry } from './staged.js';
import { HEADER_ROOM } from './streams.js';

/** Most stanzas that are being published at once. */
const WINDOW = 256;

/** What it works with. */
export interface QueueWriterParts extends Pick<NatsBase, 'link' | 'js' | 'manager' | 'subjects'> {
  readonly owner: StoreOwner;
  /** Where stanzas are published. */
  readonly subject: string;
}

export class QueueWriter {
  readonly #parts: QueueWriterParts;
  readonly #known: KnownStanzas;
  /** Keys that are being published. */
  readonly #putting = new Set<string>();

  constructor(parts: QueueWriterParts, known: KnownStanzas) {
    this.#parts = parts;
    this.#known = known;
  }

  /** Most bytes of a stanza. */
  get maxBytes(): number {
    return this.#parts.link.maxPayload - HEADER_ROOM;
  }

  isPutting(key: string): boolean {
    return this.#putting.has(key);
  }

  /** @throws BrokerError `NATS_TOO_BIG` */
  checkSizes(all: readonly Staged[]): void {
    const { maxPayload } = this.#parts.link;
    for (const { put, key } of all) {
      const most = maxPayload - headerRoom(key);
      if (put === null || put.xml.length * 3 <= most) continue;
      const bytes = Buffer.byteLength(put.xml);
      if (bytes > most) throw tooBig(bytes, most);
    }
  }

  /** Puts stanzas into the stream, in order, and notes in them where they are. @throws what the client says */
  async publish(puts: readonly Staged[], all: readonly Staged[]): Promise<void> {
    const ended = new Set(all.filter(({ outcome }) => outcome !== null).map(({ entry }) => entry));
    for (let first = 0; first < puts.length; first += WINDOW) {
      const some = puts.slice(first, first + WINDOW);
      const results = await Promise.allSettled(some.map((staged) => this.#put(staged, ended)));
      const refused = results.find((result) => result.status === 'rejected');
      if (refused !== undefined) throw refused.reason;
    }
  }

  /** Stanzas that are given up go to the dead letters first. @throws what the client says */
  async bury(all: readonly Staged[]): Promise<void> {
    const { owner } = this.#parts;
    for (const { outcome, code, entry, put, key, text } of all) {
      if (outcome !== 'failed' || (entry === null && put === null)) continue;
      const xml = text ?? put?.xml ?? '';
      await buryOutput(this.#parts, owner.queue, { key, at: put?.at ?? Date.now(), xmlns: owner.xmlns, xml, code });
    }
  }

  async #put(staged: Staged, ended: ReadonlySet<Entry | null>): Promise<void> {
    const { put, key } = staged;
    if (put === null) return;
    this.#putting.add(key);
    try {
      let { seq, duplicate } = await this.#send(put, undefined);
      if (duplicate) {
        const known = this.#known.at(seq);
        const isOver = known === undefined ? !(await this.#isThere(seq)) : ended.has(known);
        // Of a stanza with that key that is done with.
        if (isOver) ({ seq, duplicate } = await this.#send(put, randomKey()));
      }
      const there = this.#known.at(seq);
      if (there !== undefined && there.key !== key) this.#known.lose(seq);
      // JetStream may have brought it already.
      const entry = this.#known.at(seq) ?? { key, sequence: seq, at: null, ticket: null, mark: FRESH, reply: null };
      this.#known.add(entry);
      staged.entry = entry;
    } finally {
      this.#putting.delete(key);
    }
  }

  async #send(
    { key, xml, at }: Extract<Change, { kind: 'put' }>,
    id: string | undefined,
  ): Promise<{ seq: number; duplicate: boolean }> {
    const { js, subject, owner, link } = this.#parts;
    const headers = headersOf(link.client, { key, queue: owner.queue, id, at, xmlns: owner.xmlns });
    return await js.publish(subject, xml, { headers, timeout: ANSWER_MS });
  }

  async #isThere(sequence: number): Promise<boolean> {
    if (this.#known.endedEarly.has(sequence)) return false;
    const { manager, subjects } = this.#parts;
    return (await manager.streams.getMessage(subjects.outStream, { seq: sequence })) !== null;
  }
}
