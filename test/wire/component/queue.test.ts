import { describe, expect, it } from 'vitest';
import { xml, type Element } from 'xmpp-broker';
import { COMPONENT, handshake } from '../support/component.js';
import { useRig } from '../support/index.js';

const rig = useRig(COMPONENT);

describe('the queue', () => {
  const note = (id: string) => xml('message', { to: 'a@b', id });
  const ids = (text: string) => [...text.matchAll(/<message[^>]* id=["']([^"']+)["']/g)].map(([, id]) => id);

  it('S-Q-2 S-Q-8 rows 28-31: held while offline, oldest first on purge, nothing overtakes', async () => {
    const peer = await rig.listen();
    const { broker, recorded } = rig.broker(peer);
    const q1 = broker.output(note('q1'));
    broker.output(note('q2'));
    expect(recorded.short).toEqual(['NODEQUEUED', 'NODEQUEUED']);
    expect([...broker.queue].map((ticket) => ticket.node.getAttribute('id'))).toEqual(['q1', 'q2']);
    expect(broker.purgeQueue()).toEqual([]);
    const connected = broker.connect();
    const server = await peer.accept();
    await handshake(server);
    await connected;
    expect(broker.queue.size).toBe(2);
    broker.output(note('a1'));
    const purged = broker.purgeQueue();
    broker.output(note('a2'));
    expect(purged[0]).toBe(q1);
    await server.expect(/a2["'][^>]*>/);
    expect(ids(server.received.toString())).toEqual(['a1', 'q1', 'q2', 'a2']);
    const sent = recorded.payloads.filter((_, index) => recorded.short[index] === 'NODESENT(message)');
    expect(sent.map((stanza) => (stanza as Element).getAttribute('id'))).toEqual(['a1', 'q1', 'q2', 'a2']);
    await q1.sent;
    expect(q1.state).toBe('sent');
    await expect(q1.acked).rejects.toMatchObject({ code: 'QUEUE_NOT_ACKABLE' });
  });

  it('purge and drop take a choice', async () => {
    const { broker, server } = await rig.ready();
    server.end();
    await broker.closed;
    for (const id of ['1', '2', '3', '4']) broker.output(note(id));
    const dropped = broker.queue.drop((ticket) => ticket.node.getAttribute('id') === '2');
    expect(dropped.map(({ state }) => state)).toEqual(['dropped']);
    await expect(dropped[0]!.sent).rejects.toMatchObject({ code: 'QUEUE_DROPPED' });
    expect(broker.queue.size).toBe(3);
    expect(broker.queue.at(0)?.node.getAttribute('id')).toBe('1');
    expect(broker.queue.at(9)).toBeUndefined();
  });

  it('S-Q-1: full by count or bytes: QUEUE_FULL, PCJ_QUEUEFAIL, nothing accepted', () => {
    const { broker: byCount } = rig.broker({ port: 1 }, { queue: { maxStanzas: 2 } });
    const refused: unknown[] = [];
    byCount.subscribe('PCJ_QUEUEFAIL', (error) => refused.push(error));
    byCount.output(note('1'));
    byCount.output(note('2'));
    expect(() => byCount.output(note('3'))).toThrow(expect.objectContaining({ code: 'QUEUE_FULL' }));
    expect(refused).toHaveLength(1);
    expect(byCount.queue.size).toBe(2);
    const { broker: byBytes } = rig.broker({ port: 1 }, { queue: { maxBytes: 400 } });
    byBytes.output(note('1'));
    expect(() => byBytes.output(xml('message', { to: 'a@b' }, xml('body', {}, 'x'.repeat(100))))).toThrow(/400/);
    expect(byBytes.queue.size).toBe(1);
  });

  it('A-FLOW-1: a peer that never reads: bounded, refused loudly, order kept when it reads again', async () => {
    const { broker, server } = await rig.ready({ queue: { maxBytes: 4 * 1024 * 1024 } });
    server.pause();
    const body = 'x'.repeat(10_000);
    let accepted = 0;
    let refusal: unknown;
    // Far more than the kernel's buffers and the bound together.
    while (refusal === undefined && accepted < 100_000) {
      try {
        broker.output(xml('message', { to: 'a@b', id: `m${accepted}` }, xml('body', {}, body)));
        accepted += 1;
        if (accepted % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
      } catch (error) {
        refusal = error;
      }
    }
    expect(refusal).toMatchObject({ code: 'QUEUE_FULL' });
    server.resume();
    await server.expect(`m${accepted - 1}`);
    expect(ids(server.received.toString())).toEqual(Array.from({ length: accepted }, (_, index) => `m${index}`));
  });

  it('S-Q-8 DECISIONS 14, 16: what a cut link did not write is held again in front, in order', async () => {
    const { broker, server } = await rig.ready();
    server.pause();
    const body = 'x'.repeat(50_000);
    const tickets = Array.from({ length: 400 }, (_, index) =>
      broker.output(xml('message', { to: 'a@b', id: `m${index}` }, xml('body', {}, body))),
    );
    await tickets[0]!.sent;
    server.reset();
    await broker.closed;
    broker.output(note('after'));
    const held = [...broker.queue].map((ticket) => ticket.node.getAttribute('id'));
    const sent = tickets.filter(({ state }) => state === 'sent').length;
    expect(held).toEqual([...Array.from({ length: 400 - sent }, (_, index) => `m${index + sent}`), 'after']);
    expect(held.length).toBeGreaterThan(1);
    expect(tickets.at(-1)).toMatchObject({ state: 'queued', possibleDuplicate: false });
  });

  it('DECISIONS 17: purgeOnReady sends by itself, all or what is picked', async () => {
    const peer = await rig.listen();
    const { broker } = rig.broker(peer, {
      queue: { purgeOnReady: (ticket) => ticket.node.getAttribute('id') !== 'old' },
    });
    broker.output(note('old'));
    broker.output(note('new'));
    const connected = broker.connect();
    const server = await peer.accept();
    await handshake(server);
    await connected;
    await server.expect(/id=["']new["']/);
    expect(broker.queue.size).toBe(1);
  });
});

describe('a ready link that is written to at once', () => {
  it.each([
    ['in clear', false],
    ['over TLS', true],
  ])('everything goes out, %s, however much is output in the turn of PCJ_READY', async (_, secure) => {
    const peer = await rig.listen(secure ? 'direct' : 'plain');
    const { broker } = rig.broker(peer, secure ? { tls: { policy: 'direct' } } : {});
    const tickets: { sent: Promise<void> }[] = [];
    broker.subscribe('PCJ_READY', () => {
      for (let n = 0; n < 2_000; n += 1) {
        tickets.push(broker.output(xml('message', { to: 'a@b', id: n }, xml('body', {}, 'x'.repeat(200)))));
      }
    });
    const connected = broker.connect();
    const server = await peer.accept();
    await handshake(server);
    await connected;
    await server.expect("id='1999'");
    await Promise.all(tickets.map(({ sent }) => sent));
  });
});
