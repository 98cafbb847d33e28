import { expect, it } from 'vitest';
import { FRESH } from '../../../src/nats/marks.js';
import { stage, type StagedEntry } from '../../../src/nats/staged.js';

const here = (key: string): StagedEntry => ({ key, sequence: 7, ticket: null, mark: FRESH, at: null, reply: null });
const handed = { session: 's', ordinal: 1 };

it('changes of one stanza become one, and the stanza stays as it is', () => {
  const entry = here('a');
  const { all } = stage(
    [
      { kind: 'hand', key: 'a', handed },
      { kind: 'hold', key: 'a', possibleDuplicate: true, faults: 1 },
      { kind: 'hand', key: 'a', handed },
      { kind: 'end', key: 'a', outcome: 'acked' },
    ],
    () => entry,
  );
  expect(all).toEqual([
    {
      key: 'a',
      entry,
      put: null,
      mark: { handed, possibleDuplicate: true, attempts: 2, faults: 1 },
      outcome: 'acked',
      code: undefined,
    },
  ]);
  expect(entry.mark).toBe(FRESH);
});

it('a key that ends and is put anew is two stanzas', () => {
  const entry = here('a');
  const put = { kind: 'put', key: 'a', xml: '<m/>', at: 1, handed } as const;
  const { all } = stage([put, { kind: 'end', key: 'a', outcome: 'sent' }, put], () => entry);
  expect(all.map(({ entry: one, put: given, outcome }) => [one === entry, given === put, outcome])).toEqual([
    [true, false, 'sent'],
    [false, true, null],
  ]);
});

it('what is said of a stanza that is not there is nothing; the last session counts', () => {
  const { all, session } = stage(
    [
      { kind: 'end', key: 'x', outcome: 'sent' },
      { kind: 'hold', key: 'x', possibleDuplicate: true, faults: 0 },
      { kind: 'session', session: null },
    ],
    () => undefined,
  );
  expect(all).toEqual([]);
  expect(session).toBeNull();
});
