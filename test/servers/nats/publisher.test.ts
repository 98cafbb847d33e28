// Stanzas of one process that another one sends: tickets travel back, purging is a decision that is allowed, and asking goes
// through the holder. J-4 is here.
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, headers } from '@nats-io/transport-node';
import { expect, it } from 'vitest';
import { BrokerError, StanzaError, xml } from 'xmpp-broker';
import { prepareNats } from 'xmpp-broker/nats';
import { describeServer, Nats, sharedServer } from '../harness/index.js';
import { account, component, message, QUEUE, SINK, useEndings, useNats, Xmpp } from './support/queue-world.js';

const atEnd = useEndings();
const { holder, publisher } = useNats(atEnd);
let prefixes = 0;
const prefix = (): { prefix: string } => ({ prefix: `p${(prefixes += 1)}` });

describeServer('nats', 'StanzaPublisher', () => {
  const nats = sharedServer(() => Nats.start());

  it('the holder sends what another process outputs, in order, and the tickets tell', async () => {
    const server = await nats();
    const at = prefix();
    const xmpp = await Xmpp.start(atEnd);
    const producer = publisher(server, at);
    const broker = holder(server, component(xmpp.server, QUEUE), at);
    await broker.connect();
    const tickets = Array.from({ length: 100 }, (_, i) => producer.output(message(String(i))));
    await Promise.all(tickets.map(({ sent }) => sent));
    await expect.poll(() => xmpp.bodies.length).toBe(100);
    expect(xmpp.bodies).toEqual(tickets.map((_, i) => String(i)));
    expect(xmpp.received[0]?.getAttribute('from')).toBe(QUEUE);
    expect(tickets[0]).toMatchObject({ state: 'sent', possibleDuplicate: false });
    await expect(tickets[0]!.acked).rejects.toMatchObject({ code: 'QUEUE_NOT_ACKABLE' });
  });

  it('with stream management the ticket is acknowledged', async () => {
    const server = await nats();
    const at = prefix();
    const xmpp = await Xmpp.start(atEnd);
    const broker = holder(server, account(xmpp.server), at);
    await broker.connect();
    const producer = publisher(server, { ...at, queue: 'juliet@localhost' });
    const ticket = producer.output(xml('message', { to: `x@${SINK}` }, xml('body', {}, 'hello')));
    await ticket.acked;
    expect(ticket.state).toBe('acked');
    expect(xmpp.bodies).toEqual(['hello']);
    expect(broker.queue.size).toBe(0);
  });

  it('what was output before a broker is there waits for it, and its own outputs are kept, too', async () => {
    const server = await nats();
    const at = prefix();
    const xmpp = await Xmpp.start(atEnd);
    await prepareNats({ servers: Nats.url(server) }, at);
    const producer = publisher(server, at);
    await producer.output(message('first')).stored;
    const broker = holder(server, component(xmpp.server, QUEUE), at);
    const active = broker.events.once('PCJ_ACTIVE');
    const own = broker.output(message('own'));
    await broker.connect();
    expect(await active).toEqual({ queue: QUEUE, epoch: 1, after: 'free' });
    await own.sent;
    await own.stored;
    await expect.poll(() => [...xmpp.bodies].sort()).toEqual(['first', 'own']);
  });

  it('the same key is the same stanza', async () => {
    const server = await nats();
    const at = prefix();
    const xmpp = await Xmpp.start(atEnd);
    await prepareNats({ servers: Nats.url(server) }, at);
    const producer = publisher(server, at);
    const first = producer.output(message('once'), { key: 'order 17' });
    expect(producer.output(message('again'), { key: 'order 17' })).toBe(first);
    await first.stored;
    const other = publisher(server, at);
    await other.output(message('again'), { key: 'order 17' }).stored;
    const broker = holder(server, component(xmpp.server, QUEUE), at);
    await broker.connect();
    await first.sent;
    await producer.output(message('last')).sent;
    await expect.poll(() => xmpp.bodies).toEqual(['once', 'last']);
  });

  it('the same key in another queue is another stanza', async () => {
    const server = await nats();
    const at = prefix();
    const xmpp = await Xmpp.start(atEnd);
    await prepareNats({ servers: Nats.url(server) }, at);
    const producer = publisher(server, at);
    await producer.output(message('of another'), { queue: 'other.localhost', key: 'order 17' }).stored;
    const broker = holder(server, component(xmpp.server, QUEUE), at);
    await broker.connect();
    await broker.output(message('its own'), { key: 'order 17' }).sent;
    const here = producer.output(message('here'), { key: 'order 18' });
    const there = producer.output(message('there'), { queue: 'other.localhost', key: 'order 18' });
    await Promise.all([here.sent, there.stored]);
    expect(there.state).toBe('stored');
    await expect.poll(() => xmpp.bodies).toEqual(['its own', 'here']);
    await using connection = await connect({ servers: Nats.url(server) });
    const manager = await jetstreamManager(connection);
    const kept = await manager.streams.info(`${at.prefix.toUpperCase()}_OUT`, { subjects_filter: '>' });
    expect(kept.state.subjects?.[`${at.prefix}.out.other=2Elocalhost`]).toBe(2);
  });

  it('what a foreign producer says in the first line of its headers stops nobody', async () => {
    const server = await nats();
    const at = prefix();
    const xmpp = await Xmpp.start(atEnd);
    await prepareNats({ servers: Nats.url(server) }, at);
    await using connection = await connect({ servers: Nats.url(server) });
    const subject = `${at.prefix}.out.sender=2Elocalhost`;
    for (const code of [100, 404, 409, 503]) {
      const foreign = headers(code, 'Consumer Deleted');
      foreign.set('Xmpp-At', String(Number.MAX_SAFE_INTEGER));
      await jetstream(connection).publish(subject, message(String(code)), { headers: foreign });
    }
    const producer = publisher(server, at);
    await producer.output(message('last')).stored;
    const broker = holder(server, component(xmpp.server, QUEUE), at);
    await broker.connect();
    await expect.poll(() => xmpp.bodies).toEqual(['100', '404', '409', '503', 'last']);
  });

  it('what cannot be sent is a dead letter, and the ticket fails', async () => {
    const server = await nats();
    const at = prefix();
    const xmpp = await Xmpp.start(atEnd);
    const broker = holder(server, component(xmpp.server, QUEUE), at);
    const dead = broker.events.once('PCJ_DEADLETTER');
    await broker.connect();
    // Without `to` the server would close the stream.
    const ticket = publisher(server, at).output('<message><body>x</body></message>');
    await expect(ticket.sent).rejects.toMatchObject({ code: 'QUEUE_REFUSED' });
    expect((await dead).error).toMatchObject({ code: 'QUEUE_UNREADABLE' });
    expect(ticket.state).toBe('failed');
  });

  it('a request goes through the holder: a result, an error, nobody, too late', async () => {
    const server = await nats();
    const at = prefix();
    const xmpp = await Xmpp.start(atEnd);
    const producer = publisher(server, at);
    const ask = xml('iq', { type: 'get', to: SINK, id: 'mine' }, xml('q', { xmlns: 'urn:x' }));
    await expect(producer.request(ask)).rejects.toMatchObject({ code: 'NATS_NO_HOLDER', retryable: true });
    const broker = holder(server, component(xmpp.server, QUEUE), at);
    await broker.connect();
    const answering = xmpp.sink.answer('get', { namespace: 'urn:x' }, () => xml('q', { xmlns: 'urn:x' }, 'answer'));
    const result = await producer.request(ask);
    expect([result.namespaceURI, result.getAttribute('type'), result.firstElementChild?.textContent]).toEqual([
      'jabber:client',
      'result',
      'answer',
    ]);
    answering.cancel();
    const failure: unknown = await producer.request(ask).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(StanzaError);
    expect(failure).toMatchObject({ condition: 'service-unavailable' });
    xmpp.sink.answer('get', { namespace: 'urn:x' }, () => new Promise(() => undefined));
    await expect(producer.request(ask, { timeout: 300 })).rejects.toMatchObject({ code: 'RTS_TIMEOUT' });
    const given = new AbortController();
    const asked = producer.request(ask, { signal: given.signal });
    given.abort(new Error('enough'));
    await expect(asked).rejects.toMatchObject({ code: 'RTS_ABORTED' });
    await expect(producer.request(message('x'), { queue: '' })).rejects.toMatchObject({ code: 'USAGE_REQUEST' });
  });

  it('bounds: QUEUE_FULL and NATS_TOO_BIG throw, and nothing was accepted', async () => {
    const server = await nats();
    const producer = publisher(server, { ...prefix(), maxStanzas: 2 });
    const failed = producer.subscribe('fail', () => undefined);
    producer.output(message('1'));
    producer.output(message('2'));
    expect(() => producer.output(message('3'))).toThrow(expect.objectContaining({ code: 'QUEUE_FULL' }) as BrokerError);
    const large = xml('message', { to: `x@${SINK}` }, xml('body', {}, 'x'.repeat(1 << 20)));
    expect(() => producer.output(large)).toThrow(expect.objectContaining({ code: 'NATS_TOO_BIG' }) as BrokerError);
    failed.cancel();
  });

  it('what turns out to be larger than NATS takes fails alone, and holds up nothing behind it', async () => {
    await using server = await Nats.start({ maxPayload: 65_536 });
    await prepareNats({ servers: Nats.url(server) }, {});
    const producer = publisher(server);
    const before = producer.output(message('before'));
    const large = producer.output(message('x'.repeat(100_000)));
    const behind = producer.output(message('behind'));
    await expect(large.stored).rejects.toMatchObject({ code: 'NATS_TOO_BIG', sent: 'no' });
    await Promise.all([before.stored, behind.stored]);
    expect([before, large, behind].map(({ state }) => state)).toEqual(['stored', 'failed', 'stored']);
  });

  it('a stanza larger than NATS takes is refused by output of the holder; others go on', async () => {
    const server = await nats();
    const at = prefix();
    const xmpp = await Xmpp.start(atEnd);
    const broker = holder(server, component(xmpp.server, QUEUE), at);
    const early = broker.output(xml('message', { to: `x@${SINK}` }, xml('body', {}, 'x'.repeat(1 << 20))));
    const small = broker.output(message('small'));
    await broker.connect();
    await expect(early.sent).rejects.toMatchObject({ code: 'STORE_LIMIT' });
    await small.sent;
    expect(() => broker.output(xml('message', { to: `x@${SINK}` }, xml('body', {}, 'x'.repeat(1 << 20))))).toThrow(
      expect.objectContaining({ code: 'STORE_LIMIT' }) as BrokerError,
    );
    await expect.poll(() => xmpp.bodies).toEqual(['small']);
  });

  it('after a restart a producer hears what became of its stanzas, if that is kept', async () => {
    const server = await nats();
    const at = prefix();
    const xmpp = await Xmpp.start(atEnd);
    const producer = publisher(server, { ...at, name: 'orders' });
    await expect(producer.ticket('a')).rejects.toMatchObject({ code: 'NATS_NO_STREAM' });
    await prepareNats({ servers: Nats.url(server) }, { ...at, keepReportsMs: 60_000 });
    const broker = holder(server, component(xmpp.server, QUEUE), at);
    await broker.connect();
    await producer.output(message('x'), { key: 'a b' }).sent;
    await producer.close();
    const again = publisher(server, { ...at, name: 'orders' });
    await expect
      .poll(() => again.ticket('a b'))
      .toEqual({
        queue: QUEUE,
        key: 'a b',
        outcome: 'sent',
        possibleDuplicate: false,
      });
    expect(await again.ticket('never')).toBeNull();
  });

  it('closing: what is stored is stored, and nobody waits for ever', async () => {
    const server = await nats();
    const at = prefix();
    await prepareNats({ servers: Nats.url(server) }, at);
    const producer = publisher(server, at);
    const ticket = producer.output(message('x'));
    const { sent } = ticket;
    await producer.close();
    await ticket.stored;
    await expect(sent).rejects.toMatchObject({ code: 'PUBLISHER_CLOSED' });
    expect(await producer.closed).toEqual({ clean: true });
    expect(() => producer.output(message('y'))).toThrow(
      expect.objectContaining({ code: 'PUBLISHER_CLOSED' }) as BrokerError,
    );
    await expect(producer.request(message('y'))).rejects.toMatchObject({ code: 'PUBLISHER_CLOSED' });
    await expect(producer.purge(QUEUE)).rejects.toMatchObject({ code: 'PUBLISHER_CLOSED' });
  });
});

describeServer('nats', 'J-4: purging across processes', () => {
  const nats = sharedServer(() =>
    Nats.start({
      users: [
        { user: 'holder', password: 'x' },
        { user: 'producer', password: 'x', publish: ['*.out.>', '*.ask.>'], subscribe: ['*.ticket.>', '_INBOX.>'] },
        { user: 'operator', password: 'x', publish: ['*.cmd.>'], subscribe: ['*.ticket.>', '_INBOX.>'] },
      ],
    }),
  );
  const as = async (user: string, at: { prefix: string }) => {
    const server = await nats();
    const connection = { servers: Nats.url(server), user, pass: 'x' };
    return { server, connection, ...at };
  };

  const login = async (user: string, at: { prefix: string }) => {
    const { connection } = await as(user, at);
    return { connection, ...at };
  };

  it('is allowed by the queue and by NATS; PCJ_PURGED tells who', async () => {
    const at = prefix();
    const { server, connection } = await as('holder', at);
    const xmpp = await Xmpp.start(atEnd);
    const asked: unknown[] = [];
    const queue = {
      onReady: 'hold' as const,
      remotePurge: (selection: object, by: string) => {
        asked.push([selection, by]);
        return by === 'ops';
      },
    };
    const broker = holder(server, { ...component(xmpp.server, QUEUE), queue }, { ...at, connection });
    for (const body of ['1', '2', '3', '4', '5']) broker.output(message(body), { key: body });
    await broker.connect();
    const operator = publisher(server, { ...(await login('operator', at)), name: 'ops' });
    expect(await operator.status(QUEUE)).toMatchObject({ queue: QUEUE, state: 'ready', held: 5, epoch: 1 });
    const purged = broker.events.once('PCJ_PURGED');
    expect(await operator.purge(QUEUE, { keys: ['2', '4'], names: ['message'] })).toBe(2);
    expect(await purged).toEqual({ queue: QUEUE, by: 'ops', count: 2 });
    await expect.poll(() => xmpp.bodies).toEqual(['2', '4']);
    expect(await operator.drop(QUEUE, { limit: 1 })).toBe(1);
    expect([...broker.queue].map(({ key }) => key)).toEqual(['3', '5']);
    expect(asked).toEqual([
      [{ keys: ['2', '4'], names: ['message'] }, 'ops'],
      [{ limit: 1 }, 'ops'],
    ]);
    const stranger = publisher(server, { ...(await login('operator', at)), name: 'stranger' });
    await expect(stranger.purge(QUEUE)).rejects.toMatchObject({
      code: 'QUEUE_PURGE_REFUSED',
      message: expect.stringContaining('stranger') as string,
    });
    const producer = publisher(server, await login('producer', at));
    await expect(producer.purge(QUEUE)).rejects.toMatchObject({ code: 'NATS_DENIED' });
    expect(broker.queue.size).toBe(2);
  });

  it('is refused by default, and when the function throws', async () => {
    const { server, connection } = await as('holder', { prefix: 'x' });
    for (const remotePurge of [undefined, false, () => Promise.resolve(true) as never]) {
      const at = prefix();
      const xmpp = await Xmpp.start(atEnd);
      const broker = holder(
        server,
        { ...component(xmpp.server, QUEUE), queue: { onReady: 'hold', remotePurge } },
        { ...at, connection },
      );
      await broker.connect();
      const operator = publisher(server, await login('operator', at));
      await expect(operator.purge(QUEUE)).rejects.toMatchObject({ code: 'QUEUE_PURGE_REFUSED', sent: 'no' });
      await expect(operator.drop(QUEUE, {})).rejects.toMatchObject({ code: 'QUEUE_PURGE_REFUSED' });
    }
  });

  it('a purge means what is in the stream, handed over or not', async () => {
    const at = prefix();
    const { server, connection } = await as('holder', at);
    const xmpp = await Xmpp.start(atEnd);
    await prepareNats(connection, at);
    const producer = publisher(server, { ...at, connection });
    const tickets = Array.from({ length: 30 }, (_, i) => producer.output(message(String(i))));
    await Promise.all(tickets.map(({ stored }) => stored));
    const broker = holder(
      server,
      { ...component(xmpp.server, QUEUE), queue: { onReady: 'hold', maxStanzas: 10 } },
      { ...at, connection },
    );
    await broker.connect();
    expect(broker.queue.size).toBe(10);
    broker.queue.send();
    await expect.poll(() => xmpp.bodies.length).toBe(30);
    expect(xmpp.bodies).toEqual(tickets.map((_, i) => String(i)));
    // What is newer than PCJ_READY is live.
    await producer.output(message('live')).sent;
    await expect.poll(() => xmpp.bodies.at(-1)).toBe('live');
  });
});
