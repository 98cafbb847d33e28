import { describe, expect, it } from 'vitest';
import { xml } from 'xmpp-broker';
import { COMPONENT, handshake, SUCCESS } from '../support/component.js';
import { OPENING, trace, useRig } from '../support/index.js';

const rig = useRig(COMPONENT);

describe('closing', () => {
  it('shutdown: end tag, what still arrives, then the socket; C order', async () => {
    const { broker, server } = await rig.ready();
    const recorded = trace(broker);
    const closed = broker.closed;
    const done = broker.shutdown();
    expect(broker.shutdown()).toBe(done);
    await server.expect('</stream:stream>');
    await server.send(`<message id='late'/></stream:stream>`);
    await done;
    expect(recorded.short).toEqual([
      'STREAMEND',
      'SHUTDOWN_START',
      'NODERECEIVED',
      'SOCKETDISCONNECT',
      'SHUTDOWN_FINISH',
    ]);
    expect(recorded.last('PCJ_SOCKETDISCONNECT')).toEqual({ clean: true });
    expect(await closed).toEqual({ clean: true });
    expect(broker.state).toBe('idle');
    expect(broker.jid).toBeNull();
    await broker.shutdown();
    expect(recorded.short).toHaveLength(5);
  });

  it('S-STREAM-16: a peer that never closes is left after the time limit, unclean', async () => {
    const { broker } = await rig.ready({ timeouts: { close: 100 } });
    const recorded = trace(broker);
    await broker.shutdown();
    expect(recorded.last('PCJ_SOCKETDISCONNECT')).toMatchObject({ clean: false });
    expect(recorded.short.at(-1)).toBe('SHUTDOWN_FINISH');
  });

  it('S-STREAM-17: the peer closes first: everything before is delivered, the end tag is answered', async () => {
    const { broker, server } = await rig.ready();
    const recorded = trace(broker);
    const closed = broker.closed;
    await server.send(`<message id='last'/></stream:stream>`);
    await server.expect('</stream:stream>');
    server.end();
    await closed;
    expect(recorded.short).toEqual(['NODERECEIVED', 'SOCKETFAIL', 'SOCKETDISCONNECT']);
  });

  it('S-STREAM-18: FIN without an end tag and RST are unclean ends', async () => {
    for (const cut of ['end', 'reset'] as const) {
      const { broker, server } = await rig.ready();
      const closed = broker.closed;
      server[cut]();
      expect(await closed).toMatchObject({ clean: false });
    }
  });

  it('halt: no event, pending work fails, later commands throw', async () => {
    const { broker } = await rig.ready();
    const recorded = trace(broker);
    const asked = broker.request(xml('iq', { type: 'get', to: 'a@b' }, xml('q', { xmlns: 'urn:x' })));
    recorded.clear();
    broker.halt();
    await expect(asked).rejects.toMatchObject({ code: 'BROKER_HALTED' });
    expect(recorded.names).toEqual([]);
    expect(() => broker.output('<presence/>')).toThrow(expect.objectContaining({ code: 'BROKER_HALTED' }));
    expect(() => broker.connect()).toThrow(expect.objectContaining({ code: 'BROKER_HALTED' }));
    expect(broker.state).toBe('halted');
  });

  it('shutdown while connecting ends the attempt with one outcome', async () => {
    const { broker, recorded, connected, server } = await rig.dialled({ timeouts: { close: 100 } });
    await server.expect(OPENING);
    await broker.shutdown();
    await expect(connected).rejects.toMatchObject({ code: 'CONNECT_ABORTED' });
    expect(recorded.short.filter((name) => name.endsWith('FAIL'))).toEqual(['CONNECTFAIL']);
    expect(broker.state).toBe('idle');
  });

  it('S-CONN-13: an abort signal ends the attempt', async () => {
    const peer = await rig.listen();
    const { broker } = rig.broker(peer);
    const controller = new AbortController();
    const connected = broker.connect({ signal: controller.signal });
    await (await peer.accept()).expect(OPENING);
    controller.abort();
    await expect(connected).rejects.toMatchObject({ code: 'CONNECT_ABORTED' });
    await expect(broker.connect({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'CONNECT_ABORTED' });
  });

  it('DECISIONS 18: connect while connecting supersedes; connect while ready closes first', async () => {
    const peer = await rig.listen();
    const { broker } = rig.broker(peer);
    const first = broker.connect();
    await (await peer.accept()).expect(OPENING);
    const second = broker.connect();
    await expect(first).rejects.toMatchObject({ code: 'CONNECT_SUPERSEDED' });
    const server = await peer.accept();
    await handshake(server);
    await second;
    const recorded = trace(broker);
    const third = broker.reconnect();
    await server.expect('</stream:stream>');
    await server.send('</stream:stream>');
    await handshake(await peer.accept());
    await third;
    expect(recorded.short).toEqual(['SOCKETDISCONNECT', ...SUCCESS]);
  });
});

describe('closed', () => {
  it('is the end of this life, of the last one at rest, and of the next one after connect', async () => {
    const { broker, server, peer } = await rig.ready();
    server.end();
    const first = await broker.closed;
    expect(first).toMatchObject({ clean: false });
    expect(await broker.closed).toBe(first);
    const connected = broker.connect();
    const second = broker.closed;
    await handshake(await peer.accept());
    await connected;
    expect(await Promise.race([second, Promise.resolve('open')])).toBe('open');
    broker.halt();
    expect((await second).error).toMatchObject({ code: 'BROKER_HALTED' });
  });
});
