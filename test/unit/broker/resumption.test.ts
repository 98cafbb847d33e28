import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { BrokerError, NS, parse, type SessionRecord } from 'xmpp-broker';
import type { Outbox } from '../../../src/broker/outbox.js';
import { Resumption } from '../../../src/broker/resumption.js';
import type { Link } from '../../../src/link/link.js';
import { ManagedSession } from '../../../src/protocols/features/managed-session.js';
import type { Journal } from '../../../src/queue/journal.js';
import { StoredRecord } from '../../../src/queue/stored-record.js';
import { Ticket } from '../../../src/queue/ticket.js';
import { PendingRequests } from '../../../src/requests/pending-requests.js';
import { Tally } from '../../../src/stats.js';

const LOST = { inFlight: [], waiting: [], byUs: null, clean: false, error: null, good: true, doubted: false };
const RECORD: SessionRecord = {
  ...{ id: 's', jid: 'a@b/c', max: null, location: null, sent: 2, acked: 0, handled: 0, at: 0 },
};

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A journal that stores when it is told to, and what was asked of it. */
class Memory {
  readonly handed: unknown[] = [];
  sessions = 0;
  readonly lane = { begin: () => undefined };
  #then: (() => void) | null = null;

  clear(): Ticket[] {
    return [];
  }
  session(): void {
    this.sessions += 1;
  }
  hand(record: StoredRecord, session: string, ordinal: number): void {
    this.handed.push([record.key, session, ordinal]);
  }
  behind(then: () => void): void {
    this.#then = then;
  }
  store(): void {
    this.#then?.();
  }
}

function between(journal: Memory | null = null) {
  const requests = new PendingRequests(10, 60_000, new Tally());
  const held: Ticket[] = [];
  const outbox = {
    takeBack: (uncertain: Ticket[], unsent: Ticket[]) => held.push(...uncertain, ...unsent),
    queue: { take: () => [] },
    suspects: { clear: () => undefined, suspect: () => undefined },
  } as unknown as Outbox;
  const resumption = new Resumption({ journal: journal as unknown as Journal | null, outbox, requests });
  const ask = (id: string) => {
    const xml = `<iq xmlns='jabber:client' type='get' id='${id}'/>`;
    const ticket = new Ticket(Number(id), xml, NS.CLIENT, 'iq');
    const settle = vi.fn<(outcome: unknown) => void>();
    requests.add(parse(xml), ticket, { event: null, timeoutMs: undefined, settle });
    return { ticket, settle };
  };
  return { resumption, requests, held, ask };
}

function link(takes = true) {
  const replayed: Ticket[][] = [];
  return { replayed, link: { takes, replay: (tickets: Ticket[]) => replayed.push(tickets) } as unknown as Link };
}

describe('requests on a link that is lost', () => {
  it('fail when no session may go on, as far as they were written', () => {
    const { resumption, ask } = between();
    const [written, acked, waiting] = [ask('1'), ask('2'), ask('3')];
    written.ticket.markSent();
    acked.ticket.markAcked();
    resumption.linkEnded({ ...LOST, session: null });
    expect(written.settle).not.toHaveBeenCalled();
    resumption.afterLinkEnded();
    const failure = (sent: string) => [expect.objectContaining({ code: 'RTS_DISCONNECTED', sent }) as Error];
    expect(written.settle.mock.calls.map(([outcome]) => outcome)).toEqual(failure('maybe'));
    expect(acked.settle.mock.calls.map(([outcome]) => outcome)).toEqual(failure('acked'));
    expect(waiting.settle).not.toHaveBeenCalled();
  });

  it('wait as long as their session may go on, and no longer', () => {
    const { resumption, ask } = between();
    const { ticket, settle } = ask('1');
    const session = new ManagedSession('a@b/c', { id: 's', max: 10 });
    session.onSent(ticket);
    ticket.markSent();
    resumption.linkEnded({ ...LOST, session });
    resumption.afterLinkEnded();
    vi.advanceTimersByTime(9_999);
    expect([resumption.resumable, settle.mock.calls]).toEqual([session, []]);
    vi.advanceTimersByTime(1);
    expect(resumption.resumable).toBeNull();
    expect(settle).toHaveBeenCalledOnce();
  });
});

describe('a shutdown without a link', () => {
  function kept(journal: Memory | null) {
    const all = between(journal);
    const session = new ManagedSession('a@b/c', { id: 's' });
    const asked = all.ask('1');
    const told = new Ticket(2, '<message/>', NS.CLIENT, 'message');
    for (const ticket of [asked.ticket, told]) {
      session.onSent(ticket);
      ticket.markSent();
    }
    all.resumption.linkEnded({ ...LOST, session });
    all.resumption.afterLinkEnded();
    all.resumption.shutDown();
    return { ...all, session, asked, told };
  }

  it('gives the session up, and holds what was not acknowledged', () => {
    const { resumption, held, asked, told } = kept(null);
    expect(resumption.resumable).toBeNull();
    expect(held).toEqual([told]);
    expect(asked.settle).toHaveBeenCalledOnce();
  });

  it('keeps it where a store does, for whoever goes on; nobody waits for its answers', () => {
    const { resumption, held, session, asked } = kept(new Memory());
    expect(resumption.resumable).toBe(session);
    expect(held).toEqual([]);
    expect(asked.settle).toHaveBeenCalledOnce();
    resumption.halt(new BrokerError('BROKER_HALTED', 'halted', { layer: 'usage' }));
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('what an earlier process left, in other places now', () => {
  function restored(record: SessionRecord = RECORD) {
    const memory = new Memory();
    const all = between(memory);
    const [first, second, foreign] = [1, 2, 3].map((id) => new Ticket(id, '<message/>', NS.CLIENT, 'message'));
    if (first === undefined || second === undefined || foreign === undefined) throw new Error('there are three');
    const owner = { handedOver: () => undefined, ended: () => undefined };
    for (const ticket of [first, second])
      ticket.record = new StoredRecord(ticket, `key-${String(ticket.id)}`, true, owner);
    // The place in front of them, and one between them, are empty.
    const placed = [
      { ticket: first, ordinal: 2 },
      { ticket: second, ordinal: 4 },
      { ticket: foreign, ordinal: 5 },
    ];
    all.resumption.restore(record, placed);
    const session = all.resumption.resumable;
    if (session === null) throw new Error('nothing is kept');
    session.onAck('1');
    return { ...all, memory, session, tickets: [first, second, foreign] };
  }

  it('is stored before it is sent again, as far as a store has it', () => {
    const { resumption, memory, session, tickets } = restored();
    const next = link();
    resumption.linkReady(next.link, session);
    expect(memory.handed).toEqual([
      ['key-1', 's', 2],
      ['key-2', 's', 3],
    ]);
    expect(next.replayed).toEqual([]);
    for (const ticket of tickets.slice(1)) ticket.inSession = true;
    if (tickets[0] !== undefined) tickets[0].inSession = false;
    memory.store();
    expect(next.replayed).toEqual([tickets.slice(1)]);
  });

  it.each(['is gone', 'takes nothing any more'])('is not sent on a link that %s', (how) => {
    const { resumption, memory, session } = restored();
    const next = link(how === 'is gone');
    resumption.linkReady(next.link, session);
    if (how === 'is gone') resumption.linkEnded({ ...LOST, session });
    memory.store();
    expect(next.replayed).toEqual([]);
  });
});

it('a count is kept at once where nobody will go on with it', () => {
  const { resumption } = between();
  const session = new ManagedSession('a@b/c', { id: 's' });
  session.onHandled(3);
  session.keeper = resumption;
  const then = vi.fn();
  resumption.keep(session, then);
  expect(then).toHaveBeenCalledOnce();
  expect(session.tellable).toBe(3);
});
