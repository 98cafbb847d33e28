import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { consumersOf, groupIn, groupPrefix, queuePrefix, type Group } from '../../../src/nats/groups.js';
import { Subjects } from '../../../src/nats/subjects.js';

const name = fc.oneof(
  fc.string({ minLength: 1, maxLength: 200, unit: 'binary' }).filter((text) => text.isWellFormed()),
  fc.constantFrom('a', 'a=_b', '=_', '=', 'a.b', '*', '>', 'a'.repeat(70), 'a'.repeat(71), '-', 'ä'.repeat(40)),
);
const PARTS = 3;
const subjects = new Subjects('xmpp');
const consumers = (queue: string, group: string, event: string, ordered = false) =>
  consumersOf(subjects, queue, { name: group, events: [event], ordered } satisfies Group, PARTS);

describe('names of groups', () => {
  it('are names and subjects that NATS takes, whatever the program calls them', () => {
    fc.assert(
      fc.property(name, name, name, (queue, group, event) => {
        for (const { durable_name = '', filter_subject = '', description = '' } of consumers(
          queue,
          group,
          event,
          true,
        )) {
          expect(durable_name).toMatch(/^[\w=-]+$/);
          expect(durable_name.length).toBeLessThan(256);
          expect(filter_subject).toMatch(/^xmpp\.in\.[\w=-]+\.[\w=-]+\.\d+$/);
          expect(description.length).toBeLessThan(4_096);
        }
      }),
    );
  });

  it('two of them never meet, and no group finds what is of another', () => {
    fc.assert(
      fc.property(fc.tuple(name, name, name), fc.tuple(name, name, name), (one, other) => {
        const [a] = consumers(...one);
        const [b] = consumers(...other);
        const isSame = one.every((text, at) => text === other[at]);
        expect(a?.durable_name === b?.durable_name).toBe(isSame);
        const isSameGroup = one[0] === other[0] && one[1] === other[1];
        expect(a?.durable_name?.startsWith(groupPrefix(other[0], other[1]))).toBe(isSameGroup);
        expect(a?.durable_name?.startsWith(queuePrefix(other[0]))).toBe(one[0] === other[0]);
      }),
    );
  });

  it('tell their group', () => {
    const [one] = consumers('q', 'g', 'e');
    expect(groupIn(one?.durable_name ?? '', 'q')).toBe('g');
    expect(groupIn(one?.durable_name ?? '', 'other')).toBeNull();
    expect(groupIn('q=_g', 'q')).toBeNull();
  });

  it('an ordered group has a consumer of one stanza for each partition', () => {
    const list = consumers('q', 'g', 'e', true);
    expect(list).toHaveLength(PARTS);
    expect(new Set(list.map(({ filter_subject }) => filter_subject)).size).toBe(PARTS);
    expect(list.every(({ max_ack_pending }) => max_ack_pending === 1)).toBe(true);
  });
});
