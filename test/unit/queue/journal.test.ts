import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { Journal, type JournalOwner } from '../../../src/queue/journal.js';
import { compacted, type JournalStep } from '../../../src/queue/journal-step.js';
import type { Change, OpenStore } from '../../../src/queue/store.js';
import { StoredRecord } from '../../../src/queue/stored-record.js';
import { Ticket } from '../../../src/queue/ticket.js';
import { BrokerError } from '../../../src/errors.js';

const store: OpenStore = {
  epoch: 1,
  held: [],
  session: null,
  commit: () => Promise.resolve(),
  close: () => Promise.resolve(),
};

const nothing = (): void => undefined;

const OWNER: JournalOwner = {
  takes: true,
  limits: { maxStanzas: 10_000, maxBytes: 1e9, maxAgeMs: Infinity },
  pass: nothing,
  session: () => null,
  sessionStored: nothing,
  unfit: nothing,
  refused: nothing,
  buried: nothing,
  failing: nothing,
  working: nothing,
  fenced: nothing,
};

describe('what is held does not wait for what never gets to the socket', () => {
  it.each([
    ['one that is large', 1, 100_000],
    ['many', 300, 1],
  ])('%s', async (_, count, size) => {
    const written: number[] = [];
    const unfit = new BrokerError('PEER_LIMIT', 'too large', { layer: 'stanza' });
    const owner: JournalOwner = {
      ...OWNER,
      pass: ({ ticket }) => {
        if (ticket.id < count) throw unfit;
        written.push(ticket.id);
        ticket.record?.handedOver();
        ticket.markSent();
      },
      unfit: (ticket) => ticket.markFailed(unfit),
    };
    const journal = new Journal(owner);
    journal.lane.begin(null);
    journal.open(store);
    const last = 2 * count;
    for (let id = 0; id < last; id += 1) {
      const ticket = new Ticket(id, 'x'.repeat(size), '');
      journal.put(ticket, String(id));
      journal.pass(ticket, undefined, true);
    }
    await journal.settled();
    expect(written).toEqual(Array.from({ length: count }, (__, index) => count + index));
  });
});

describe('a store that does not answer for long', () => {
  const away = new BrokerError('QUEUE_STORE_FAILED', 'away', { layer: 'queue', retryable: true });

  /** A store that fails until the test wants it to work, and what it is given then. */
  function flaky() {
    const commits: (readonly Change[])[] = [];
    const state = { fails: false, hangs: false };
    let answer = nothing;
    const commit = (changes: readonly Change[]): Promise<void> => {
      if (state.hangs) return new Promise((resolve) => (answer = resolve));
      if (state.fails) return Promise.reject(away);
      commits.push(changes);
      return Promise.resolve();
    };
    return { state, commits, open: { ...store, commit }, answer: () => answer() };
  }

  /** Fifty stanzas in a session whose link is lost and comes back, thousands of times. */
  function flap(journal: Journal, tickets: readonly Ticket[]): number {
    let steps = 0;
    for (let link = 0; link < 2_000; link += 1) {
      for (const { record } of tickets) {
        if (record instanceof StoredRecord) journal.hand(record, 's', link);
        steps += 1;
      }
      journal.behind(nothing);
      journal.session();
      journal.clear();
      for (const ticket of tickets) journal.hold(ticket);
    }
    return steps;
  }

  it.each(['fails', 'hangs'] as const)(
    'that %s is told of the last of what a link that comes and goes repeats',
    async (how) => {
      const { state, commits, open, answer } = flaky();
      const journal = new Journal(OWNER);
      journal.open(open);
      const tickets = Array.from({ length: 50 }, (_, id) => new Ticket(id, '<message/>', ''));
      for (const ticket of tickets) journal.put(ticket, String(ticket.id));
      await journal.settled();
      state[how] = true;
      journal.session();
      await Promise.resolve();
      expect(flap(journal, tickets)).toBe(100_000);
      state[how] = false;
      answer();
      journal.health(null);
      await journal.settled();
      // The first has the puts.
      const [, ...later] = commits;
      expect(later.flat().length).toBeLessThan(10_000);
      expect(new Set(later.flat().map((change) => ('key' in change ? change.key : null))).size).toBe(51);
    },
  );

  it.each(['fails', 'hangs'] as const)(
    'that %s: no more is taken when it would have to be told of too much',
    async (how) => {
      const { state, open } = flaky();
      const journal = new Journal(OWNER);
      journal.open(open);
      state[how] = true;
      let taken = 0;
      const put = (): void => {
        const ticket = new Ticket(taken, '<message/>', '');
        journal.checkWorks(ticket);
        journal.put(ticket, String(taken));
        taken += 1;
      };
      put();
      await setImmediate();
      expect(() => {
        while (taken < 1_000_000) put();
      }).toThrow(expect.objectContaining({ code: 'QUEUE_FULL' }));
      expect(taken).toBeLessThan(50_000);
    },
  );

  const owner = { handedOver: nothing, ended: nothing };

  it('has the same in the end when what is needless is left out', () => {
    const kind = fc.constantFrom('hold', 'flagged', 'hand', 'end', 'session', 'then');
    const deeds = fc.array(fc.record({ key: fc.constantFrom('a', 'b', 'c'), kind }), { maxLength: 40 });
    fc.assert(
      fc.property(deeds, (list) => {
        const records = new Map(
          ['a', 'b', 'c'].map((key, id) => [key, new StoredRecord(new Ticket(id, '', ''), key, id > 0, owner)]),
        );
        const steps: JournalStep[] = [...records.values()].filter(({ isStored }) => !isStored);
        const flagged = new Set<string>();
        for (const { key, kind: what } of list) {
          const record = records.get(key);
          if (record === undefined || record.isOver) continue;
          record.mayBeStored = true;
          if (what === 'session') steps.push({ kind: 'session', session: null });
          else if (what === 'then') steps.push({ kind: 'then', then: nothing });
          else {
            if (what === 'flagged') flagged.add(key);
            if (what === 'end') record.isOver = true;
            steps.push({ kind: 'change', record, change: changeOf(what, key, flagged.has(key), steps.length) });
          }
        }
        expect(outcomeOf(compacted(steps))).toEqual(outcomeOf(steps));
        expect(compacted(compacted(steps))).toEqual(compacted(steps));
        // A put, two changes for each, one session; what calls back is as often there as it was.
        expect(compacted(steps).filter((step) => !('then' in step)).length).toBeLessThanOrEqual(1 + 2 * 3 + 1);
      }),
    );
  });
});

function changeOf(kind: 'hold' | 'flagged' | 'hand' | 'end', key: string, isFlagged: boolean, nth: number): Change {
  if (kind === 'end') return { kind, key, outcome: 'acked' };
  if (kind === 'hand') return { kind, key, handed: { session: 's', ordinal: nth } };
  return { kind: 'hold', key, possibleDuplicate: isFlagged, faults: nth };
}

/** What a store has when it was told of these, and what was called back behind what. */
function outcomeOf(steps: readonly JournalStep[]): object {
  const rows = new Map<string, object>();
  let sessions = 0;
  let thens = 0;
  for (const step of steps) {
    if (step instanceof StoredRecord) rows.set(step.key, {});
    else if (step.kind === 'session') sessions = 1;
    else if (step.kind === 'then') thens += 1;
    else if (step.change.kind === 'end') rows.set(step.change.key, { isOver: true });
    else if (step.change.kind === 'hand') {
      rows.set(step.change.key, { ...rows.get(step.change.key), handed: step.change.handed });
    } else if (step.change.kind === 'hold') {
      const { key, possibleDuplicate, faults } = step.change;
      rows.set(key, { ...rows.get(key), handed: null, possibleDuplicate, faults });
    }
  }
  return { rows: [...rows].sort(([a], [b]) => a.localeCompare(b)), sessions, thens };
}

describe('somebody else takes the queue while stanzas are being stored', () => {
  const fenced = (sent: 'no' | 'maybe'): BrokerError =>
    new BrokerError('QUEUE_FENCED', 'overtaken', { layer: 'queue', retryable: true, sent });

  function fencedIn(commit: OpenStore['commit']): { ticket: Ticket; journal: Journal } {
    const journal: Journal = new Journal({ ...OWNER, fenced: () => journal.disown() });
    journal.open({ ...store, commit });
    const ticket = new Ticket(1, '<message/>', '');
    journal.put(ticket, 'a');
    return { ticket, journal };
  }

  it('a store that may have them: their tickets say so, and nobody waits for ever', async () => {
    const { ticket, journal } = fencedIn(() => Promise.reject(fenced('maybe')));
    await expect(ticket.stored).rejects.toMatchObject({ code: 'QUEUE_KEPT' });
    await expect(ticket.sent).rejects.toMatchObject({ code: 'QUEUE_KEPT' });
    expect(journal.find('a')).toBeUndefined();
  });

  it('a store that has none of them: they wait for the next time', async () => {
    const { ticket, journal } = fencedIn(() => Promise.reject(fenced('no')));
    await setImmediate();
    expect(journal.find('a')).toBe(ticket);
    journal.open(store);
    await ticket.stored;
  });

  it('it is heard while the commit is under way', async () => {
    const { ticket, journal } = fencedIn(() => new Promise(nothing));
    await setImmediate();
    journal.disown();
    await expect(ticket.stored).rejects.toMatchObject({ code: 'QUEUE_KEPT' });
  });
});

describe('a journal', () => {
  const away = new BrokerError('QUEUE_STORE_FAILED', 'away', { layer: 'queue', retryable: true });
  const broken = new BrokerError('QUEUE_STORE_FAILED', 'broken', { layer: 'queue' });

  /** A store whose commits the test settles. */
  function slow() {
    const waiting: { changes: readonly Change[]; settle: (error?: BrokerError) => void }[] = [];
    const commit = (changes: readonly Change[]): Promise<void> =>
      new Promise((resolve, reject) => {
        waiting.push({
          changes,
          settle: (error) => {
            if (error === undefined) resolve();
            else reject(error);
          },
        });
      });
    return { waiting, open: { ...store, commit } };
  }

  it('waits for nothing while there is no store, or nothing to be stored', async () => {
    const journal = new Journal(OWNER);
    journal.put(new Ticket(1, '<message/>', ''), '1');
    expect(journal.settled()).toBeNull();
    journal.health(away);
    journal.open(store);
    await journal.settled();
    expect(journal.settled()).toBeNull();
  });

  it('hears from its store that it is away, and that it is back', async () => {
    const failing = vi.fn();
    const working = vi.fn();
    const { waiting, open } = slow();
    const journal = new Journal({ ...OWNER, failing, working });
    journal.open(open);
    journal.health(null);
    journal.health(away);
    expect(failing).toHaveBeenCalledExactlyOnceWith(away);
    journal.put(new Ticket(1, '<message/>', ''), '1');
    await setImmediate();
    expect(waiting).toEqual([]);
    journal.health(null);
    waiting[0]?.settle();
    await setImmediate();
    expect(waiting[0]?.changes.map(({ kind }) => kind)).toEqual(['put']);
    expect(working).toHaveBeenCalledOnce();
    journal.close();
  });

  it('goes on with what waits for those in front of it when they are with the socket', async () => {
    const passed: Ticket[] = [];
    const journal = new Journal({ ...OWNER, pass: ({ ticket }) => passed.push(ticket) });
    journal.lane.begin(null);
    journal.open(store);
    const tickets = Array.from({ length: 300 }, (_, id) => new Ticket(id, '<message/>', ''));
    for (const ticket of tickets) {
      journal.put(ticket, String(ticket.id));
      journal.pass(ticket, undefined, true);
    }
    const settled = vi.fn();
    void journal.settled()?.then(settled);
    await setImmediate();
    expect(passed).toHaveLength(256);
    journal.session();
    await setImmediate();
    expect(settled).not.toHaveBeenCalled();
    for (const { record } of passed.slice()) record?.handedOver();
    await setImmediate();
    expect(passed).toEqual(tickets);
    expect(settled).toHaveBeenCalledOnce();
  });

  it('fails what a store refuses, but for what was over by then', async () => {
    const refused = vi.fn();
    const { waiting, open } = slow();
    const journal = new Journal({ ...OWNER, refused });
    journal.open(open);
    const [one, other] = [new Ticket(1, '<message/>', ''), new Ticket(2, '<message/>', '')];
    journal.put(one, '1');
    journal.put(other, '2');
    await setImmediate();
    other.markDropped(new BrokerError('QUEUE_DROPPED', 'dropped', { layer: 'queue' }));
    waiting[0]?.settle(broken);
    await setImmediate();
    const error = expect.objectContaining({ code: 'QUEUE_STORE_FAILED', sent: 'no' }) as Error;
    expect(refused).toHaveBeenCalledExactlyOnceWith(one, error);
    await expect(one.stored).rejects.toEqual(error);
    expect([journal.find('1'), journal.find('2')]).toEqual([undefined, undefined]);
    journal.close();
  });

  it('takes again what another holder does not have, and nothing else', async () => {
    const { waiting, open } = slow();
    const journal: Journal = new Journal({ ...OWNER, fenced: () => journal.disown() });
    journal.open(open);
    const [early, late] = [new Ticket(1, '<message/>', ''), new Ticket(2, '<message/>', '')];
    journal.put(early, '1');
    await setImmediate();
    waiting[0]?.settle();
    await setImmediate();
    if (early.record instanceof StoredRecord) journal.hand(early.record, 's', 1);
    journal.session();
    journal.put(late, '2');
    await setImmediate();
    waiting[1]?.settle(new BrokerError('QUEUE_FENCED', 'overtaken', { layer: 'queue', retryable: true, sent: 'no' }));
    await setImmediate();
    expect([journal.find('1'), journal.find('2')]).toEqual([undefined, late]);
    await expect(early.sent).rejects.toMatchObject({ code: 'QUEUE_KEPT' });
    expect(late.state).toBe('queued');
  });

  it('that is halted lets nobody wait for what will not be stored', async () => {
    const journal = new Journal(OWNER);
    journal.open({ ...store, commit: () => new Promise(nothing) });
    const [kept, dropped, failed] = [1, 2, 3].map((id) => new Ticket(id, '<message/>', ''));
    if (kept === undefined || dropped === undefined || failed === undefined) throw new Error('there are three');
    journal.put(kept, '1');
    await setImmediate();
    journal.put(dropped, '2');
    journal.put(failed, '3');
    journal.halt();
    dropped.markSent();
    failed.markFailed(away);
    await expect(kept.stored).rejects.toMatchObject({ code: 'QUEUE_KEPT' });
    await expect(failed.stored).rejects.toBe(away);
    expect(dropped.state).toBe('sent');
  });
});

it('a stanza that is given up goes along with its end: a store may have lost its own', async () => {
  const commits: Change[][] = [];
  const journal = new Journal(OWNER);
  journal.open({ ...store, commit: (changes) => Promise.resolve(void commits.push([...changes])) });
  const ticket = new Ticket(1, '<message/>', '');
  journal.put(ticket, '1');
  await setImmediate();
  ticket.markFailed(new BrokerError('QUEUE_POISON', 'poison', { layer: 'queue' }));
  journal.bury('2', 'QUEUE_UNREADABLE', '<no');
  await setImmediate();
  expect(commits[1]).toEqual([
    { kind: 'end', key: '1', outcome: 'failed', code: 'QUEUE_POISON', xml: '<message/>' },
    { kind: 'end', key: '2', outcome: 'failed', code: 'QUEUE_UNREADABLE', xml: '<no' },
  ]);
});
