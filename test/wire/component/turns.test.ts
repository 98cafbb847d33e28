// faults C2: a peer that sends without a break gets its part of each turn of the event loop, not all of it.
import { describe, expect, it } from 'vitest';
import { NS, type Broker } from 'xmpp-broker';
import { CLIENT } from '../support/client.js';
import { COMPONENT, DOMAIN } from '../support/component.js';
import { useRig, type Transport } from '../support/rig.js';

const rig = useRig(COMPONENT);

const COUNT = 4_000;
const message = (k: number): string => `<message from='a@b' to='${DOMAIN}' id='${String(k)}'><body>x</body></message>`;
const FLOOD = Array.from({ length: COUNT }, (_, k) => message(k)).join('');
const IN_ORDER = Array.from({ length: COUNT }, (_, k) => String(k));

/** Takes that many milliseconds of the processor, at least. */
function work(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

interface Seen {
  readonly ids: string[];
  /** Stanzas that were delivered between two turns of timers, at most. */
  readonly most: number;
}

/** Counts what is delivered to a handler that takes a while, and what else gets its turn meanwhile. */
function slowly(broker: Broker, ms: number): Seen {
  const seen = { ids: [] as string[], most: 0 };
  let sinceTimer = 0;
  const timer = setInterval(() => {
    sinceTimer = 0;
  }, 1);
  void broker.closed.then(() => {
    clearInterval(timer);
  });
  broker.subscribe('PCJ_NODERECEIVED', (node) => {
    seen.ids.push(node.getAttribute('id') ?? '');
    sinceTimer += 1;
    seen.most = Math.max(seen.most, sinceTimer);
    work(ms);
  });
  return seen;
}

async function ready(transport: Transport) {
  const dialled = await rig.dialled({}, transport);
  await COMPONENT.letIn(dialled.server);
  await dialled.connected;
  return dialled;
}

describe.each<Transport>(['plain', 'direct'])('faults C2: a flood over a %s connection', (transport) => {
  it.each([
    [0.05, 'which costs 0.05 ms each'],
    [1, 'which costs 1 ms each'],
  ])('%d ms in a handler: timers get their turn, the order stays', async (ms) => {
    const { broker, server } = await ready(transport);
    const count = ms === 1 ? 400 : COUNT;
    const seen = slowly(broker, ms);
    await server.send(FLOOD.slice(0, FLOOD.indexOf(message(count - 1)) + message(count - 1).length));
    await expect.poll(() => seen.ids.length, { timeout: 20_000 }).toBe(count);
    expect(seen.ids).toEqual(IN_ORDER.slice(0, count));
    // Two budgets of 10 ms may lie between two turns of timers: one of the socket and one of what waited.
    expect(seen.most).toBeLessThanOrEqual(2 * (10 / ms + 32));
  });

  it.each([
    ['the end of the stream', '</stream:stream>'],
    ['the end of the connection', ''],
  ])('%s stays behind what waits', async (_, last) => {
    const { broker, server } = await ready(transport);
    const seen = slowly(broker, 0.02);
    let atEnd = -1;
    broker.subscribe('PCJ_SOCKETDISCONNECT', () => {
      atEnd = seen.ids.length;
    });
    broker.subscribe('PCJ_NODERECEIVED', (node) => {
      if (node.getAttribute('id') === String(COUNT / 2)) broker.output(`<message to='a@b' id='answered'/>`);
    });
    await server.send(FLOOD + last);
    server.end();
    await broker.closed;
    expect([seen.ids.length, atEnd]).toEqual([COUNT, COUNT]);
    // Behind an orderly end, what was said meanwhile still goes out.
    if (last !== '') expect(server.received.toString()).toContain("id='answered'");
  });

  it('a reset loses nothing that was read', async () => {
    const { broker, server } = await ready(transport);
    const seen = slowly(broker, 0);
    const first = new Promise<void>((resolve) => {
      broker.events.once('PCJ_NODERECEIVED').then(() => {
        // All of it has arrived by the time that the handler is done.
        work(30);
        server.reset();
        resolve();
      }, resolve);
    });
    const short = FLOOD.slice(0, FLOOD.indexOf(message(500)));
    await server.send(short);
    await first;
    await broker.closed;
    expect(seen.ids).toEqual(IN_ORDER.slice(0, seen.ids.length));
    expect(seen.ids.length).toBeGreaterThan(0);
  });

  it('halt() in the middle delivers nothing more', async () => {
    const { broker, server } = await ready(transport);
    const seen = slowly(broker, 1);
    broker.subscribe('PCJ_NODERECEIVED', (node) => {
      if (node.getAttribute('id') === '50') broker.halt();
    });
    await server.send(FLOOD);
    await broker.closed;
    await server.closed;
    expect(seen.ids).toHaveLength(51);
  });
});

describe('faults C2: stream management', () => {
  const client = useRig(CLIENT);

  it('counts what was handled, however it is spread over turns', async () => {
    const { broker, server } = await client.ready();
    let handled = 0;
    broker.subscribe('PCJ_NODERECEIVED', () => {
      handled += 1;
      work(0.05);
    });
    const ask = `<r xmlns='${NS.SM}'/>`;
    const flood = Array.from({ length: COUNT / 100 }, () => message(0).repeat(100) + ask).join('');
    await server.send(flood);
    await server.expect(`h='${String(COUNT)}'`, { timeoutMs: 20_000 });
    expect(handled).toBe(COUNT);
    const told = [...server.received.toString().matchAll(/<a [^>]*h='(\d+)'/g)].map(([, h]) => Number(h));
    expect(told).toEqual([...told].sort((a, b) => a - b));
  });
});
