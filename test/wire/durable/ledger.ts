import { Broker, BrokerError, xml, type BrokerOptions, type Change, type Element, type Ticket } from 'xmpp-broker';
import { MemoryStore, type LoopbackServer } from 'xmpp-broker/testing';
import type { Random } from '../../support/random.js';

/** Where a process is killed. */
export const PLACES = ['before a commit', 'behind a commit', 'any time'] as const;

/** Who is tried. */
export interface Sender {
  readonly options: Partial<BrokerOptions> & Pick<BrokerOptions, 'connectionType' | 'domain' | 'port'>;
  readonly queue: string;
  readonly from: string;
  /** Cuts its connection. */
  readonly cut: () => void;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const AWAY = new BrokerError('QUEUE_STORE_FAILED', 'away', { layer: 'queue', retryable: true });

/**
 * Processes that output the same row of messages, one after the other: each is killed at some place, and the next goes on.
 * The other side keeps the ledger.
 */
export class Lives {
  readonly store = new MemoryStore();
  /** What arrived, in order. */
  readonly ledger: string[] = [];
  /** Stored, and not dropped by the program. */
  readonly promised = new Set<string>();
  /** Ids that were flagged before they were sent again. */
  readonly flagged = new Set<string>();
  /** What was written where nothing acknowledges: whether it arrived, cannot be known. */
  readonly written = new Set<string>();
  readonly problems: string[] = [];
  /** How often a session was resumed. */
  resumed = 0;
  readonly #tickets = new Map<string, Ticket>();
  #next = 0;
  #broker: Broker | null = null;
  #commits = 0;
  #killAt = Number.POSITIVE_INFINITY;
  #place: (typeof PLACES)[number] = 'any time';

  constructor(
    server: LoopbackServer,
    readonly sender: Sender,
    readonly random: Random,
  ) {
    server.subscribe('received', ({ element }) => {
      const id = element.getAttribute('id') ?? '';
      if (element.localName === 'message' && id.startsWith('m')) this.ledger.push(id);
    });
    this.store.hooks = {
      before: (changes) => {
        this.#note(changes);
        this.#commits += 1;
        if (this.#place === 'before a commit' && this.#commits >= this.#killAt) this.kill();
      },
      after: () => {
        if (this.#place === 'behind a commit' && this.#commits >= this.#killAt) this.kill();
      },
    };
  }

  /** What the death of a process does to everything but the kernel. */
  kill(): void {
    this.store.kill();
    this.#broker?.halt();
    this.#broker = null;
  }

  /** One process, until it is killed. */
  async live(): Promise<void> {
    const { random } = this;
    this.#place = PLACES[random.below(PLACES.length)] ?? 'any time';
    this.#commits = 0;
    this.#killAt = 1 + random.below(12);
    const broker = this.#process();
    if (random.below(3) === 0) this.#output(broker);
    const connected = broker.connect().catch(() => undefined);
    if (random.below(3) > 0) await connected;
    for (let step = random.below(12); step >= 0 && this.#broker === broker; step -= 1) {
      await this.#step(broker);
    }
    if (this.#broker === broker) this.kill();
    this.store.fail(null);
  }

  /** A last process, which is left alone until everything is through. */
  async rest(): Promise<void> {
    this.#killAt = Number.POSITIVE_INFINITY;
    this.#place = 'any time';
    const broker = this.#process();
    await broker.connect();
    const [last = ''] = this.#output(broker, 1);
    const isThrough = (): boolean => this.ledger.includes(last) && this.store.held(this.sender.queue).length === 0;
    for (const end = performance.now() + 10_000; !isThrough() && performance.now() < end;) await turn();
    if (!this.ledger.includes(last)) this.problems.push('the last message did not arrive');
    await broker.shutdown();
    this.#broker = null;
    this.#judge();
  }

  #process(): Broker {
    const broker = new Broker({
      host: '127.0.0.1',
      logger: false,
      reconnect: { firstDelayMs: 1, maxDelayMs: 1, resumeDelayMs: 1 },
      ...this.sender.options,
      queue: {
        store: this.store,
        onReady: (ticket) => {
          if (ticket.possibleDuplicate) this.flagged.add(idOf(ticket));
          return 'send';
        },
      },
    });
    broker.subscribe('PCJ_SM_RESUMED', () => void (this.resumed += 1));
    this.#broker = broker;
    return broker;
  }

  async #step(broker: Broker): Promise<void> {
    const { random } = this;
    switch (random.below(9)) {
      case 0:
        this.sender.cut();
        return;
      case 1:
        this.store.fail(AWAY);
        await turn();
        this.store.fail(null);
        return;
      case 2:
        void broker.request(this.#question()).catch(() => undefined);
        return;
      case 3:
        for (let turns = random.below(30); turns >= 0; turns -= 1) await turn();
        return;
      case 4: {
        const [id] = this.#output(broker, 1);
        // Nobody hears of what a killed process does.
        const stored = this.#tickets.get(id ?? '')?.stored.catch(() => undefined);
        for (let turns = 20; turns > 0 && this.#broker === broker; turns -= 1) await Promise.race([stored, turn()]);
        return;
      }
      default:
        this.#output(broker);
        await turn();
    }
  }

  #question(): Element {
    return xml('iq', { type: 'get', to: 'localhost', from: this.sender.from }, xml('query', { xmlns: 'urn:x' }));
  }

  #output(broker: Broker, count = 1 + this.random.below(20)): string[] {
    return Array.from({ length: count }, () => {
      const id = `m${String((this.#next += 1))}`;
      const ticket = broker.output(xml('message', { to: 'nobody@localhost', from: this.sender.from, id }));
      ticket.stored.then(
        () => this.promised.add(id),
        () => undefined,
      );
      this.#tickets.set(id, ticket);
      return id;
    });
  }

  #note(changes: readonly Change[]): void {
    for (const change of changes) {
      if (change.kind !== 'end' || change.outcome !== 'sent') continue;
      const held = this.store.held(this.sender.queue).find(({ key }) => key === change.key);
      if (held !== undefined) this.written.add(/ id=.(m\d+)/.exec(held.xml)?.[1] ?? '');
    }
  }

  #judge(): void {
    const { ledger, problems, promised, flagged, written } = this;
    const seen = new Map<string, number>();
    for (const id of ledger) seen.set(id, (seen.get(id) ?? 0) + 1);
    for (const id of promised) if (!seen.has(id) && !written.has(id)) problems.push(`${id} is lost`);
    for (const [id, times] of seen)
      if (times > 1 && !flagged.has(id)) problems.push(`${id} arrived ${String(times)} times, and has no flag`);
    const first = [...seen.keys()].map((id) => Number(id.slice(1)));
    for (const [index, number] of first.entries()) {
      const before = first[index - 1];
      if (before !== undefined && before > number) problems.push(`m${String(number)} came behind m${String(before)}`);
    }
    const left = this.store.held(this.sender.queue).length;
    if (left > 0) problems.push(`${String(left)} are still in the store`);
  }
}

function idOf({ node }: Ticket): string {
  return node.getAttribute('id') ?? '';
}
