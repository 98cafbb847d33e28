import { describe, expect, it, vi } from 'vitest';
import { NS, StanzaError, xml, type Element } from 'xmpp-broker';
import { COMPONENT, DOMAIN, handshake } from '../support/component.js';
import { trace, useRig, type Conversation } from '../support/index.js';

const rig = useRig(COMPONENT);

describe('requests', () => {
  const query = () => xml('iq', { type: 'get', to: 'bank@d' }, xml('q', { xmlns: 'urn:x' }));

  async function askedId(server: Conversation): Promise<string> {
    const [, id = ''] = await server.match(/<iq[^>]* id=["']([^"']+)["'][^>]*>.*<\/iq>/);
    return id;
  }

  it('S-RTS-1 S-RTS-6 rows 32-38: a result resolves, an error rejects as StanzaError, both once; no filter sees them', async () => {
    const { broker, server } = await rig.ready();
    const recorded = trace(broker);
    broker.filters.add('any', '/*');
    broker.subscribe('any', () => expect.unreachable('a filter saw an answer'));
    const node = query();
    const asked = broker.request(node);
    const id = await askedId(server);
    expect(id).toMatch(/^[0-9a-f]{32}$/);
    expect(node.getAttribute('id')).toBeNull();
    await server.send(`<iq type='result' id='${id}' from='bank@d' to='${DOMAIN}'/>`);
    expect((await asked).getAttribute('type')).toBe('result');
    const failing = broker.request(query());
    const failingId = await askedId(server);
    await server.send(
      `<iq type='error' id='${failingId}' from='bank@d' to='${DOMAIN}'><error type='wait'><resource-constraint xmlns='${NS.STANZAS}'/><text xmlns='${NS.STANZAS}'>later</text></error></iq>`,
    );
    const error = await failing.catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(StanzaError);
    expect(error).toMatchObject({
      code: 'STANZA_ERROR',
      condition: 'resource-constraint',
      type: 'wait',
      text: 'later',
      retryable: true,
    });
    expect(recorded.short).toEqual([
      'RTS_START',
      'NODESENT(iq)',
      'RTS_FINISH',
      'RTS_START',
      'NODESENT(iq)',
      'RTS_FINISH',
    ]);
    expect(broker.pending.size).toBe(0);
  });

  it('returnToSender publishes the answer once under its event, then rescinds the name', async () => {
    const { broker, server } = await rig.ready();
    const seen: Element[] = [];
    broker.subscribe('balance', (node) => seen.push(node as Element));
    const ticket = broker.returnToSender('balance', query());
    expect(broker.events.listing()).toContainEqual({ event: 'balance', published: true, subscribers: 1 });
    const id = await askedId(server);
    expect(ticket.node.getAttribute('id')).toBe(id);
    const finished = broker.events.once('PCJ_RTS_FINISH');
    const repeated = broker.events.once('PCJ_NODERECEIVED');
    await server.send(
      `<iq type='result' id='${id}' from='bank@d' to='${DOMAIN}'/><iq type='result' id='${id}' from='bank@d' to='${DOMAIN}'/>`,
    );
    await finished;
    await repeated;
    expect(seen).toHaveLength(1);
    expect(ticket.state).toBe('acked');
    await ticket.acked;
    expect(broker.events.listing()).toContainEqual({ event: 'balance', published: false, subscribers: 1 });
  });

  it('S-RTS-1 row 33: an id that is pending is replaced on a copy; each caller gets its own answer', async () => {
    const { broker, server } = await rig.ready();
    const first = broker.request(xml('iq', { type: 'get', id: 'same', to: 'bank@d' }, xml('q', { xmlns: 'urn:x' })));
    expect(await askedId(server)).toBe('same');
    const second = broker.request(xml('iq', { type: 'get', id: 'same', to: 'bank@d' }, xml('q', { xmlns: 'urn:x' })));
    const other = await askedId(server);
    expect(other).not.toBe('same');
    await server.send(
      `<iq type='result' id='${other}' from='bank@d' to='${DOMAIN}'><b xmlns='urn:2'/></iq><iq type='result' id='same' from='bank@d' to='${DOMAIN}'><b xmlns='urn:1'/></iq>`,
    );
    expect((await first).children[0]?.namespaceURI).toBe('urn:1');
    expect((await second).children[0]?.namespaceURI).toBe('urn:2');
  });

  it.each([
    ['another JID', "from='evil@e' to='comp.broker.test'"],
    ['another resource', "from='bank@d/r' to='comp.broker.test'"],
    ['the domain', "from='d' to='comp.broker.test'"],
    ['no from', "to='comp.broker.test'"],
    ['another to', "from='bank@d' to='x@comp.broker.test'"],
  ])('S-RTS-2 A-STZ-1: an answer from %s settles nothing', async (_, addresses) => {
    const { broker, server } = await rig.ready();
    const asked = broker.request(query());
    const id = await askedId(server);
    const suspected = broker.events.once('PCJ_PROTOCOLERROR');
    const unsolicited = broker.events.once('PCJ_NODERECEIVED');
    await server.send(`<iq type='result' id='${id}' ${addresses}/>`);
    expect(await suspected).toMatchObject({ code: 'RTS_SPOOF_SUSPECT' });
    await unsolicited;
    expect(broker.pending.size).toBe(1);
    await server.send(`<iq type='result' id='${id}' from='BANK@d' to='${DOMAIN}'/>`);
    await asked;
  });

  it('S-RTS-2: a get, a message and another kind with the id are no answers', async () => {
    const { broker, server } = await rig.ready();
    const asked = broker.request(query());
    const id = await askedId(server);
    const third = new Promise<void>((resolve) => {
      let count = 0;
      broker.subscribe('PCJ_NODERECEIVED', () => {
        count += 1;
        if (count === 3) resolve();
      });
    });
    await server.send(
      `<iq type='get' id='${id}' from='bank@d' to='${DOMAIN}'><q xmlns='urn:x'/></iq><message id='${id}' from='bank@d' to='${DOMAIN}'/><message type='error' id='${id}' from='bank@d' to='${DOMAIN}'/>`,
    );
    await third;
    expect(broker.pending.size).toBe(1);
    await server.send(`<iq type='error' id='${id}' from='${DOMAIN}' to='bank@d'><error code='503'/></iq>`);
    await expect(asked).rejects.toMatchObject({ condition: 'service-unavailable' });
  });

  it('S-RTS-3: a deadline ends it; the late answer is an ordinary stanza with a warning', async () => {
    const { broker, server } = await rig.ready();
    const failed = broker.events.once('PCJ_RTS_FAIL');
    const asked = broker.request(query(), { timeout: 50 });
    const id = await askedId(server);
    await expect(asked).rejects.toMatchObject({ code: 'RTS_TIMEOUT', sent: 'maybe' });
    expect((await failed).ticket.state).toBe('sent');
    const late = broker.events.once('PCJ_PROTOCOLERROR');
    const received = broker.events.once('PCJ_NODERECEIVED');
    await server.send(`<iq type='result' id='${id}' from='bank@d' to='${DOMAIN}'/>`);
    expect(await late).toMatchObject({ code: 'RTS_LATE' });
    await received;
  });

  it('S-RTS-4 S-Q-8: a cut link settles what was written, and says that it may have arrived', async () => {
    const { broker, server } = await rig.ready();
    const asked = broker.request(query());
    await askedId(server);
    server.reset();
    await expect(asked).rejects.toMatchObject({ code: 'RTS_DISCONNECTED', sent: 'maybe' });
    expect(broker.pending.size).toBe(0);
  });

  it('a request made offline stays pending and is answered after the purge', async () => {
    const peer = await rig.listen();
    const { broker } = rig.broker(peer);
    const asked = broker.request(query());
    expect(broker.queue.size).toBe(1);
    const [ticket] = broker.queue;
    const own = ticket!.node.getAttribute('id');
    expect([...broker.pending]).toEqual([[own, { id: own, to: 'bank@d', from: DOMAIN, event: null, ticket }]]);
    const connected = broker.connect();
    const server = await peer.accept();
    await handshake(server);
    await connected;
    expect(broker.pending.size).toBe(1);
    broker.purgeQueue();
    const id = await askedId(server);
    await server.send(`<iq type='result' id='${id}' from='bank@d' to='${DOMAIN}'/>`);
    await asked;
  });

  it('S-RTS-6: drop, abort and the limit settle or refuse', async () => {
    const { broker } = rig.broker({ port: 1 }, { limits: { requests: 2 } });
    const dropped = broker.request(query());
    broker.queue.drop();
    await expect(dropped).rejects.toMatchObject({ code: 'RTS_DROPPED', sent: 'no' });
    const controller = new AbortController();
    const aborted = broker.request(query(), { signal: controller.signal });
    controller.abort();
    await expect(aborted).rejects.toMatchObject({ code: 'RTS_ABORTED' });
    void broker.request(query());
    void broker.request(query());
    await expect(broker.request(query())).rejects.toMatchObject({ code: 'RTS_LIMIT' });
    expect(() => broker.returnToSender('x', query())).toThrow(expect.objectContaining({ code: 'RTS_LIMIT' }));
    expect(broker.events.listing().find(({ event }) => event === 'x')?.published ?? false).toBe(false);
  });

  it('a request that ends while its stanza is held takes the stanza out of the queue', async () => {
    const { broker } = rig.broker({ port: 1 });
    const late = broker.request(query(), { timeout: 20 });
    const controller = new AbortController();
    const aborted = broker.request(query(), { signal: controller.signal });
    const tickets = [...broker.queue];
    controller.abort();
    await expect(aborted).rejects.toMatchObject({ code: 'RTS_ABORTED', sent: 'no' });
    await expect(late).rejects.toMatchObject({ code: 'RTS_TIMEOUT', sent: 'no' });
    expect(broker.queue.size).toBe(0);
    expect(broker.queue.bytes).toBe(0);
    expect(tickets.map(({ state }) => state)).toEqual(['failed', 'failed']);
    await expect(tickets[0]!.sent).rejects.toMatchObject({ code: 'RTS_TIMEOUT' });
  });

  it('S-RTS-5: ids that are names of Object.prototype are ordinary ids', async () => {
    const { broker, server } = await rig.ready();
    for (const id of ['__proto__', 'constructor', 'toString', '😀']) {
      const asked = broker.request(xml('iq', { type: 'get', id, to: 'bank@d' }, xml('q', { xmlns: 'urn:x' })));
      expect(await askedId(server)).toBe(id);
      await server.send(`<iq type='result' id='${id}' from='bank@d' to='${DOMAIN}'/>`);
      await asked;
    }
  });

  it('no promise becomes an unhandled rejection', async () => {
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    const { broker } = rig.broker({ port: 1 });
    void broker.connect();
    void broker.request(query());
    const ticket = broker.output(xml('message', { to: 'a@b' }));
    void ticket.sent;
    void ticket.acked;
    broker.halt();
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });
});
