// faults C6: what is kept for names and throttling is bounded, and nobody has to wait for it.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { RouterControl, xml, type RouterBroker, type Ticket } from 'xmpp-broker';
import { useRig } from '../support/rig.js';
import { answer, ROUTER, SERVICE } from '../support/service.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const rig = useRig(SERVICE);

it('faults C6: a control keeps no ticket of what was written', async () => {
  const { broker, server } = await rig.ready();
  const tickets: WeakRef<Ticket>[] = [];
  const watched: RouterBroker = {
    get state() {
      return broker.state;
    },
    config: broker.config,
    queue: broker.queue,
    subscribe: (event, handler) => broker.subscribe(event, handler),
    output: (node) => {
      const ticket = broker.output(node);
      tickets.push(new WeakRef(ticket));
      return ticket;
    },
  };
  const control = new RouterControl(watched);
  for (let times = 0; times < 100; times += 1) {
    const done = control.throttle(times % 2 === 0);
    await server.expect('<throttle');
    await server.send(`<throttle xmlns='${ROUTER}'/>`);
    await done;
  }
  await new Promise((resolve) => setTimeout(resolve, 10));
  collect();
  expect(tickets.filter((ticket) => ticket.deref() !== undefined).length).toBeLessThan(10);
});

it('faults C6: a link waits for the answers to a thousand names, not more', async () => {
  const { broker, server, recorded } = await rig.ready();
  const bind = (k: number) => xml('bind', { xmlns: ROUTER, name: `n${String(k)}.localhost`, id: `b${String(k)}` });
  for (let k = 0; k < 1_500; k += 1) broker.output(bind(k));
  await server.expect("id='b1499'");
  recorded.clear();
  const named = broker.events.once('PCJ_NAME');
  await server.send(answer('b0') + answer('b1499'));
  expect(await named).toEqual({ name: 'n1499.localhost', bound: true });
  expect(recorded.short).toEqual(['PROTOCOLERROR', 'NAME']);
});

it('faults C6: whoever does not wait for a name gets no unhandled rejection', async () => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => unhandled.push(reason);
  process.prependListener('unhandledRejection', note);
  try {
    const { broker, server } = await rig.ready();
    const control = new RouterControl(broker);
    void control.bind('one.localhost');
    void control.bind('one.localhost');
    void control.bind('');
    void control.unbind('two.localhost');
    void control.throttle(true);
    await server.expect('<throttle');
    server.reset();
    await broker.closed;
    void control.bind('three.localhost');
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(unhandled).toEqual([]);
  } finally {
    process.off('unhandledRejection', note);
  }
});
