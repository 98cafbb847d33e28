import { describe, expect, it } from 'vitest';
import {
  Broker,
  JABBERD20_COMPONENT,
  NS,
  parse,
  routeOf,
  RouterControl,
  StanzaError,
  xml,
  type Element,
  type FilterMatch,
} from 'xmpp-broker';
import { failure, OPEN, STARTTLS, TAIL, trace, useRig } from './support/index.js';
import {
  answer,
  DIGEST,
  message,
  NAME,
  negotiate,
  open,
  readBind,
  route,
  ROUTER,
  SERVICE,
  SIGN_IN,
  signIn,
  SUCCESS,
} from './support/service.js';

const rig = useRig(SERVICE);

describe('negotiating with the router', () => {
  it('S-J2-1: STARTTLS, DIGEST-MD5, bind; golden order', async () => {
    const { broker, recorded, connected, server } = await rig.dialled({
      tls: { policy: 'required', servername: 'broker.test' },
    });
    const opened = await open(server, 'S0', STARTTLS, DIGEST);
    expect(opened).toContain(`xmlns='${ROUTER}'`);
    expect(opened).toContain("version='1.0'");
    await server.expect(/<starttls[^>]*>/);
    await server.send(`<proceed xmlns='${NS.TLS}'/>`);
    await server.startTls(rig.identity);
    const bind = await negotiate(server);
    await connected;
    expect(bind).toMatch(new RegExp(`^<bind name='${NAME}' id='[0-9a-f]{32}'/>$`));
    expect(recorded.short).toEqual([
      ...OPEN,
      'SSLNEGOTIATE',
      'NODESENT(starttls)',
      'SSLSUCCESS',
      'STREAMSTART',
      'NODESENT(stream)',
      ...SIGN_IN,
    ]);
    expect(broker.jid?.toString()).toBe(NAME);
    expect(broker.sid).toBe('S2');
  });

  it('without TLS, when the policy says so', async () => {
    const { recorded, connected, server } = await rig.dialled();
    await negotiate(server);
    await connected;
    expect(recorded.short).toEqual(SUCCESS);
  });

  it('TLS policy preferred: clear where STARTTLS is not offered', async () => {
    const { broker } = await rig.ready({ tls: { policy: 'preferred' } });
    expect(broker.state).toBe('ready');
  });

  it('S-J2-1: mechanisms without STARTTLS are SSLFAIL; no credentials leave', async () => {
    const { recorded, connected, server } = await rig.dialled({ tls: { policy: 'required' } });
    await open(server, 'S1', DIGEST);
    expect(await failure(connected)).toMatchObject({ code: 'TLS_REQUIRED', layer: 'tls' });
    await server.expect('</stream:stream>');
    expect(server.received.toString()).not.toContain('<auth');
    expect(recorded.short.slice(-5)).toEqual(['SSLFAIL', ...TAIL]);
  });

  it('direct TLS', async () => {
    const { connected, server } = await rig.dialled({ tls: { servername: 'broker.test' } }, 'direct');
    await negotiate(server);
    await connected;
  });

  it('empty features before authentication are no invitation to bind', async () => {
    const { recorded, connected, server } = await rig.dialled();
    await open(server, 'S1');
    expect(await failure(connected)).toMatchObject({ code: 'SASL_NO_ACCEPTABLE_MECHANISM' });
    expect(recorded.short).not.toContain('BINDNEGOTIATE');
    expect(server.received.toString()).not.toContain('<bind');
  });

  it('a wrong password is AUTHFAIL with an orderly tail', async () => {
    const { recorded, connected, server } = await rig.dialled({ password: 'wrong' });
    await open(server, 'S1', DIGEST);
    await signIn(server);
    expect(await failure(connected)).toMatchObject({ condition: 'not-authorized', phase: 'auth' });
    expect(recorded.short.slice(-5)).toEqual(['AUTHFAIL', ...TAIL]);
  });

  it('the router must prove that it knows the password', async () => {
    const { connected, server } = await rig.dialled();
    await open(server, 'S1', DIGEST);
    await server.expect(/<auth [^>]*>/);
    const challenge = Buffer.from('realm="jabberd-router",nonce="abc",qop="auth",charset=utf-8,algorithm=md5-sess');
    await server.send(`<challenge xmlns='${NS.SASL}'>${challenge.toString('base64')}</challenge>`);
    await server.expect('</response>');
    const proof = Buffer.from(`rspauth=${'0'.repeat(32)}`).toString('base64');
    await server.send(`<success xmlns='${NS.SASL}'>${proof}</success>`);
    expect(await failure(connected)).toMatchObject({ code: 'DIGEST_RSPAUTH' });
  });

  it.each([
    ['400', 'bad-request', false],
    ['403', 'forbidden', false],
    ['409', 'conflict', true],
    ['599', 'undefined-condition', false],
  ])('S-J2-2 A-NEG-16: bind error %s is BINDFAIL: %s', async (code, condition, retryable) => {
    const { recorded, connected, server } = await rig.dialled();
    await open(server, 'S1', DIGEST);
    await signIn(server);
    await open(server, 'S2');
    const bind = await readBind(server);
    await server.send(answer(bind.id, `error='${code}'`));
    const error = await failure(connected);
    expect(error).toMatchObject({ code: 'BIND_FAILED', condition, retryable, phase: 'bind' });
    expect(error.message).toContain(code);
    await server.expect('</stream:stream>');
    expect(recorded.short.slice(-5)).toEqual(['BINDFAIL', ...TAIL]);
  });

  it('S-J2-2: no packet leaves before the name is bound', async () => {
    const { broker, connected, server } = await rig.dialled();
    await open(server, 'S1', DIGEST);
    await signIn(server);
    await open(server, 'S2');
    const bind = await readBind(server);
    const ticket = broker.output(xml('message', { to: 'alice@localhost' }, xml('body', {}, 'early')));
    expect(server.received.toString()).not.toContain('<route');
    await server.send(answer(bind.id));
    await connected;
    expect(ticket.state).toBe('queued');
    expect(broker.purgeQueue()).toEqual([ticket]);
    expect(await server.expect('</route>')).toContain("<message xmlns='jabber:client'");
  });

  it('the name, multi and the other options are said in <bind/>', async () => {
    const connectionType = JABBERD20_COMPONENT.with({
      name: 'Other.localhost',
      multi: true,
      default: true,
      log: true,
    });
    const { broker, connected, server } = await rig.dialled({ connectionType, domain: 'localhost' });
    const bind = await negotiate(server);
    await connected;
    expect(bind).toContain("name='other.localhost'");
    expect(bind).toContain("multi='1'");
    expect(bind).toMatch(/><default\/><log\/><\/bind>$/);
    expect(broker.jid?.toString()).toBe('other.localhost');
  });

  it('S-J2-7: by default neither <default/> nor <log/> is asked for', async () => {
    const { connected, server } = await rig.dialled();
    const bind = await negotiate(server);
    await connected;
    expect(bind).not.toMatch(/default|log|multi/);
  });

  it('what comes in the same read as the answer is delivered after READY, in order', async () => {
    const { broker, recorded, connected, server } = await rig.dialled();
    const behind = `<presence xmlns='${ROUTER}' from='sm'/>${route(message())}<presence xmlns='${ROUTER}' from='c2s'/>`;
    await negotiate(server, { behind });
    await connected;
    await broker.events.once('PCJ_NODERECEIVED');
    expect(recorded.short.slice(SUCCESS.length)).toEqual(['DOMAIN', 'NODERECEIVED', 'DOMAIN']);
  });
});

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

describe('requests', () => {
  const ping = (attributes: Record<string, string> = {}) =>
    xml('iq', { type: 'get', to: 'alice@localhost/r1', ...attributes }, xml('ping', { xmlns: NS.PING }));

  it('are answered through the router', async () => {
    const { broker, server } = await rig.ready();
    const asked = broker.request(ping());
    const iq = parse(await server.expect('</route>')).firstElementChild!;
    const id = iq.getAttribute('id')!;
    await server.send(
      route(`<iq xmlns='jabber:client' type='result' id='${id}' from='alice@localhost/r1' to='${NAME}'/>`),
    );
    const result = await asked;
    expect(result.getAttribute('id')).toBe(id);
    expect(routeOf(result)?.getAttribute('to')).toBe(NAME);
  });

  it.each([
    ['404', 'item-not-found'],
    ['401', 'not-authorized'],
    ['400', 'bad-request'],
    ['500', 'undefined-condition'],
  ])('S-J2-3: a packet that bounces with %s fails the request with %s', async (code, condition) => {
    const { broker, server } = await rig.ready();
    const recorded = trace(broker);
    const asked = failure(broker.request(ping({ to: 'x@nowhere.localhost', id: '6' })));
    const packet = await server.expect('</route>');
    recorded.clear();
    await server.send(packet.replace('<route', `<route xmlns='${ROUTER}' error='${code}'`));
    const error = await asked;
    expect(error).toBeInstanceOf(StanzaError);
    expect(error).toMatchObject({ condition, text: expect.stringContaining(code) as string });
    expect(recorded.short).toEqual(['ROUTEFAIL', 'RTS_FINISH']);
    const {
      code: shown,
      route: bounced,
      stanza,
    } = recorded.payloads[0] as { code: string; route: Element; stanza: Element };
    expect([shown, bounced.getAttribute('to'), stanza.getAttribute('id')]).toEqual([code, 'nowhere.localhost', '6']);
  });

  it('S-J2-3: a bounced message is PCJ_ROUTEFAIL and an error stanza without its content; nothing is answered', async () => {
    const { broker, server } = await rig.ready({ answerRequests: true });
    broker.filters.add('echo', '/message[body]');
    const echoed: unknown[] = [];
    broker.subscribe('echo', (match) => void echoed.push(match));
    broker.output(xml('message', { to: 'x@nowhere.localhost', id: 'm' }, xml('body', {}, 'hello')));
    broker.output(ping({ to: 'x@nowhere.localhost', id: 'q' }));
    const first = await server.expect('</route>');
    const second = await server.expect('</route>');
    const seen: Element[] = [];
    const both = new Promise<void>((resolve) => {
      broker.subscribe('PCJ_NODERECEIVED', (node) => {
        if (seen.push(node) === 2) resolve();
      });
    });
    await server.send(
      [first, second].map((one) => one.replace('<route', `<route xmlns='${ROUTER}' error='404'`)).join(''),
    );
    await both;
    expect(seen.map((node) => [node.localName, node.getAttribute('type'), node.getAttribute('from')])).toEqual([
      ['message', 'error', 'x@nowhere.localhost'],
      ['iq', 'error', 'x@nowhere.localhost'],
    ]);
    expect(echoed).toEqual([]);
    expect(routeOf(seen[0]!)?.getAttribute('error')).toBe('404');
    broker.output(xml('message', { to: 'a@localhost', id: 'last' }));
    expect(await server.expect('</route>')).toContain("id='last'");
  });

  it.each(["type='error'", "type='result' id='1'"])(
    'S-J2-3: a bounced answer (%s) is PCJ_ROUTEFAIL only',
    async (type) => {
      const { broker, server } = await rig.ready();
      const recorded = trace(broker);
      const failed = broker.events.once('PCJ_ROUTEFAIL');
      await server.send(
        route(`<iq xmlns='jabber:client' ${type} from='${NAME}' to='x@gone'/>`, `error='404' to='gone' from='${NAME}'`),
      );
      await failed;
      expect(recorded.short).toEqual(['ROUTEFAIL']);
    },
  );

  it('a bounced packet without a stanza is PCJ_ROUTEFAIL', async () => {
    const { broker, server } = await rig.ready();
    const failed = broker.events.once('PCJ_ROUTEFAIL');
    await server.send(route('', `error='400' to='gone' from='${NAME}'`));
    expect(await failed).toMatchObject({ code: '400', stanza: null });
  });
});

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

describe('bad options', () => {
  it.each([
    [{ name: 'a@b' }, 'USAGE_NAME'],
    [{ name: '' }, 'USAGE_NAME'],
    [{ multi: 1 }, 'USAGE_NAME'],
    [{ binddomain: 'x' }, 'USAGE_NAME'],
    [{ raw: 'yes' }, 'USAGE_ROUTER_OPTIONS'],
    [{ mechanisms: [] }, 'USAGE_ROUTER_OPTIONS'],
    [{ mechanisms: ['digest-md5'] }, 'USAGE_ROUTER_OPTIONS'],
    [undefined, 'USAGE_ROUTER_OPTIONS'],
  ])('JABBERD20_COMPONENT.with(%j) is refused', (options, code) => {
    expect(() => JABBERD20_COMPONENT.with(options as never)).toThrow(expect.objectContaining({ code }));
  });

  it('the message names every option there is', () => {
    expect(() => JABBERD20_COMPONENT.with({ binddomain: 'x' } as never)).toThrow(
      /no option "binddomain"; there are name, raw, mechanisms, multi, default, log/,
    );
  });

  it('user name, password and port are needed', () => {
    const make = () => new Broker({ connectionType: JABBERD20_COMPONENT, domain: NAME, logger: false });
    expect(make).toThrow(/username is missing[\s\S]*password is missing[\s\S]*port is missing/);
  });
});
