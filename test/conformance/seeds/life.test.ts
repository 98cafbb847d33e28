import { createServer } from 'node:net';
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { Broker, BrokerError, JID, NS } from 'xmpp-broker';
import * as events from '../../../src/events.js';
import { failure } from '../../support/failure.js';
import { OPEN, TAIL, trace } from '../../support/trace.js';
import { ScriptedPeer, streamHeader } from '../../wire/support/index.js';
import { ping, say, useSite } from './site.js';

const site = useSite();

const STARTTLS = ['SSLNEGOTIATE', 'NODESENT(starttls)', 'SSLSUCCESS', 'STREAMSTART', 'NODESENT(stream)'];

const HANDSHAKE = ['AUTHNEGOTIATE', 'NODESENT(handshake)', 'AUTHSUCCESS', 'READY'];

describe('the life of a connection', () => {
  test('row 9: reconnect at any moment tears down and negotiates from zero', async () => {
    const broker = site.component();
    const first = failure(broker.connect());
    await broker.reconnect();
    expect(await first).toMatchObject({ code: 'CONNECT_SUPERSEDED' });
    const { sid } = broker;
    const recorded = trace(broker);
    await broker.reconnect();
    expect(broker.sid).not.toBe(sid);
    expect(recorded.short).toEqual(['SOCKETDISCONNECT', ...OPEN, ...HANDSHAKE]);
  });

  test('row 10: a refused connection is reported with operation, errno and text', async () => {
    const listener = createServer().listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const { port } = listener.address() as { port: number };
    listener.close();
    await once(listener, 'close');
    const broker = site.component('comp.localhost', { port });
    const recorded = trace(broker);
    const error = await failure(broker.connect());
    expect(error).toMatchObject({ code: 'TCP_REFUSED', layer: 'tcp' });
    expect(error.message).toContain(`connect ECONNREFUSED 127.0.0.1:${String(port)}`);
    expect(recorded.short).toEqual(['CONNECT', 'CONNECTING', 'CONNECTFAIL']);
  });

  test('row 11: a lost link is reported; an end of file is told from a reset', async () => {
    const codes: string[] = [];
    for (const end of ['reset', 'end'] as const) {
      const peer = await ScriptedPeer.listen();
      const broker = site.component('comp.localhost', { port: peer.port });
      const connected = broker.connect();
      const server = await peer.accept();
      await server.expect(/<stream:stream[^>]*>/);
      await server.send(streamHeader({ xmlns: NS.COMPONENT_ACCEPT, id: 'S', from: 'comp.localhost', version: null }));
      await server.expect('</handshake>');
      await server.send('<handshake/>');
      await connected;
      const recorded = trace(broker);
      const lost = broker.events.once('PCJ_SOCKETDISCONNECT');
      server[end]();
      expect(await lost).toMatchObject({ clean: false });
      expect(recorded.short).toEqual(['SOCKETFAIL', 'SOCKETDISCONNECT']);
      codes.push((recorded.payloads[0] as BrokerError).code);
      await peer.close();
    }
    expect(codes).toEqual(['TCP_RESET', 'STREAM_CLOSED']);
  });

  test('row 12: shutdown sends the end of the stream, reports start and finish, and closes; twice is once', async () => {
    const broker = await site.ready(site.component());
    const recorded = trace(broker);
    const gone = site.server.events.once('closed');
    await Promise.all([broker.shutdown(), broker.shutdown()]);
    expect(await gone).toMatchObject({ fault: null, error: null });
    expect(recorded.short).toEqual(TAIL);
    await broker.shutdown();
    expect(recorded.short).toEqual(TAIL);
  });

  test('row 13: halt drops everything at once; later commands fail', async () => {
    const broker = await site.ready(site.component());
    const recorded = trace(broker);
    broker.halt();
    expect([broker.state, broker.jid, recorded.short]).toEqual(['halted', null, []]);
    expect(() => broker.output(say('a@b', 'x'))).toThrow(expect.objectContaining({ code: 'BROKER_HALTED' }));
    expect(() => broker.connect()).toThrow(expect.objectContaining({ code: 'BROKER_HALTED' }));
  });

  test('row 14: jid is the negotiated one when READY is seen, and gone with the link', async () => {
    const broker = site.client('alice', { resource: 'balcony' });
    const seen: unknown[] = [];
    broker.subscribe('PCJ_READY', ({ jid }) => seen.push(broker.jid, jid));
    await broker.connect();
    expect(seen.map(String)).toEqual(['alice@localhost/balcony', 'alice@localhost/balcony']);
    expect(broker.jid).toBeInstanceOf(JID);
    await broker.shutdown();
    expect(broker.jid).toBeNull();
  });

  test('row 15: stream id, configuration, queue and pending requests can be looked at', async () => {
    const broker = site.component();
    broker.output(say('peer.localhost', 'held'));
    expect([broker.queue.size, broker.sid]).toEqual([1, null]);
    await broker.connect();
    const asked = failure(broker.request(ping('third.localhost', { id: 'p' }), { timeout: 5_000 }));
    expect([...broker.pending.keys()]).toEqual(['p']);
    expect(broker.sid).toMatch(/.+/);
    expect(broker.config.domain).toBe('comp.localhost');
    expect(JSON.stringify(broker.config)).not.toContain('secret');
    await asked;
    expect(broker.pending.size).toBe(0);
  });

  test('row 16: each step of the life is an event of its own name, all 28 of them', () => {
    const names =
      'CONNECT CONNECTING CONNECTFAIL CONNECTED STREAMSTART SSLNEGOTIATE SSLSUCCESS SSLFAIL AUTHNEGOTIATE AUTHSUCCESS ' +
      'AUTHFAIL BINDNEGOTIATE BINDSUCCESS BINDFAIL SESSIONNEGOTIATE SESSIONSUCCESS SESSIONFAIL READY NODESENT NODEQUEUED ' +
      'NODERECEIVED RTS_START RTS_FINISH STREAMEND SHUTDOWN_START SOCKETDISCONNECT SHUTDOWN_FINISH SOCKETFAIL';
    const constants: Readonly<Record<string, unknown>> = events;
    expect(names.split(' ')).toHaveLength(28);
    for (const name of names.split(' ')) expect(constants[`PCJ_${name}`]).toBe(`PCJ_${name}`);
  });

  test.each<[string, () => Broker, string[]]>([
    [
      'XMPP',
      () => site.client('alice', { resource: 'r' }),
      [
        ...OPEN,
        ...STARTTLS,
        'AUTHNEGOTIATE',
        'NODESENT(auth)',
        'NODESENT(response)',
        'AUTHSUCCESS',
        'STREAMSTART',
        'NODESENT(stream)',
        'BINDNEGOTIATE',
        'RTS_START',
        'NODESENT(iq)',
        'BINDSUCCESS',
        'NODESENT(enable)',
        'SM_ENABLED',
        'READY',
      ],
    ],
    [
      'LEGACY',
      () => site.legacy(),
      [...OPEN, ...STARTTLS, 'AUTHNEGOTIATE', 'NODESENT(iq)', 'NODESENT(iq)', 'AUTHSUCCESS', 'READY'],
    ],
    ['JABBERD14_COMPONENT', () => site.component(), [...OPEN, ...HANDSHAKE]],
    [
      'JABBERD20_COMPONENT',
      () => site.service(),
      [
        ...OPEN,
        ...STARTTLS,
        'AUTHNEGOTIATE',
        'NODESENT(auth)',
        'NODESENT(response)',
        'AUTHSUCCESS',
        'STREAMSTART',
        'NODESENT(stream)',
        'BINDNEGOTIATE',
        'RTS_START',
        'NODESENT(bind)',
        'BINDSUCCESS',
        'READY',
      ],
    ],
  ])('row 17: the order of events is that of the old library: %s', async (_, make, order) => {
    const broker = make();
    const recorded = trace(broker);
    await broker.connect();
    expect(recorded.short.slice(0, recorded.short.indexOf('READY') + 1)).toEqual(order);
    await broker.shutdown();
    expect(recorded.short.filter((name) => name !== 'DOMAIN' && name !== 'NODERECEIVED').slice(-4)).toEqual(TAIL);
  });
});
