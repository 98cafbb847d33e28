import { describe, expect, it } from 'vitest';
import type { Change, QueueStore } from 'xmpp-broker';
import { MemoryStore, queueStoreCases } from 'xmpp-broker/testing';

describe('D-6: the store in memory', () => {
  it.each(queueStoreCases(() => Promise.resolve(new MemoryStore())).map((one) => [one.name, one] as const))(
    '%s',
    (_, { run }) => run(),
  );
});

/** A store whose commits come out different. */
function spoilt(spoil: (changes: readonly Change[]) => readonly Change[]): QueueStore {
  const store = new MemoryStore();
  return {
    name: 'spoilt',
    open: async (owner, signal) => {
      const open = await store.open(owner, signal);
      return { ...open, commit: (changes) => open.commit(spoil(changes)) };
    },
  };
}

describe('the cases find a store that', () => {
  const FAULTS: Readonly<Record<string, (changes: readonly Change[]) => readonly Change[]>> = {
    'loses the last change': (changes) => changes.slice(0, -1),
    'mixes up the order': (changes) => [...changes].reverse(),
    'forgets marks': (changes) => changes.filter(({ kind }) => kind !== 'hand'),
    'forgets ends': (changes) => changes.filter(({ kind }) => kind !== 'end'),
    'forgets what is held': (changes) => changes.filter(({ kind }) => kind !== 'hold'),
    'forgets sessions': (changes) => changes.filter(({ kind }) => kind !== 'session'),
    'forgets flags': (changes) =>
      changes.map((change) => (change.kind === 'hold' ? { ...change, possibleDuplicate: false } : change)),
    'forgets that a put was handed': (changes) =>
      changes.map((change) => (change.kind === 'put' ? { ...change, handed: null } : change)),
    'shortens keys': (changes) =>
      changes.map((change) => ('key' in change ? { ...change, key: change.key.slice(0, 255) } : change)),
    'knows half of the numbers': (changes) =>
      changes.map((change) =>
        change.kind === 'hand'
          ? { ...change, handed: { ...change.handed, ordinal: (change.handed.ordinal ?? 0) | 0 } }
          : change,
      ),
  };

  it.each(Object.entries(FAULTS))('%s', async (_, spoil) => {
    const cases = queueStoreCases(() => Promise.resolve(spoilt(spoil)));
    const failed = await Promise.all(
      cases.map(({ run }) =>
        run()
          .then(() => 0)
          .catch(() => 1),
      ),
    );
    expect(failed).toContain(1);
  });
});
