import { describe, expect, it } from 'vitest';
import { Broker, JABBERD20_COMPONENT, NS, parse, routeOf, RouterControl, xml, type FilterMatch } from 'xmpp-broker';
import { trace, useRig } from '../support/index.js';
import { answer, message, NAME, readBind, route, ROUTER, SERVICE } from '../support/service.js';

const rig = useRig(SERVICE);

describe('packets going out', () => {
  it.each<[string, Parameters<Broker['output']>[0]]>([
    ['an element of the builder', xml('message', { to: 'alice@localhost/r1', id: '1' }, xml('body', {}, 'x'))],
    [
      'an element of jabber:client',
      xml('message', { xmlns: NS.CLIENT, to: 'alice@localhost/r1', id: '1' }, xml('body', {}, 'x')),
    ],
    [
      'an element of the router',
      xml('message', { xmlns: ROUTER, to: 'alice@localhost/r1', id: '1' }, xml('body', {}, 'x')),
    ],
    [
      'an element of jabber:server',
      xml('message', { xmlns: NS.SERVER, to: 'alice@localhost/r1', id: '1' }, xml('body', {}, 'x')),
    ],
    ['a string', "<message to='alice@localhost/r1' id='1'><body>x</body></message>"],
    ['a parsed string', parse("<message to='alice@localhost/r1' id='1'><body>x</body></message>")],
    ['a prefix', "<c:message xmlns:c='jabber:client' to='alice@localhost/r1' id='1'><c:body>x</c:body></c:message>"],
  ])('S-J2-3: %s is wrapped, in jabber:client, from our name', async (_, stanza) => {
    const { broker, server } = await rig.ready();
    broker.output(stanza);
    const packet = parse(await server.expect('</route>'));
    expect(packet.name).toBe('route'); // in the namespace of the stream
    expect([packet.getAttribute('from'), packet.getAttribute('to')]).toEqual([NAME, 'localhost']);
    const inner = packet.firstElementChild!;
    expect(inner.is('message', NS.CLIENT)).toBe(true);
    expect(inner.getChildText('body')).toBe('x');
    expect([inner.getAttribute('from'), inner.getAttribute('to'), inner.getAttribute('id')]).toEqual([
      NAME,
      'alice@localhost/r1',
      '1',
    ]);
  });

  it('payloads keep their namespaces', async () => {
    const { broker, server } = await rig.ready();
    broker.output(
      xml(
        'iq',
        { to: 'localhost', type: 'get', id: 'i' },
        xml('query', { xmlns: NS.DISCO_INFO }, xml('x', { xmlns: 'urn:x' })),
      ),
    );
    const inner = parse(await server.expect('</route>')).firstElementChild!;
    expect(inner.toString()).toContain(`<query xmlns='${NS.DISCO_INFO}'><x xmlns='urn:x'/></query>`);
  });

  it("the caller's element is not changed", async () => {
    const { broker, server } = await rig.ready();
    const stanza = xml('message', { xmlns: NS.CLIENT, to: 'a@localhost', from: `joe@${NAME}` }, xml('body', {}, 'x'));
    const before = stanza.toString();
    broker.output(stanza);
    broker.output(stanza);
    await server.expect(/<\/route>.*<\/route>/s);
    expect(stanza.toString()).toBe(before);
    expect(stanza.parentElement).toBeNull();
  });

  it('NODESENT shows the stanza, not the packet', async () => {
    const { broker, server } = await rig.ready();
    const sent: string[] = [];
    broker.subscribe('PCJ_NODESENT', (node) => void sent.push(node.localName));
    broker.output(xml('message', { to: 'a@localhost' }, xml('body', {}, 'x')));
    await server.expect('</route>');
    expect(sent).toEqual(['message']);
  });

  it('from a name that is not bound here: refused, nothing is written', async () => {
    const { broker, server } = await rig.ready();
    expect(() => broker.output(xml('message', { to: 'a@localhost', from: 'joe@evil.localhost' }))).toThrow(
      expect.objectContaining({ code: 'USAGE_COMPONENT_ADDRESS' }),
    );
    await expect(
      broker.request(
        xml('iq', { to: 'a@localhost', from: 'joe@evil.localhost', type: 'get' }, xml('q', { xmlns: 'u:q' })),
      ),
    ).rejects.toMatchObject({ code: 'USAGE_COMPONENT_ADDRESS' });
    expect(broker.pending.size).toBe(0);
    broker.output(xml('message', { to: 'a@localhost', id: 'last' }));
    expect(await server.expect('</route>')).toContain("id='last'");
  });

  it.each([
    ['no to', '<message/>', 'USAGE_COMPONENT_ADDRESS'],
    ['a to that is no address', "<message to='@'/>", 'USAGE_JID'],
    ['no stanza', "<x xmlns='urn:x' to='a@b'/>", 'USAGE_ROUTE'],
    ['a stanza of another protocol', "<message xmlns='urn:x' to='a@b'/>", 'USAGE_ROUTE'],
    ['an element of the router in another namespace', "<route xmlns='urn:x' to='a@b'/>", 'USAGE_ROUTE'],
    ['another element of the router', '<presence/>', 'USAGE_COMPONENT_ADDRESS'],
  ])('%s is refused', async (_, stanza, code) => {
    const { broker } = await rig.ready();
    expect(() => broker.output(stanza)).toThrow(expect.objectContaining({ code }));
  });

  it("a <route/> of one's own goes out as it is, such as a broadcast", async () => {
    const { broker, server } = await rig.ready();
    broker.output(xml('route', { from: NAME, type: 'broadcast' }, xml('x', { xmlns: 'urn:test' })));
    expect(await server.expect('</route>')).toBe(
      `<route from='${NAME}' type='broadcast'><x xmlns='urn:test'/></route>`,
    );
  });

  it('with default, answers may come from any domain', async () => {
    const { broker, server } = await rig.ready({ connectionType: JABBERD20_COMPONENT.with({ default: true }) });
    broker.output(xml('message', { to: 'alice@localhost', from: 'who@remote.example' }));
    const packet = parse(await server.expect('</route>'));
    expect(packet.getAttribute('from')).toBe(NAME);
    expect(packet.firstElementChild!.getAttribute('from')).toBe('who@remote.example');
  });
});

describe('packets coming in', () => {
  it('S-J2-3: filters and NODERECEIVED see the stanza, and the route is beside it', async () => {
    const { broker, server } = await rig.ready();
    broker.filters.add('chat', "/message[body='hi']");
    const match = broker.events.once('chat') as Promise<FilterMatch>;
    const received = broker.events.once('PCJ_NODERECEIVED');
    await server.send(route(message()));
    const { node, nodes } = await match;
    expect(nodes).toEqual([node]);
    expect(node.namespaceURI).toBe(NS.CLIENT);
    expect(node.parentElement).toBeNull();
    expect(await received).toBe(node);
    expect(routeOf(node)?.getAttribute('from')).toBe('sm');
    expect(routeOf(xml('message'))).toBeUndefined();
  });

  it('S-J2-4: names that come and go are PCJ_DOMAIN, not stanzas', async () => {
    const { broker, server } = await rig.ready();
    const recorded = trace(broker);
    const gone = new Promise<void>((resolve) => {
      broker.subscribe('PCJ_DOMAIN', ({ online }) => {
        if (!online) resolve();
      });
    });
    await server.send(
      `<presence xmlns='${ROUTER}' from='a.localhost'/><presence xmlns='${ROUTER}' type='unavailable' from='a.localhost'/>`,
    );
    await gone;
    expect(recorded.payloads).toEqual([
      { name: 'a.localhost', online: true },
      { name: 'a.localhost', online: false },
    ]);
  });

  it.each([
    ['S-J2-4: a message without a packet', message()],
    ['S-J2-4: an iq of the router', `<iq xmlns='${ROUTER}' type='get' id='1'/>`],
    ['S-J2-4: a presence without a name', `<presence xmlns='${ROUTER}'/>`],
    [
      'S-J2-6: for a name that is not ours',
      route(message("to='x@evil.localhost' from='a@b'"), "to='evil.localhost' from='sm'"),
    ],
    ['S-J2-6: for nobody', route(message(), "from='sm'")],
    ['S-J2-6: for an address that is none', route(message(), "to='@@' from='sm'")],
    ['S-J2-6 A-NEG-16: a stanza for somebody else', route(message("to='x@localhost' from='a@b'"))],
    ['S-J2-6: a stanza for an address that is none', route(message("to='@' from='a@b'"))],
    ['S-J2-6: a stanza in the namespace of the router', route(`<message to='joe@${NAME}'/>`)],
    ['S-J2-6: a stanza in no namespace', route(`<message xmlns='' to='joe@${NAME}'/>`)],
    ['S-J2-6 A-NEG-16: a packet in a packet', route(route(message()))],
    ['S-J2-6: something else', route("<x xmlns='urn:x'/>")],
    ['S-J2-6 A-NEG-16: nothing', route('')],
    ['S-J2-6: two stanzas', route(message() + message())],
    ['an answer nobody asked for', answer('unknown')],
    ['an unknown element of the router', `<strange xmlns='${ROUTER}'/>`],
  ])('%s: PCJ_PROTOCOLERROR, not delivered, and the link goes on', async (_, sent) => {
    const { broker, server } = await rig.ready();
    const recorded = trace(broker);
    const next = broker.events.once('PCJ_NODERECEIVED');
    await server.send(sent + route(message(undefined, 'next')));
    expect((await next).getChildText('body')).toBe('next');
    expect(recorded.short).toEqual(['PROTOCOLERROR', 'NODERECEIVED']);
    expect(recorded.last('PCJ_PROTOCOLERROR')).toMatchObject({ origin: 'peer' });
  });

  it('a stanza without to, and one of jabber:server, are delivered', async () => {
    const { broker, server } = await rig.ready();
    const seen: string[] = [];
    const both = new Promise<void>((resolve) => {
      broker.subscribe('PCJ_NODERECEIVED', (node) => {
        if (seen.push(node.getAttribute('id') ?? '') === 2) resolve();
      });
    });
    await server.send(
      route(`<message xmlns='${NS.CLIENT}' id='1'/>`) +
        route(`<message xmlns='${NS.SERVER}' id='2' to='joe@${NAME.toUpperCase()}'/>`),
    );
    await both;
    expect(seen).toEqual(['1', '2']);
  });

  it('unknown elements of other namespaces are surfaced', async () => {
    const { broker, server } = await rig.ready();
    const next = broker.events.once('PCJ_NODERECEIVED');
    await server.send("<x xmlns='urn:x'/>");
    expect((await next).namespaceURI).toBe('urn:x');
  });

  it.each(['log', 'broadcast', 'other'])('a packet of type %s is PCJ_ROUTE and nothing else', async (type) => {
    const { broker, server } = await rig.ready();
    const recorded = trace(broker);
    const heard = broker.events.once('PCJ_ROUTE');
    await server.send(
      route(message("to='x@localhost' from='y@localhost'"), `type='${type}' to='localhost' from='c2s'`),
    );
    const { route: packet, stanza, ...rest } = await heard;
    expect(rest).toEqual({ type });
    expect(packet.getAttribute('from')).toBe('c2s');
    expect(stanza).toBe(packet.firstElementChild);
    expect(recorded.short).toEqual(['ROUTE']);
  });

  it('S-J2-7: with default, what nobody has bound is delivered', async () => {
    const { broker, server } = await rig.ready({ connectionType: JABBERD20_COMPONENT.with({ default: true }) });
    const next = broker.events.once('PCJ_NODERECEIVED');
    await server.send(route(message("to='who@remote.example' from='a@localhost'"), "to='remote.example' from='sm'"));
    expect((await next).getAttribute('to')).toBe('who@remote.example');
  });
});

describe('raw mode', () => {
  const raw = { connectionType: JABBERD20_COMPONENT.with({ raw: true }) };

  it('leaves packets alone in both directions', async () => {
    const { broker, server } = await rig.ready(raw);
    broker.filters.add('packet', '/route[@error]/message/body');
    const match = broker.events.once('packet') as Promise<FilterMatch>;
    broker.output(
      xml(
        'route',
        { from: NAME, to: 'x@nowhere' },
        xml('message', { xmlns: NS.CLIENT, to: 'x@nowhere' }, xml('body', {}, 'x')),
      ),
    );
    const packet = await server.expect('</route>');
    expect(packet).toContain("<route from='svc.localhost' to='x@nowhere'>");
    const recorded = trace(broker);
    await server.send(packet.replace('<route', "<route error='404'"));
    expect((await match).node.localName).toBe('route');
    expect(recorded.short).toEqual(['NODERECEIVED']);
  });

  it('refuses what is no packet', async () => {
    const { broker } = await rig.ready(raw);
    expect(() => broker.output(xml('message', { to: 'a@localhost' }))).toThrow(
      expect.objectContaining({ code: 'USAGE_ROUTE' }),
    );
  });

  it('PCJ_DOMAIN and names work as ever', async () => {
    const { broker, server } = await rig.ready(raw);
    const control = new RouterControl(broker);
    const domain = broker.events.once('PCJ_DOMAIN');
    await server.send(`<presence xmlns='${ROUTER}' from='sm'/>`);
    expect(await domain).toEqual({ name: 'sm', online: true });
    const bound = control.bind('two.localhost');
    await server.send(answer((await readBind(server)).id));
    await bound;
  });
});
