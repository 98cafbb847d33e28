// A count that was told to a server must not be forgotten: it closes the stream, or loses a stanza, over a lower one.
import { describe, expect, it } from 'vitest';
import { BrokerError, parse, type OpenStore, type SessionRecord } from 'xmpp-broker';
import type { Outbox } from '../../../src/broker/outbox.js';
import { Resumption } from '../../../src/broker/resumption.js';
import { Acknowledgements } from '../../../src/link/acknowledgements.js';
import type { Link } from '../../../src/link/link.js';
import { ManagedSession } from '../../../src/protocols/features/managed-session.js';
import { resuming } from '../../../src/protocols/features/stream-management.js';
import { Journal, type JournalOwner } from '../../../src/queue/journal.js';
import type { PendingRequests } from '../../../src/requests/pending-requests.js';
import { generator, type Random } from '../../support/random.js';

const SEQUENCES = Number(process.env.SEQUENCES ?? 100_000);

const QUESTION = parse("<r xmlns='urn:xmpp:sm:3'/>");
const AWAY = new BrokerError('QUEUE_STORE_FAILED', 'away', { layer: 'queue', retryable: true });
const LINK = { replay: () => undefined, takes: true } as unknown as Link;
const REMAINS = { inFlight: [], waiting: [], byUs: null, clean: false, error: null, good: true, doubted: false };

/** What the disk has, and a commit that is under way. */
class Disk {
  session: SessionRecord | null = null;
  #settle: ((error: BrokerError | null) => void) | null = null;
  #fresh: SessionRecord | null = null;

  open(): OpenStore {
    return {
      epoch: 1,
      held: [],
      session: this.session,
      commit: (changes) => {
        for (const change of changes) if (change.kind === 'session') this.#fresh = change.session;
        return new Promise((resolve, reject) => {
          this.#settle = (error) => {
            if (error === null) resolve();
            else reject(error);
          };
        });
      },
      close: () => Promise.resolve(),
    };
  }

  /** The commit counts, and is told or not. */
  write(isTold: boolean): void {
    if (this.#settle === null) return;
    this.session = this.#fresh;
    if (isTold) this.#end(null);
  }

  fail(): void {
    this.#end(AWAY);
  }

  forget(): void {
    this.#settle = null;
  }

  #end(error: BrokerError | null): void {
    const settle = this.#settle;
    this.#settle = null;
    settle?.(error);
  }
}

/** Processes one after the other with one session, and everything that the server is told. */
class Model {
  readonly problems: string[] = [];
  readonly #disk = new Disk();
  readonly #random: Random;
  #resumption!: Resumption;
  #journal!: Journal;
  #session: ManagedSession;
  #acks: Acknowledgements | null = null;
  #texts: (() => string)[] = [];
  #told = 0;

  constructor(random: Random) {
    this.#random = random;
    this.#begin();
    this.#session = new ManagedSession('a@b/c', { id: 's' });
    this.#link();
  }

  #begin(): void {
    const owner: JournalOwner = {
      takes: true,
      limits: { maxStanzas: 10_000, maxBytes: 1e9, maxAgeMs: Infinity },
      pass: () => undefined,
      session: () => this.#resumption.record,
      sessionStored: (record) => this.#resumption.stored(record),
      unfit: () => undefined,
      refused: () => undefined,
      buried: () => undefined,
      failing: () => undefined,
      working: () => undefined,
      fenced: () => undefined,
    };
    const journal = new Journal(owner);
    this.#journal = journal;
    const outbox = {
      takeBack: () => undefined,
      queue: { take: () => [] },
      suspects: { clear: () => undefined, suspect: () => undefined },
    } as unknown as Outbox;
    const requests = { failWhere: () => undefined, held: () => undefined } as unknown as PendingRequests;
    this.#resumption = new Resumption({ journal, outbox, requests });
    journal.open(this.#disk.open());
  }

  #link(): void {
    this.#texts = [];
    this.#resumption.linkReady(LINK, this.#session);
    this.#acks = new Acknowledgements(this.#session, null, {
      write: (text) => this.#texts.push(text),
      hold: () => undefined,
      asked: () => undefined,
      answered: () => undefined,
      acked: () => undefined,
      unanswered: () => undefined,
    });
  }

  /** The server hears a count. */
  #tell(count: number): void {
    this.#told = Math.max(this.#told, count);
    const stored = this.#disk.session?.handled ?? 0;
    if (count > stored) this.problems.push(`${String(count)} was told, and ${String(stored)} is stored`);
  }

  step(): void {
    switch (this.#random.below(10)) {
      case 0:
      case 1:
      case 2:
        if (this.#acks !== null) this.#session.onHandled();
        return;
      case 3:
      case 4:
        this.#acks?.receive(QUESTION);
        return;
      case 5:
        for (const text of this.#texts.splice(0)) this.#tell(Number(/h='(\d+)'/.exec(text())?.[1] ?? 0));
        return;
      case 6:
        this.#disk.write(true);
        return;
      case 7:
        if (this.#random.below(2) === 0) this.#disk.fail();
        else this.#journal.health(null);
        return;
      case 8:
        this.#lose();
        return;
      default:
        if (this.#random.below(3) === 0) this.#kill();
    }
  }

  #lose(): void {
    if (this.#acks === null) return;
    this.#acks.stop();
    this.#acks = null;
    const session = this.#session;
    this.#resumption.linkEnded({ ...REMAINS, session });
    void resuming(session).then((element) => {
      // Killed meanwhile.
      if (this.#session !== session || this.#acks !== null) return;
      this.#tell(Number(element?.getAttribute('h')));
      this.#link();
    });
  }

  #kill(): void {
    if (this.#random.below(2) === 0) this.#disk.write(false);
    this.#disk.forget();
    this.#journal.halt();
    this.#acks?.stop();
    this.#acks = null;
    this.#resumption.linkEnded({ ...REMAINS, session: null });
    this.#begin();
    const { session } = this.#disk;
    if (session === null) this.#session = new ManagedSession('a@b/c', { id: 's' });
    else {
      this.#resumption.restore(session, []);
      this.#session = this.#resumption.resumable ?? this.#session;
      if (session.handled < this.#told) {
        this.problems.push(`${String(this.#told)} was told, and ${String(session.handled)} is remembered`);
      }
      this.#tell(this.#session.tellable);
    }
    this.#link();
  }

  end(): void {
    this.#journal.halt();
    this.#resumption.halt(AWAY);
  }
}

describe('R-2: no count is told before it is stored', () => {
  it(`in ${String(SEQUENCES)} sequences of stanzas, questions, commits that fail, lost links and killed processes`, async () => {
    const turn = (): Promise<void> => Promise.resolve();
    for (let sequence = 1; sequence <= SEQUENCES; sequence += 1) {
      const random = generator(sequence);
      const model = new Model(random);
      for (let steps = 6 + random.below(14); steps > 0; steps -= 1) {
        model.step();
        await turn();
        if (random.below(2) === 0) await turn();
      }
      if (model.problems.length > 0) expect(model.problems, `seed ${String(sequence)}`).toEqual([]);
      model.end();
    }
  }, 120_000);
});
