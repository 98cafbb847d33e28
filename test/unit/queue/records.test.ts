import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Records } from '../../../src/queue/records.js';
import { StoredRecord } from '../../../src/queue/stored-record.js';
import { Ticket } from '../../../src/queue/ticket.js';

const owner = { handedOver: () => undefined, ended: () => undefined };
const key = fc.constantFrom('a', 'b', 'c');
/** Adds a record, takes out the nth of those that ever were, or asks for a key. */
const deed = fc.oneof(
  fc.record({ add: key }),
  fc.record({ remove: fc.nat(20) }),
  fc.record({ find: key }),
  fc.constant({ clear: true }),
);

it('records are a list in order, and the newest of a key is found, asked for early or late', () => {
  fc.assert(
    fc.property(fc.array(deed, { maxLength: 60 }), (deeds) => {
      const records = new Records();
      const all: StoredRecord[] = [];
      let model: StoredRecord[] = [];
      for (const one of deeds) {
        if ('add' in one) {
          // As in a journal, which never has two of a key.
          if (model.some((record) => record.key === one.add)) continue;
          const record = new StoredRecord(new Ticket(all.length, '', ''), one.add, false, owner);
          all.push(record);
          model.push(record);
          records.add(record);
        } else if ('remove' in one) {
          const record = all[one.remove];
          if (record === undefined) continue;
          records.delete(record);
          model = model.filter((other) => other !== record);
        } else if ('find' in one) {
          expect(records.find(one.find)).toBe(model.find((record) => record.key === one.find));
        } else {
          for (const record of records) records.delete(record);
          model = [];
        }
        expect([...records]).toEqual(model);
      }
    }),
  );
});
