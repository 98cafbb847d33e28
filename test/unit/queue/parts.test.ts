// The parts of a queue that is stored, each where nothing else would tell that it is right.
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { BrokerError } from '../../../src/errors.js';
import { compacted, isForLink, recordOf, type JournalStep } from '../../../src/queue/journal-step.js';
import { Lane } from '../../../src/queue/lane.js';
import { readBack } from '../../../src/queue/read-back.js';
import { Share } from '../../../src/queue/share.js';
import type { Change } from '../../../src/queue/store.js';
import { StoredRecord } from '../../../src/queue/stored-record.js';
import { Suspects } from '../../../src/queue/suspects.js';
import { OutboundQueue } from '../../../src/queue/outbound-queue.js';
import { Ticket } from '../../../src/queue/ticket.js';
import { NS } from '../../../src/xml/namespaces.js';

const OWNER = { handedOver: () => undefined, ended: () => undefined };

const ticket = (id: number, kind: Ticket['kind'] = 'message', text = '<message/>'): Ticket =>
  new Ticket(id, text, NS.CLIENT, kind);

function stored(
  id: number,
  kind: Ticket['kind'] = 'message',
  isStored = true,
): { ticket: Ticket; record: StoredRecord } {
  const made = ticket(id, kind);
  const record = new StoredRecord(made, `key-${String(id)}`, isStored, OWNER);
  made.record = record;
  return { ticket: made, record };
}

describe('steps of a journal', () => {
  const { record } = stored(1);
  const hold: Change = { kind: 'hold', key: 'key-1', possibleDuplicate: false, faults: 0 };
  const change: JournalStep = { kind: 'change', record, change: hold };
  const buried: JournalStep = { kind: 'change', record: null, change: { kind: 'end', key: 'x', outcome: 'failed' } };
  const session: JournalStep = { kind: 'session', session: null };
  const then: JournalStep = { kind: 'then', then: () => undefined };

  it('are about a stanza, or about none', () => {
    expect([record, change, buried, session, then].map((step) => recordOf(step))).toEqual([
      record,
      record,
      null,
      null,
      null,
    ]);
    expect([record, change, session, then].map((step) => isForLink(step))).toEqual([false, false, false, true]);
  });

  it('are left out where the stanza is over and the store never had it', () => {
    const [over, maybe] = [stored(2, 'message', false).record, stored(3, 'message', false).record];
    over.isOver = maybe.isOver = true;
    maybe.mayBeStored = true;
    expect(compacted([over, maybe, record])).toEqual([maybe, record]);
  });
});

describe('a lane', () => {
  it('counts as the session of the link does, and not what it does not count', () => {
    const lane = new Lane();
    lane.begin({ id: 's', sent: 2 ** 32 - 2 });
    const all = [stored(1), stored(2, 'other'), stored(3), stored(4)];
    for (const one of all) lane.add(one.ticket, undefined, false);
    const changes: Change[] = [];
    lane.mark(changes);
    const handed = (ordinal: number | null) => ({ session: 's', ordinal });
    expect(changes).toEqual([
      { kind: 'hand', key: 'key-1', handed: handed(2 ** 32 - 1) },
      { kind: 'hand', key: 'key-2', handed: handed(null) },
      { kind: 'hand', key: 'key-3', handed: handed(0) },
      { kind: 'hand', key: 'key-4', handed: handed(1) },
    ]);
    // Nothing is marked anew before all of it went on.
    lane.mark(changes);
    expect(changes).toHaveLength(4);
  });

  it('what did not get there leaves its place to the next, which is marked again', () => {
    const lane = new Lane();
    lane.begin({ id: 's', sent: 0 });
    const all = [stored(1), stored(2, 'other'), stored(3)];
    for (const one of all) lane.add(one.ticket, undefined, false);
    lane.mark([]);
    for (let turn = 0; turn < 2; turn += 1) {
      const next = lane.next;
      if (next === undefined) throw new Error('something is marked');
      lane.passed(next);
      lane.failed(next);
      lane.mark([]);
    }
    const changes: Change[] = [];
    lane.unmark();
    lane.mark(changes);
    expect(changes).toEqual([{ kind: 'hand', key: 'key-3', handed: { session: 's', ordinal: 1 } }]);
    expect(lane.size).toBe(1);
    expect(lane.clear()).toEqual([all[2]?.ticket]);
    expect([lane.size, lane.cost]).toEqual([0, 0]);
  });
});

describe('a stanza that a program gave is read back', () => {
  it('also where it is larger than what is taken from a peer', () => {
    const large = `<message xmlns='jabber:client'><body>${'x'.repeat(2_000_000)}</body></message>`;
    expect(readBack(large, NS.CLIENT).getChildText('body')).toHaveLength(2_000_000);
  });

  it('and refused where it is none', () => {
    expect(() => readBack('<message', NS.CLIENT)).toThrow(expect.objectContaining({ layer: 'xml' }) as Error);
  });
});

describe('a record', () => {
  const failure = new BrokerError('QUEUE_POISON', 'no', { layer: 'queue' });

  it.each([
    ['with what ended it', failure, 'QUEUE_POISON'],
    ['or that it was done with before', null, 'QUEUE_NOT_STORED'],
  ])('of a stanza that the store never had says so: %s', async (_, error, code) => {
    const { record } = stored(1, 'message', false);
    record.ended(error === null ? 'dropped' : 'failed', error);
    record.ended('failed', failure);
    await expect(record.stored).rejects.toMatchObject({ code });
  });

  it('of one that the store may have leaves that open', async () => {
    const { record } = stored(1, 'message', false);
    record.mayBeStored = true;
    record.ended('acked', null);
    record.wasStored();
    await record.stored;
  });
});

describe('suspects', () => {
  const limits = { maxStanzas: 10, maxBytes: 1e6, maxAgeMs: Infinity };
  const held = (...tickets: Ticket[]): OutboundQueue => {
    const queue = new OutboundQueue(limits, { send: vi.fn(), holds: vi.fn(), dropped: vi.fn(), expired: vi.fn() });
    for (const one of tickets) queue.push(one, 0);
    return queue;
  };

  it('an end that has nothing to do with them changes nothing', () => {
    const suspects = new Suspects(3, { next: vi.fn() });
    const one = ticket(1);
    suspects.suspect([one], 'none');
    expect([one.trouble, one.isSuspect, one.faults]).toEqual([null, false, 0]);
    expect(suspects.mayGoByItself(one)).toBe(true);
  });

  it('go one behind the other, the least suspect first, and what is none in front of them', () => {
    const suspects = new Suspects(5, { next: vi.fn() });
    const [none, once, twice] = [ticket(1), ticket(2), ticket(3)];
    suspects.suspect([once, twice], 'blamed');
    suspects.suspect([twice], 'blamed');
    const queue = held(twice, once, none);
    // One that was on its way before its trouble was known.
    suspects.release([none]);
    expect(suspects.take(queue, (one) => one !== none)).toEqual([none]);
    expect([...queue]).toEqual([twice, once]);
  });
});

it('what asks when a stanza was sent hears of it, whenever it asks', async () => {
  const [before, behind, failed] = [ticket(1), ticket(2), ticket(3)];
  const early = before.sent;
  expect(before.sent).toBe(early);
  before.markSent();
  behind.markSent();
  failed.markFailed(new BrokerError('BROKER_HALTED', 'halted', { layer: 'usage' }));
  await Promise.all([early, behind.sent]);
  await expect(failed.sent).rejects.toMatchObject({ code: 'BROKER_HALTED' });
});

describe('a share', () => {
  it('is full until what it counts is gone, in order', () => {
    const [one, other, session] = [ticket(1), ticket(2), ticket(3)];
    const share = new Share(one.cost + 1);
    share.add(one);
    expect(share.isFull).toBe(false);
    share.add(other);
    expect(share.isFull).toBe(true);
    one.markSent();
    expect(share.isFull).toBe(false);
    session.inSession = true;
    session.markSent();
    share.add(session);
    session.markAcked();
    other.markSent();
    expect(share.isFull).toBe(false);
  });

  it('finds what is gone behind one that stays: when there are many, and now and then while it is full', () => {
    let now = 0;
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now);
    onTestFinished(() => {
      clock.mockRestore();
    });
    const [held, other, last] = [ticket(1), ticket(2), ticket(3)];
    const full = new Share(2 * held.cost);
    full.add(held);
    full.add(other);
    expect(full.isFull).toBe(true);
    other.markSent();
    // While it is full, all of them are looked at once a second: a peer may ask without end.
    now = 999;
    expect(full.isFull).toBe(true);
    now = 1_000;
    expect(full.isFull).toBe(false);
    full.add(last);
    expect(full.isFull).toBe(true);

    const large = new Share(5_000 * held.cost);
    large.add(held);
    let refused = 0;
    for (let id = 4; id < 10_000; id += 1) {
      const one = ticket(id);
      large.add(one);
      one.markSent();
      if (large.isFull) refused += 1;
    }
    expect(refused).toBe(0);
  });

  it('does not count what is gone already, and keeps no places of what is', () => {
    const share = new Share(1);
    const gone = ticket(1);
    gone.markSent();
    share.add(gone);
    expect(share.isFull).toBe(false);
    const many = Array.from({ length: 2_000 }, (_, id) => ticket(id));
    const large = new Share(1e9);
    for (const one of many) large.add(one);
    for (const one of many.slice(0, 1_500)) one.markSent();
    const last = ticket(2_001);
    large.add(last);
    for (const one of many) one.markSent();
    last.markSent();
    const none = new Share(0);
    expect(none.isFull).toBe(true);
    expect(large.isFull).toBe(false);
  });
});
