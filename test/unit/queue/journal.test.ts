import { describe, expect, it } from 'vitest';
import { Journal, type JournalOwner } from '../../../src/queue/journal.js';
import type { OpenStore } from '../../../src/queue/store.js';
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

describe('what is held does not wait for what never gets to the socket', () => {
  it.each([
    ['one that is large', 1, 100_000],
    ['many', 300, 1],
  ])('%s', async (_, count, size) => {
    const written: number[] = [];
    const unfit = new BrokerError('PEER_LIMIT', 'too large', { layer: 'stanza' });
    const owner: JournalOwner = {
      takes: true,
      pass: ({ ticket }) => {
        if (ticket.id < count) throw unfit;
        written.push(ticket.id);
        ticket.record?.handedOver();
        ticket.markSent();
      },
      session: () => null,
      unfit: (ticket) => ticket.markFailed(unfit),
      refused: nothing,
      buried: nothing,
      failing: nothing,
      working: nothing,
      fenced: nothing,
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
