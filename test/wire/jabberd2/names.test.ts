import { describe, expect, it } from 'vitest';
import { parse, RouterControl, xml } from 'xmpp-broker';
import { failure, trace, useRig } from '../support/index.js';
import { answer, message, negotiate, readBind, route, SERVICE } from '../support/service.js';

const rig = useRig(SERVICE);

describe('several names on one link', () => {
  it('are bound and unbound while the link is in use', async () => {
    const { broker, server } = await rig.ready();
    const control = new RouterControl(broker);
    const recorded = trace(broker);
    expect(() => broker.output(xml('message', { to: 'a@localhost', from: 'x@two.localhost' }))).toThrow(
      expect.objectContaining({ code: 'USAGE_COMPONENT_ADDRESS' }),
    );
    const bound = control.bind('Two.localhost', { multi: true });
    const bind = await readBind(server);
    expect(bind.text).toContain("name='two.localhost'");
    expect(bind.text).toContain("multi='1'");
    await server.send(answer(bind.id));
    await bound;
    expect([...control.names]).toEqual(['two.localhost']);
    expect(recorded.last('PCJ_NAME')).toEqual({ name: 'two.localhost', bound: true });
    broker.output(xml('message', { to: 'a@localhost', from: 'x@two.localhost' }));
    expect(await server.expect('</route>')).toContain("from='two.localhost'");
    const next = broker.events.once('PCJ_NODERECEIVED');
    await server.send(route(message("to='x@two.localhost'"), "to='two.localhost' from='sm'"));
    expect((await next).getAttribute('to')).toBe('x@two.localhost');
    const unbound = control.unbind('two.localhost');
    const unbind = await readBind(server, 'unbind');
    await server.send(answer(unbind.id, '', 'unbind'));
    await unbound;
    expect(recorded.last('PCJ_NAME')).toEqual({ name: 'two.localhost', bound: false });
    expect(control.names.size).toBe(0);
    expect(() => broker.output(xml('message', { to: 'a@localhost', from: 'x@two.localhost' }))).toThrow();
  });

  it('S-J2-2: a name that is bound is refused here, and not asked for again', async () => {
    const { broker, server } = await rig.ready();
    const control = new RouterControl(broker);
    const bound = control.bind('two.localhost');
    const { id } = await readBind(server);
    await server.send(answer(id));
    await bound;
    const error = await failure(control.bind('TWO.localhost'));
    expect(error).toMatchObject({ condition: 'conflict', origin: 'local', retryable: false });
    expect(server.unread).toBe('');
  });

  it('a name with default receives for everybody, as long as it is bound', async () => {
    const { broker, server } = await rig.ready();
    const control = new RouterControl(broker);
    const bound = control.bind('all.localhost', { default: true });
    const bind = await readBind(server);
    expect(bind.text).toContain('<default/>');
    await server.send(answer(bind.id));
    await bound;
    const next = broker.events.once('PCJ_NODERECEIVED');
    await server.send(route(message("to='x@remote.example'"), "to='remote.example' from='sm'"));
    await next;
  });

  it.each([
    ['bind', '403', 'forbidden'],
    ['bind', '409', 'conflict'],
    ['unbind', '404', 'item-not-found'],
  ] as const)('a refused %s (%s) rejects and is PCJ_NAME with the error', async (verb, code, condition) => {
    const { broker, server } = await rig.ready();
    const control = new RouterControl(broker);
    const recorded = trace(broker);
    const asked = failure(control[verb]('two.localhost'));
    const { id } = await readBind(server, verb);
    await server.send(answer(id, `error='${code}'`, verb));
    expect(await asked).toMatchObject({ code: 'BIND_FAILED', condition, phase: 'ready' });
    expect(recorded.last('PCJ_NAME')).toMatchObject({
      name: 'two.localhost',
      bound: verb === 'bind',
      error: { condition },
    });
    expect(control.names.size).toBe(0);
  });

  it('names are bound again after a reconnect, before what is purged', async () => {
    const { broker, server, peer } = await rig.ready({ queue: { purgeOnReady: true } });
    const control = new RouterControl(broker);
    const bound = control.bind('two.localhost');
    await server.send(answer((await readBind(server)).id));
    await bound;
    const lost = broker.events.once('PCJ_SOCKETDISCONNECT');
    server.reset();
    await lost;
    expect(control.names.size).toBe(0);
    broker.output(xml('message', { to: 'a@localhost', id: 'held' }));
    const connected = broker.connect();
    const second = await peer.accept();
    await negotiate(second);
    await connected;
    const bind = await readBind(second);
    expect(bind.text).toContain("name='two.localhost'");
    expect(await second.expect('</route>')).toContain("id='held'");
    const named = broker.events.once('PCJ_NAME');
    await second.send(answer(bind.id));
    expect(await named).toEqual({ name: 'two.localhost', bound: true });
    expect([...control.names]).toEqual(['two.localhost']);
  });

  it('what is held from such a name goes out behind its <bind/>, also when it is purged at once', async () => {
    const { broker, server, peer } = await rig.ready({ queue: { purgeOnReady: true } });
    const control = new RouterControl(broker);
    const bound = control.bind('two.localhost');
    await server.send(answer((await readBind(server)).id));
    await bound;
    const lost = broker.events.once('PCJ_SOCKETDISCONNECT');
    server.reset();
    await lost;
    const recorded = trace(broker);
    const ticket = broker.output(xml('message', { to: 'a@localhost', from: 'x@two.localhost', id: 'held' }));
    const connected = broker.connect();
    const second = await peer.accept();
    await negotiate(second);
    await connected;
    await readBind(second);
    const packet = parse(await second.expect('</route>'));
    expect([packet.getAttribute('from'), packet.firstElementChild?.getAttribute('id')]).toEqual([
      'two.localhost',
      'held',
    ]);
    await ticket.sent;
    expect(recorded.short).not.toContain('QUEUEFAIL');
  });

  it('a name can be sent from as soon as it is asked for, and no more when it was refused', async () => {
    const { broker, server } = await rig.ready();
    const control = new RouterControl(broker);
    const refused = failure(control.bind('two.localhost'));
    const stanza = xml('message', { to: 'a@localhost', from: 'x@two.localhost' });
    broker.output(stanza);
    const { id } = await readBind(server);
    expect(await server.expect('</route>')).toContain("from='two.localhost'");
    await server.send(answer(id, "error='403'"));
    await refused;
    expect(() => broker.output(stanza)).toThrow(expect.objectContaining({ code: 'USAGE_COMPONENT_ADDRESS' }));
  });

  it('a lost link, silence and a broker that is not ready end the waiting', async () => {
    const { broker, server } = await rig.ready({ timeouts: { bind: 50, close: 100 } });
    const control = new RouterControl(broker);
    expect(await failure(control.bind('slow.localhost'))).toMatchObject({ code: 'BIND_TIMEOUT' });
    const cut = failure(control.bind('cut.localhost'));
    server.reset();
    expect(await cut).toMatchObject({ code: 'ROUTER_NOT_READY', retryable: true });
    expect(await failure(control.bind('late.localhost'))).toMatchObject({ code: 'ROUTER_NOT_READY' });
    expect(await failure(control.throttle(true))).toMatchObject({ code: 'ROUTER_NOT_READY' });
    expect(broker.queue.size).toBe(0);
  });

  it('bad arguments', async () => {
    const { broker } = await rig.ready();
    const control = new RouterControl(broker);
    for (const name of ['a@b', 'a/b', '', 7, undefined, '@']) {
      expect(await failure(control.bind(name as string))).toMatchObject({ code: 'USAGE_NAME' });
      expect(await failure(control.unbind(name as string))).toMatchObject({ code: 'USAGE_NAME' });
    }
    expect(await failure(control.bind('a.localhost', { shared: true } as object))).toMatchObject({
      code: 'USAGE_NAME',
    });
    expect(await failure(control.bind('a.localhost', { multi: 'yes' } as object))).toMatchObject({
      code: 'USAGE_NAME',
    });
    const asked = failure(control.bind('b.localhost'));
    expect(await failure(control.bind('b.localhost'))).toMatchObject({ code: 'USAGE_NAME' });
    broker.halt();
    void asked;
  });

  it('works with events alone: <bind/> without id gets one', async () => {
    const { broker, server } = await rig.ready();
    const named = broker.events.once('PCJ_NAME');
    const ticket = broker.output("<bind name='two.localhost'/>");
    const { id } = await readBind(server);
    expect(ticket.node.getAttribute('id')).toBe(id);
    await server.send(answer(id));
    expect(await named).toEqual({ name: 'two.localhost', bound: true });
  });
});
