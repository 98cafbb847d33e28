import { expect, it } from 'vitest';
import { Ticket } from '../../../src/queue/ticket.js';

it('a ticket that goes out again where nothing acknowledges does not wait for ever', async () => {
  const ticket = new Ticket(1, '<message/>', '');
  ticket.expectAck();
  ticket.markSent();
  const { acked } = ticket;
  ticket.markHeld(true);
  ticket.markSent();
  await expect(acked).rejects.toMatchObject({ code: 'QUEUE_NOT_ACKABLE' });
});

it('that of a request goes on waiting for its answer', async () => {
  const ticket = new Ticket(1, '<iq/>', '');
  ticket.request = { id: '1', to: null, event: null };
  ticket.expectAck();
  ticket.markHeld(true);
  ticket.markSent();
  ticket.markAcked();
  await expect(ticket.acked).resolves.toBeUndefined();
});
