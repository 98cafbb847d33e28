import { describe, expect, it } from 'vitest';
import { RouterControl, xml } from 'xmpp-broker';
import { trace, useRig } from '../support/index.js';
import { answer, message, route, ROUTER, SERVICE } from '../support/service.js';

const rig = useRig(SERVICE);

describe('throttling', () => {
  it('S-J2-5: asked by the router, stanzas wait until it asks again', async () => {
    const { broker, server } = await rig.ready();
    const recorded = trace(broker);
    const throttled = broker.events.once('PCJ_THROTTLE');
    await server.send(`<throttle xmlns='${ROUTER}'/>`);
    expect(await throttled).toEqual({ throttled: true, side: 'outbound' });
    const tickets = ['1', '2'].map((id) => broker.output(xml('message', { to: 'a@localhost', id })));
    expect(tickets.map(({ state }) => state)).toEqual(['queued', 'queued']);
    const again = broker.events.once('PCJ_THROTTLE');
    await server.send(`<throttle xmlns='${ROUTER}'/>`);
    expect(await again).toEqual({ throttled: false, side: 'outbound' });
    const packets = await server.expect(/<\/route>.*<\/route>/s);
    expect(packets).toMatch(/id='1'.*id='2'/s);
    await Promise.all(tickets.map(({ sent }) => sent));
    expect(recorded.short.filter((name) => name === 'THROTTLE')).toHaveLength(2);
  });

  it('A-NEG-16: a storm of it and answers nobody asked for change nothing', async () => {
    const { broker, server } = await rig.ready();
    const recorded = trace(broker);
    const seen = broker.events.once('PCJ_NODERECEIVED');
    const nobody = answer('nobody') + answer('nobody', "error='409'") + answer('nobody', '', 'unbind');
    await server.send(`<throttle xmlns='${ROUTER}'/>`.repeat(10_000) + nobody + route(message()));
    await seen;
    expect(recorded.short.filter((name) => name === 'THROTTLE')).toHaveLength(10_000);
    expect(recorded.short.filter((name) => name !== 'THROTTLE' && name !== 'PROTOCOLERROR')).toEqual(['NODERECEIVED']);
    expect(broker.state).toBe('ready');
    broker.output(xml('message', { to: 'a@localhost', id: 'after' }));
    await server.expect("id='after'");
  });

  it('S-J2-5 A-NEG-16: what is held meanwhile is bounded', async () => {
    const { broker, server } = await rig.ready({ queue: { maxBytes: 1_000 } });
    const throttled = broker.events.once('PCJ_THROTTLE');
    await server.send(`<throttle xmlns='${ROUTER}'/>`);
    await throttled;
    const fill = () => {
      for (let n = 0; n < 100; n += 1)
        broker.output(xml('message', { to: 'a@localhost' }, xml('body', {}, 'x'.repeat(90))));
    };
    expect(fill).toThrow(expect.objectContaining({ code: 'QUEUE_FULL' }));
  });

  it('what a throttled link did not send returns to the queue when it is lost', async () => {
    const { broker, server } = await rig.ready();
    const throttled = broker.events.once('PCJ_THROTTLE');
    await server.send(`<throttle xmlns='${ROUTER}'/>`);
    await throttled;
    const ticket = broker.output(xml('message', { to: 'a@localhost' }));
    const lost = broker.events.once('PCJ_SOCKETDISCONNECT');
    server.reset();
    await lost;
    expect([...broker.queue]).toEqual([ticket]);
    expect(ticket.possibleDuplicate).toBe(false);
  });

  it('asked by us, the router holds what is for us', async () => {
    const { broker, server } = await rig.ready();
    const recorded = trace(broker);
    const control = new RouterControl(broker);
    for (const held of [true, false]) {
      const done = control.throttle(held);
      await server.expect(/<throttle[^>]*>/);
      await server.send(`<throttle xmlns='${ROUTER}'/>`);
      await done;
      expect(control.throttled).toBe(held);
      expect(recorded.last('PCJ_THROTTLE')).toEqual({ throttled: held, side: 'inbound' });
    }
    await control.throttle(false);
    expect(recorded.short).toEqual(['NODESENT(throttle)', 'THROTTLE', 'NODESENT(throttle)', 'THROTTLE']);
    broker.output(xml('message', { to: 'a@localhost' }));
    await server.expect('</route>');
  });
});
