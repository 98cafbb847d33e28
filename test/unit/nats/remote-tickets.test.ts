import { expect, it } from 'vitest';
import { BrokerError } from 'xmpp-broker';
import { RemoteTickets } from '../../../src/nats/remote-tickets.js';
import type { TicketReport } from '../../../src/nats/reports.js';

const report = (key: string, outcome: TicketReport['outcome'] = 'acked', queue = 'q'): TicketReport => ({
  queue,
  key,
  outcome,
  possibleDuplicate: false,
});

it('a report finds its ticket, however many were made behind it', async () => {
  const tickets = new RemoteTickets();
  const all = Array.from({ length: 5_000 }, (_, at) => tickets.make(`key ${at}`, at % 2 === 0 ? 'q' : 'r'));
  const wanted = all.map(({ sent }) => sent);
  tickets.heard(all.map(({ key, queue }) => report(key, 'sent', queue)));
  await Promise.all(wanted);
  expect(all.every(({ isOver }) => isOver)).toBe(true);
  expect(tickets.find('q', 'key 0')).toBeUndefined();
});

it('the ticket of a key is found until it is over, and then there may be another one', () => {
  const tickets = new RemoteTickets();
  const first = tickets.make('a', 'q');
  for (let at = 0; at < 3_000; at += 1) tickets.make(String(at), 'q');
  expect([tickets.find('q', 'a'), tickets.find('r', 'a')]).toEqual([first, undefined]);
  tickets.heard([report('a')]);
  expect(tickets.find('q', 'a')).toBeUndefined();
  const second = tickets.make('a', 'q');
  tickets.heard([report('a', 'dropped')]);
  expect([first.state, second.state]).toEqual(['acked', 'dropped']);
});

it.each([
  ['acked', null, null],
  ['sent', null, 'QUEUE_NOT_ACKABLE'],
  ['dropped', 'QUEUE_DROPPED', 'QUEUE_DROPPED'],
  ['failed', 'QUEUE_REFUSED', 'QUEUE_REFUSED'],
] as const)('a ticket that is %s tells so before and behind', async (outcome, sent, acked) => {
  const tickets = new RemoteTickets();
  const code = (promise: Promise<void>): Promise<string | null> =>
    promise.then(
      () => null,
      (error: unknown) => (error as BrokerError).code,
    );
  const asked = tickets.make('asked', 'q');
  const before = Promise.all([code(asked.sent), code(asked.acked)]);
  const late = tickets.make('late', 'q');
  tickets.heard([report('asked', outcome), report('late', outcome)]);
  expect(await before).toEqual([sent, acked]);
  expect([await code(late.acked), await code(late.sent)]).toEqual([acked, sent]);
});

it('who waits hears that nobody will be told, also who asks behind that', async () => {
  const tickets = new RemoteTickets();
  const [one, other] = [tickets.make('one', 'q'), tickets.make('other', 'q')];
  const waits = one.acked;
  const error = new BrokerError('PUBLISHER_CLOSED', 'closed', { layer: 'usage' });
  tickets.deafen(error);
  await expect(waits).rejects.toBe(error);
  await expect(other.acked).rejects.toBe(error);
  await expect(other.sent).rejects.toBe(error);
});
