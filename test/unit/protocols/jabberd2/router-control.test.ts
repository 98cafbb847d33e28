import { expect, it } from 'vitest';
import { BrokerError } from '../../../../src/errors.js';
import { RouterControl, type RouterBroker } from '../../../../src/protocols/jabberd2/router-control.js';
import { Ticket } from '../../../../src/queue/ticket.js';
import type { Element } from '../../../../src/xml/element.js';
import { NS } from '../../../../src/xml/namespaces.js';

it('S-J2-2: a name that cannot be bound again leaves the others in, and is told of', async () => {
  const handlers = new Map<string, (payload: object) => void>();
  const asked: (string | null)[] = [];
  const full = new BrokerError('QUEUE_FULL', 'the queue is full', { layer: 'queue' });
  let isFull = false;
  const control = new RouterControl({
    state: 'ready',
    config: { domain: 'svc.localhost', timeouts: { bind: 1_000 } },
    queue: { drop: () => [] },
    output: (element: Element) => {
      const name = element.getAttribute('name');
      if (isFull && name === 'one.localhost') throw full;
      asked.push(name);
      const ticket = new Ticket(asked.length, element.toString(), NS.JABBERD2_COMPONENT, 'other');
      ticket.markSent();
      return ticket;
    },
    subscribe: (event: string, handler: (payload: object) => void) => handlers.set(event, handler),
  } as unknown as RouterBroker);
  for (const name of ['one.localhost', 'two.localhost']) {
    const bound = control.bind(name);
    handlers.get('PCJ_NAME')?.({ name, bound: true });
    await bound;
  }
  handlers.get('PCJ_SOCKETDISCONNECT')?.({});
  isFull = true;
  expect(() => handlers.get('PCJ_READY')?.({})).toThrow(full);
  expect(asked).toEqual(['one.localhost', 'two.localhost', 'two.localhost']);
});

it('S-J2-5: that the router wants nothing from us says nothing of what it holds for us', () => {
  const handlers = new Map<string, (payload: object) => void>();
  const control = new RouterControl({
    config: { domain: 'svc.localhost', timeouts: { bind: 1_000 } },
    subscribe: (event: string, handler: (payload: object) => void) => handlers.set(event, handler),
  } as unknown as RouterBroker);
  handlers.get('PCJ_THROTTLE')?.({ throttled: true, side: 'outbound' });
  expect(control.throttled).toBe(false);
  handlers.get('PCJ_THROTTLE')?.({ throttled: true, side: 'inbound' });
  handlers.get('PCJ_THROTTLE')?.({ throttled: false, side: 'outbound' });
  expect(control.throttled).toBe(true);
});
