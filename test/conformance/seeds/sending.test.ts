import { describe, expect, test, vi } from 'vitest';
import { reply, StanzaError, xml, type Element } from 'xmpp-broker';
import { failure } from '../../support/failure.js';
import { trace } from '../../support/trace.js';
import { bodies, ping, received, say, useSite } from './site.js';

const site = useSite();

describe('sending', () => {
  test('row 24: READY comes exactly once, and it is safe to send in its handler', async () => {
    const broker = site.component();
    let ready = 0;
    broker.subscribe('PCJ_READY', () => {
      ready += 1;
      broker.output(say('comp.localhost', 'at once'));
    });
    const echo = received(broker, 1);
    await broker.connect();
    expect([ready, bodies(await echo)]).toEqual([1, ['at once']]);
  });

  test('row 25: NODESENT for each element written, NODERECEIVED for each one after READY that is no answer', async () => {
    await site.answerer();
    const broker = site.component();
    const sent: string[] = [];
    const got: string[] = [];
    broker.subscribe('PCJ_NODESENT', (node) => sent.push(node.localName));
    broker.subscribe('PCJ_NODERECEIVED', (node) => got.push(node.localName));
    await broker.connect();
    const echo = received(broker, 1);
    broker.output(say('comp.localhost', 'x'));
    await broker.request(ping('peer.localhost'));
    await echo;
    expect([sent, got]).toEqual([['stream', 'handshake', 'message', 'iq'], ['message']]);
  });

  test('row 26: what is output while ready keeps its order on the wire', async () => {
    const { broker, peer } = await site.pair();
    const arrived = received(peer, 2_000);
    const sent = Array.from({ length: 2_000 }, (_, n) => String(n));
    for (const body of sent) broker.output(say('peer.localhost', body));
    expect(bodies(await arrived)).toEqual(sent);
  });

  test('row 27: a string can be sent; it must hold exactly one element', async () => {
    const { broker, peer } = await site.pair();
    const arrived = received(peer, 1);
    broker.output("<message to='peer.localhost'><body>a &amp; b</body></message>");
    expect(bodies(await arrived)).toEqual(['a & b']);
    for (const bad of ['', 'text', '<a><b></a>', "<message to='x'/><message to='x'/>"]) {
      expect(() => broker.output(bad)).toThrow(expect.objectContaining({ code: 'USAGE_NOT_ONE_STANZA' }));
    }
  });

  test('row 28: what is output while not ready is held, and NODEQUEUED tells; nothing is lost silently', () => {
    const broker = site.component('comp.localhost', { queue: { maxStanzas: 2 } });
    const recorded = trace(broker);
    broker.output(say('a@b', '1'));
    broker.output(say('a@b', '2'));
    expect(() => broker.output(say('a@b', '3'))).toThrow(expect.objectContaining({ code: 'QUEUE_FULL' }));
    expect(recorded.short).toEqual(['NODEQUEUED', 'NODEQUEUED', 'QUEUEFAIL']);
    expect(broker.queue.size).toBe(2);
  });

  test('row 29: the queue survives disconnects and reconnects', async () => {
    const broker = site.component();
    const ticket = broker.output(say('peer.localhost', 'held'));
    await broker.connect();
    site.server.cut('comp.localhost');
    await broker.events.once('PCJ_SOCKETDISCONNECT');
    await broker.connect();
    expect([...broker.queue]).toEqual([ticket]);
  });

  test('row 30: held stanzas go out on purge only, oldest first, and nothing overtakes them', async () => {
    const peer = await site.ready(site.component('peer.localhost'));
    const arrived = received(peer, 4);
    const broker = site.component();
    for (const body of ['q1', 'q2']) broker.output(say('peer.localhost', body));
    await broker.connect();
    broker.output(say('peer.localhost', 'a1'));
    expect(broker.queue.size).toBe(2);
    broker.purgeQueue();
    broker.output(say('peer.localhost', 'a2'));
    expect(bodies(await arrived)).toEqual(['a1', 'q1', 'q2', 'a2']);
  });

  test('row 31: the queue can be looked at, index 0 is the oldest; and dropped', () => {
    const broker = site.component();
    for (const body of ['1', '2', '3']) broker.output(say('a@b', body));
    expect([...broker.queue].map(({ node }) => node.getChildText('body'))).toEqual(['1', '2', '3']);
    const dropped = broker.queue.drop(({ node }) => node.getChildText('body') === '2');
    expect(dropped.map(({ state }) => state)).toEqual(['dropped']);
    expect(broker.queue.size).toBe(2);
  });
});

describe('requests', () => {
  test('row 32: a request gets an id if it has none, and keeps its own; the element of the caller is not changed', async () => {
    await site.answerer();
    const broker = await site.ready(site.component());
    const without = ping('peer.localhost');
    const answer = await broker.request(without);
    expect(answer.getAttribute('id')).toMatch(/^[0-9a-f]{32}$/);
    expect(without.hasAttribute('id')).toBe(false);
    expect((await broker.request(ping('peer.localhost', { id: 'own' }))).getAttribute('id')).toBe('own');
  });

  test('row 33: an id that is pending is replaced, and both answers find their own caller', async () => {
    const { broker, peer } = await site.pair();
    const asked = received(peer, 2);
    const requests = ['1', '2'].map((n) =>
      broker.request(xml('iq', { type: 'get', to: 'peer.localhost', id: 'same' }, xml('q', { xmlns: 'u:q', n }))),
    );
    const iqs = await asked;
    expect(new Set(iqs.map((iq) => iq.getAttribute('id'))).size).toBe(2);
    for (const iq of iqs.toReversed()) peer.output(reply(iq, iq.firstElementChild!.clone()));
    const answers = await Promise.all(requests);
    expect(answers.map((answer) => answer.firstElementChild?.getAttribute('n'))).toEqual(['1', '2']);
  });

  test('row 34: the answer goes once to who asked, and to no filter and no NODERECEIVED', async () => {
    await site.answerer();
    const broker = await site.ready(site.component());
    const [answered, filtered, seen] = [vi.fn(), vi.fn(), vi.fn()];
    broker.subscribe('answer', answered);
    broker.subscribe('any', filtered);
    broker.subscribe('PCJ_NODERECEIVED', seen);
    broker.filters.add('any', '/iq');
    const finished = broker.events.once('PCJ_RTS_FINISH');
    broker.returnToSender('answer', ping('peer.localhost', { id: 'q' }));
    const answer = await finished;
    expect(answered.mock.calls).toEqual([[answer]]);
    expect([filtered.mock.calls, seen.mock.calls]).toEqual([[], []]);
    expect(broker.events.listing().map(({ event, published }) => (published ? event : ''))).not.toContain('answer');
  });

  test('row 35: start and finish of a request can be seen', async () => {
    await site.answerer();
    const broker = await site.ready(site.component());
    const recorded = trace(broker);
    await broker.request(ping('peer.localhost'));
    expect(recorded.short).toEqual(['RTS_START', 'NODESENT(iq)', 'RTS_FINISH']);
  });

  test('row 36: many requests may wait at once', async () => {
    await site.answerer();
    const broker = await site.ready(site.component());
    const answers = await Promise.all(Array.from({ length: 500 }, () => broker.request(ping('peer.localhost'))));
    expect(new Set(answers.map((answer) => answer.getAttribute('id'))).size).toBe(500);
  });

  test('row 37: ask() waits for the answer with the same id, whatever else arrives', async () => {
    const peer = await site.ready(site.component('peer.localhost'));
    peer.subscribe('PCJ_NODERECEIVED', (node) => {
      peer.output(say('comp.localhost', 'in between'));
      peer.output(reply(node));
    });
    const connection = await site.signedIn();
    const answer = await connection.ask(ping('peer.localhost', { id: 'mine' }));
    expect([answer.name(), answer.attr('id')]).toEqual(['iq', 'mine']);
  });

  test('row 38: error answers reach who asked', async () => {
    await site.answerer();
    const broker = await site.ready(site.component());
    const asked = xml('iq', { type: 'get', to: 'peer.localhost', id: 'e' }, xml('q', { xmlns: 'u:q' }));
    expect(await failure(broker.request(asked))).toBeInstanceOf(StanzaError);
    const answer = broker.events.once('answer');
    broker.returnToSender('answer', asked);
    expect(((await answer) as Element).getAttribute('type')).toBe('error');
    const connection = await site.signedIn('third.localhost');
    expect(await failure(connection.ask(asked))).toMatchObject({ condition: 'item-not-found' });
  });

  test('row 39: requests that wait when the link is lost are told so', async () => {
    const { broker } = await site.pair();
    const asked = failure(broker.request(ping('peer.localhost')));
    const failed = broker.events.once('PCJ_RTS_FAIL');
    broker.returnToSender('answer', ping('peer.localhost', { id: 'q' }));
    await Promise.all([...broker.pending.values()].map(({ ticket }) => ticket.sent));
    site.server.cut('comp.localhost');
    expect(await asked).toMatchObject({ code: 'RTS_DISCONNECTED', sent: 'maybe' });
    await failed;
    expect(broker.pending.size).toBe(0);
  });
});
