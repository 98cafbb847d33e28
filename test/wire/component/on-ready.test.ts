import { describe, expect, it, vi } from 'vitest';
import { xml, type Broker, type BrokerOptions, type QueueOptions, type Ticket } from 'xmpp-broker';
import { COMPONENT } from '../support/component.js';
import { stopClock, useRig } from '../support/index.js';

const rig = useRig(COMPONENT);

const idOf = ({ node }: Ticket) => node.getAttribute('id');
const isOdd = (ticket: Ticket) => Number(idOf(ticket)) % 2 === 1;

/** What became of four stanzas, 1 to 4, that were held when the broker became ready. */
interface Became {
  /** In the order of the wire. */
  readonly sent: (string | null)[];
  readonly held: (string | null)[];
  readonly dropped: (string | null)[];
}

/** Holds four stanzas, connects, does something, and looks what the server got: the last stanza says that it is all. */
async function life(queue: QueueOptions, then: (broker: Broker) => unknown = () => undefined): Promise<Became> {
  const options: Partial<BrokerOptions> = { queue };
  const peer = await rig.listen();
  const { broker } = rig.broker(peer, options);
  const tickets = ['1', '2', '3', '4'].map((id) => broker.output(xml('message', { to: 'a@b', id })));
  expect(tickets.every(({ held }) => held)).toBe(true);
  const connected = broker.connect();
  const server = await peer.accept();
  await COMPONENT.letIn(server);
  await connected;
  then(broker);
  broker.output(xml('presence', { to: 'a@b', id: 'end' }));
  await server.expect(/<presence[^>]*end/);
  const wire = server.received.toString();
  expect([...broker.queue]).toEqual(tickets.filter(({ held }) => held));
  return {
    sent: [...wire.matchAll(/<message[^>]* id=["'](\d)["']/g)].map(([, id = null]) => id),
    held: [...broker.queue].map(idOf),
    dropped: tickets.filter(({ state }) => state === 'dropped').map(idOf),
  };
}

const ALL = ['1', '2', '3', '4'];
const SENT: Became = { sent: ALL, held: [], dropped: [] };
const HELD: Became = { sent: [], held: ALL, dropped: [] };
const ODD_SENT: Became = { sent: ['1', '3'], held: ['2', '4'], dropped: [] };

describe('what becomes of held stanzas at READY', () => {
  it.each<[string, QueueOptions, ((broker: Broker) => unknown) | undefined, Became]>([
    ['nothing is said', {}, undefined, HELD],
    ["onReady: 'hold'", { onReady: 'hold' }, undefined, HELD],
    ["onReady: 'send'", { onReady: 'send' }, undefined, SENT],
    ["onReady: 'drop'", { onReady: 'drop' }, undefined, { sent: [], held: [], dropped: ALL }],
    ['onReady picks', { onReady: (ticket) => (isOdd(ticket) ? 'send' : 'hold') }, undefined, ODD_SENT],
    [
      'onReady: one of each',
      { onReady: (ticket) => (isOdd(ticket) ? 'drop' : idOf(ticket) === '2' ? 'hold' : 'send') },
      undefined,
      { sent: ['4'], held: ['2'], dropped: ['1', '3'] },
    ],
    ['purgeOnReady: true', { purgeOnReady: true }, undefined, SENT],
    ['purgeOnReady: false', { purgeOnReady: false }, undefined, HELD],
    ['purgeOnReady picks', { purgeOnReady: isOdd }, undefined, ODD_SENT],
    ['queue.send()', {}, (broker) => broker.queue.send(), SENT],
    ['purgeQueue()', {}, (broker) => broker.purgeQueue(), SENT],
    ['purge_queue', {}, (broker) => broker.post('purge_queue'), SENT],
    ['queue.send(select)', {}, (broker) => broker.queue.send(isOdd), ODD_SENT],
    ['purgeQueue(select)', {}, (broker) => broker.purgeQueue(isOdd), ODD_SENT],
    ['purge_queue with a choice', {}, (broker) => broker.post('purge_queue', isOdd), ODD_SENT],
    [
      'held for one picks, sent by hand for the rest',
      { onReady: (ticket) => (isOdd(ticket) ? 'send' : 'hold') },
      (broker) => broker.queue.send(),
      { sent: ['1', '3', '2', '4'], held: [], dropped: [] },
    ],
  ])('%s', async (_, options, then, became) => {
    expect(await life(options, then)).toEqual(became);
  });

  it.each<[string, () => never]>([
    [
      'throws',
      () => {
        throw new Error('odd');
      },
    ],
    ['returns nothing', () => undefined as never],
    ['returns a word that is none', () => 'sned' as never],
    ['returns a promise that rejects', () => Promise.reject(new Error('odd')) as never],
  ])('a function that %s, at the third of four: all stays held, and PCJ_HANDLERERROR tells', async (_, wrong) => {
    const told: unknown[] = [];
    const peer = await rig.listen();
    const error = vi.fn();
    const { broker } = rig.broker(peer, {
      queue: { onReady: (ticket) => (idOf(ticket) === '3' ? wrong() : 'send') },
      logger: { debug: () => undefined, info: () => undefined, warn: () => undefined, error },
    });
    for (const id of ALL) broker.output(xml('message', { to: 'a@b', id }));
    broker.subscribe('PCJ_HANDLERERROR', ({ event, error }) => told.push(event, error));
    const connected = broker.connect();
    await COMPONENT.letIn(await peer.accept());
    await connected;
    expect([...broker.queue].map(idOf)).toEqual(ALL);
    expect(told).toEqual(['queue.onReady', expect.any(Error)]);
    expect(error.mock.calls.map(([, text]) => String(text))).toEqual([
      expect.stringMatching(/^queue\.onReady failed: /),
    ]);
  });

  it('is asked each time the broker is ready, and not about what is output while it is', async () => {
    const asked: (string | null)[] = [];
    const onReady = (ticket: Ticket) => (asked.push(idOf(ticket)), 'hold' as const);
    const { broker, server, peer } = await rig.ready({ queue: { onReady } });
    broker.output(xml('message', { to: 'a@b', id: 'live' }));
    await server.expect('live');
    server.end();
    await broker.closed;
    broker.output(xml('message', { to: 'a@b', id: 'away' }));
    for (const times of [1, 2]) {
      const connected = broker.connect();
      const next = await peer.accept();
      await COMPONENT.letIn(next);
      await connected;
      expect(asked).toEqual(Array.from({ length: times }, () => 'away'));
      next.end();
      await broker.closed;
    }
  });

  it('a halt in a handler of a request that made room leaves nothing open', async () => {
    const clock = stopClock();
    const { broker } = rig.broker({ port: 1 }, { queue: { maxAgeMs: 1_000, maxStanzas: 1 } });
    const answer = broker.request(xml('iq', { type: 'get', to: 'a@b' }, xml('ping', { xmlns: 'urn:xmpp:ping' })));
    broker.subscribe('PCJ_RTS_FAIL', () => {
      broker.halt();
    });
    await clock.pass(1_001);
    const ticket = broker.output(xml('message', { to: 'a@b', id: '1' }));
    expect(ticket.held).toBe(true);
    await expect(answer).rejects.toMatchObject({ code: 'RTS_DROPPED' });
    expect(ticket).toMatchObject({ state: 'failed', held: false });
  });

  it('a halt inside the function leaves nothing open', async () => {
    const peer = await rig.listen();
    const { broker } = rig.broker(peer, { queue: { onReady: () => (broker.halt(), 'send') } });
    const ticket = broker.output(xml('message', { to: 'a@b', id: '1' }));
    broker.connect().catch(() => undefined);
    await COMPONENT.letIn(await peer.accept());
    await broker.closed;
    expect(ticket).toMatchObject({ state: 'failed', held: false });
  });
});

describe('queue.maxAgeMs', () => {
  const HOUR = 3_600_000;

  it.each<[string, QueueOptions]>([
    ["onReady: 'send'", { onReady: 'send' }],
    ["onReady: 'hold'", {}],
    ['a function, which is not asked about it', { onReady: (ticket) => (isOdd(ticket) ? 'send' : 'hold') }],
  ])('what is older at READY is dropped: %s', async (_, options) => {
    const clock = stopClock();
    const peer = await rig.listen();
    const { broker } = rig.broker(peer, { queue: { ...options, maxAgeMs: HOUR } });
    const old = broker.output(xml('message', { to: 'a@b', id: '1' }));
    await clock.pass(HOUR);
    const young = broker.output(xml('message', { to: 'a@b', id: '2' }));
    await clock.pass(1);
    const connected = broker.connect();
    await COMPONENT.letIn(await peer.accept());
    await connected;
    expect(old).toMatchObject({ state: 'dropped', held: false });
    await expect(old.sent).rejects.toMatchObject({ code: 'QUEUE_EXPIRED', sent: 'no' });
    await expect(old.acked).rejects.toMatchObject({ code: 'QUEUE_EXPIRED' });
    expect(young.state).not.toBe('dropped');
  });

  it('is looked at again when queue.send() is called, and never in between', async () => {
    const clock = stopClock();
    const peer = await rig.listen();
    const { broker } = rig.broker(peer, { liveness: false, queue: { maxAgeMs: HOUR } });
    const old = broker.output(xml('message', { to: 'a@b', id: '1' }));
    const connected = broker.connect();
    const server = await peer.accept();
    await COMPONENT.letIn(server);
    await connected;
    await clock.pass(HOUR + 1);
    expect(old).toMatchObject({ state: 'queued', held: true });
    expect(broker.queue.send()).toEqual([]);
    expect(old.state).toBe('dropped');
  });

  it('the request of one that is too old fails', async () => {
    const clock = stopClock();
    const peer = await rig.listen();
    const { broker } = rig.broker(peer, { queue: { maxAgeMs: HOUR, onReady: 'send' } });
    const question = xml('iq', { type: 'get', to: 'a@b' }, xml('ping', { xmlns: 'urn:xmpp:ping' }));
    const answer = broker.request(question);
    await clock.pass(HOUR + 1);
    const connected = broker.connect();
    await COMPONENT.letIn(await peer.accept());
    await connected;
    await expect(answer).rejects.toMatchObject({ code: 'RTS_DROPPED', cause: { code: 'QUEUE_EXPIRED' } });
  });

  it.each<[string, QueueOptions]>([
    ['stanzas', { maxStanzas: 1 }],
    ['bytes', { maxBytes: 400 }],
  ])('what is too old makes room in a queue that is full of %s', async (_, bound) => {
    const clock = stopClock();
    const { broker } = rig.broker({ port: 1 }, { queue: { maxAgeMs: HOUR, ...bound } });
    const old = broker.output(xml('message', { to: 'a@b', id: 'old' }));
    await clock.pass(HOUR - 1);
    expect(() => broker.output(xml('message', { to: 'a@b', id: 'no' }))).toThrow(/full/);
    await clock.pass(2);
    const young = broker.output(xml('message', { to: 'a@b', id: 'new' }));
    expect([old.state, young.held, broker.queue.size]).toEqual(['dropped', true, 1]);
  });
});
