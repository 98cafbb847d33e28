import { describe, expect, it } from 'vitest';
import { NS, xml } from 'xmpp-broker';
import { COMPONENT, handshake, header, SUCCESS } from '../support/component.js';
import { failure, OPENING, streamError, trace, useRig, type Conversation } from '../support/index.js';

const rig = useRig(COMPONENT);

const CONFLICT = `${streamError('conflict')}</stream:stream>`;

async function refuseAsConflict(server: Conversation): Promise<void> {
  await server.expect(OPENING);
  await server.send(header());
  await server.expect('</handshake>');
  await server.send(CONFLICT);
  await server.expect('</stream:stream>');
  server.end();
}

describe('reconnecting', () => {
  it('a lost link is dialled again, and the queue waits for a purge', async () => {
    const { broker, server, peer } = await rig.ready({ reconnect: { firstDelayMs: 5, maxDelayMs: 5 } });
    const recorded = trace(broker);
    const again = broker.events.once('PCJ_READY');
    server.end();
    const second = await peer.accept();
    broker.output(xml('message', { to: 'a@b', id: 'held' }));
    await handshake(second);
    await again;
    // What is output while offline is held, whatever the attempt is doing.
    expect(recorded.short.filter((name) => name === 'NODEQUEUED')).toHaveLength(1);
    expect(recorded.short.filter((name) => name !== 'NODEQUEUED')).toEqual([
      'SOCKETFAIL',
      'SOCKETDISCONNECT',
      'RECONNECTING',
      ...SUCCESS,
    ]);
    expect(broker.queue.size).toBe(1);
    const [ticket] = broker.purgeQueue();
    await ticket!.sent;
    await second.expect(/id=["']held["']/);
  });

  it('S-CONN-9: a permanent failure is not retried', async () => {
    const { broker, server } = await rig.ready({ reconnect: { firstDelayMs: 1 } });
    const recorded = trace(broker);
    const closed = broker.closed;
    await server.send(`<stream:error><conflict xmlns='${NS.STREAMS}'/></stream:error>`);
    server.end();
    await closed;
    expect(recorded.short).not.toContain('RECONNECTING');
    expect(broker.state).toBe('disconnected');
  });

  it('reconnect: { initial: true } retries the first attempt until it is ready', async () => {
    const { broker, connected, server, peer } = await rig.dialled({
      reconnect: { initial: true, firstDelayMs: 5, maxDelayMs: 5 },
    });
    await server.expect(OPENING);
    server.end();
    await handshake(await peer.accept());
    await connected;
    expect(broker.state).toBe('ready');
  });
});

describe('a name that another connection has', () => {
  it('S-COMP-3: a conflict while connecting is final without reconnect.initial', async () => {
    const { recorded, connected, server } = await rig.dialled({ reconnect: { firstDelayMs: 1 } });
    await refuseAsConflict(server);
    expect(await failure(connected)).toMatchObject({ code: 'STREAM_ERROR', condition: 'conflict', retryable: true });
    expect(recorded.short).not.toContain('RECONNECTING');
  });

  it('a conflict while reconnecting is retried: it may be our own lost link', async () => {
    const { broker, server, peer } = await rig.ready({ reconnect: { firstDelayMs: 1, maxDelayMs: 5 } });
    const recorded = trace(broker);
    server.reset();
    for (let refusals = 0; refusals < 3; refusals += 1) await refuseAsConflict(await peer.accept());
    const back = broker.events.once('PCJ_READY');
    await handshake(await peer.accept());
    await back;
    expect(recorded.short.filter((name) => name === 'RECONNECTING')).toHaveLength(4);
    expect(recorded.short.filter((name) => name === 'AUTHFAIL')).toHaveLength(3);
  });

  it('a conflict on a ready link is final: somebody else has the name now', async () => {
    const { broker, server } = await rig.ready({ reconnect: { firstDelayMs: 1 } });
    const recorded = trace(broker);
    const { closed } = broker;
    await server.send(CONFLICT);
    server.end();
    expect(await closed).toMatchObject({ clean: false, error: { condition: 'conflict', retryable: false } });
    expect(recorded.short.slice(0, 3)).toEqual(['PROTOCOLERROR', 'SOCKETFAIL', 'SOCKETDISCONNECT']);
    expect(recorded.short).not.toContain('RECONNECTING');
    expect(broker.state).toBe('disconnected');
  });
});
