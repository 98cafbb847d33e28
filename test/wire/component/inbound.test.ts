import { describe, expect, it } from 'vitest';
import { NS, StanzaError, xml, type Element, type FilterMatch } from 'xmpp-broker';
import { COMPONENT, dialect, DOMAIN, header } from '../support/component.js';
import { failure, OPENING, trace, useRig } from '../support/index.js';

const rig = useRig(COMPONENT);

describe('what arrives', () => {
  it('READY comes before delivery: await connect() then subscribe() misses nothing', async () => {
    const { broker, connected, server } = await rig.dialled();
    await server.expect(OPENING);
    await server.send(header());
    await server.expect('</handshake>');
    await server.send(
      `<handshake/><message from='a@b' to='${DOMAIN}' id='1'/><message from='a@b' to='${DOMAIN}' id='2'/>`,
    );
    await connected;
    const seen: (string | null)[] = [];
    await new Promise<void>((resolve) => {
      broker.subscribe('PCJ_NODERECEIVED', (node) => {
        seen.push(node.getAttribute('id'));
        if (seen.length === 2) resolve();
      });
    });
    expect(seen).toEqual(['1', '2']);
  });

  it('both content namespaces are stanzas; a filter does not see the difference', async () => {
    const { broker, server } = await rig.ready();
    const matched: unknown[] = [];
    broker.filters.add('body', '/message/body');
    broker.subscribe('body', (match) => matched.push((match as { node: Element }).node.namespaceURI));
    const second = new Promise<void>((resolve) => {
      let count = 0;
      broker.subscribe('PCJ_NODERECEIVED', () => {
        count += 1;
        if (count === 2) resolve();
      });
    });
    await server.send(
      `<message from='a@b' to='${DOMAIN}'><body>x</body></message><message xmlns='jabber:client' from='a@b' to='${DOMAIN}'><body>y</body></message>`,
    );
    await second;
    expect(matched).toEqual([NS.COMPONENT_ACCEPT, NS.CLIENT]);
  });

  it('rows 40-43: filters in order, all of them, then NODERECEIVED; then the next stanza', async () => {
    const { broker, server } = await rig.ready();
    const order: string[] = [];
    const done = new Promise<void>((resolve) => {
      broker.filters.add('one', 'self::message');
      broker.filters.add('two', '//d:delay', { namespaces: { d: NS.DELAY } });
      broker.filters.add('one', 'body');
      for (const name of ['one', 'two']) {
        broker.subscribe(name, (match) => {
          const { expression, node } = match as { expression: string; node: Element };
          order.push(`${name}:${expression}:${node.getAttribute('id') ?? ''}`);
        });
      }
      broker.subscribe('PCJ_NODERECEIVED', (node) => {
        order.push(`received:${node.getAttribute('id') ?? ''}`);
        if (node.getAttribute('id') === '2') resolve();
      });
    });
    await server.send(`<message id='1'><body/><delay xmlns='${NS.DELAY}'/></message><presence id='2'/>`);
    await done;
    expect(order).toEqual(['one:self::message:1', 'two://d:delay:1', 'one:body:1', 'received:1', 'received:2']);
  });

  it('S-STREAM-12: features after the negotiation are ignored with a warning', async () => {
    const { broker, server } = await rig.ready();
    const warned = broker.events.once('PCJ_PROTOCOLERROR');
    await server.send('<stream:features/>');
    expect(await warned).toMatchObject({ code: 'STREAM_UNEXPECTED' });
    expect(broker.state).toBe('ready');
  });

  it('S-STREAM-22: an element that is no stanza goes to filters and NODERECEIVED', async () => {
    const { broker, server } = await rig.ready();
    const received = broker.events.once('PCJ_NODERECEIVED');
    await server.send("<log xmlns='urn:example:log'>x</log>");
    expect((await received).namespaceURI).toBe('urn:example:log');
  });

  it('S-XML-20: broken XML gets one stream error, and the program lives on', async () => {
    const { broker, server } = await rig.ready();
    const recorded = trace(broker);
    const closed = broker.closed;
    await server.send('<message><body>&nbsp;</body></message><message/>');
    await server.expect("<not-well-formed xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>");
    await server.expect('</stream:stream>');
    server.end();
    await closed;
    expect(recorded.short).toEqual(['PROTOCOLERROR', 'SOCKETFAIL', 'SOCKETDISCONNECT']);
    expect(recorded.last('PCJ_SOCKETDISCONNECT')).toMatchObject({
      clean: false,
      error: { code: 'XML_NOT_WELL_FORMED' },
    });
    expect(server.received.toString().match(/stream:error>/g)).toHaveLength(2);
  });

  it('S-ERR-1: a stream error while ready: PROTOCOLERROR, then the lost link', async () => {
    const { broker, server } = await rig.ready();
    const recorded = trace(broker);
    const closed = broker.closed;
    await server.send(`<stream:error><conflict xmlns='${NS.STREAMS}'/></stream:error></stream:stream>`);
    await server.expect('</stream:stream>');
    server.end();
    const { error } = await closed;
    expect(error).toMatchObject({ code: 'STREAM_ERROR', condition: 'conflict', retryable: false });
    expect(recorded.short).toEqual(['PROTOCOLERROR', 'SOCKETFAIL', 'SOCKETDISCONNECT']);
  });

  it('A-SLOW-1: an element that never ends is given up', async () => {
    const { broker, server } = await rig.ready({ timeouts: { stanza: 200 } });
    const warned = broker.events.once('PCJ_PROTOCOLERROR');
    await server.send('<message><body>slow');
    expect(await warned).toMatchObject({ code: 'LIMIT_STANZA_TIME' });
    await server.expect('<policy-violation');
  });

  it('A-SIZE-1: an element above the limit is refused while it arrives', async () => {
    const { broker, server } = await rig.ready({ limits: { stanzaBytes: 1000 } });
    const warned = broker.events.once('PCJ_PROTOCOLERROR');
    await server.send(`<message><body>${'A'.repeat(1100)}`);
    expect(await warned).toMatchObject({ code: 'LIMIT_STANZA_BYTES', condition: 'policy-violation' });
    await server.expect('<policy-violation');
  });
});

describe('what arrives for others', () => {
  const LAST = `<message to='${DOMAIN}' from='a@b'><body>last</body></message>`;

  it.each([
    ['another domain', "<message to='x@evil.test' from='a@b'/>"],
    ['a domain that ends like ours', `<message to='x@my${DOMAIN}' from='a@b'/>`],
    ['a domain below ours', `<iq type='get' id='1' to='x.${DOMAIN}' from='a@b'><q xmlns='u:q'/></iq>`],
    ['our name as the local part', `<presence to='${DOMAIN}@evil.test' from='a@b'/>`],
    ['our name as the resource', `<presence to='evil.test/@${DOMAIN}' from='a@b'/>`],
    ['no address', "<message to='@' from='a@b'/>"],
    ['another domain, in jabber:client', "<message xmlns='jabber:client' to='x@evil.test' from='a@b'/>"],
    ['another domain, as an error from elsewhere', "<message type='error' to='x@evil.test' from='a@b'/>"],
  ])('S-COMP-6: %s is PCJ_PROTOCOLERROR and not delivered', async (_, stanza) => {
    const { broker, server } = await rig.ready({ answerRequests: true });
    const recorded = trace(broker);
    broker.filters.add('any', '/*');
    const delivered: FilterMatch[] = [];
    broker.subscribe('any', (match) => void delivered.push(match as FilterMatch));
    const last = broker.events.once('PCJ_NODERECEIVED');
    await server.send(stanza + LAST);
    expect((await last).getChildText('body')).toBe('last');
    expect(recorded.short).toEqual(['PROTOCOLERROR', 'NODERECEIVED']);
    expect(recorded.last('PCJ_PROTOCOLERROR')).toMatchObject({ code: 'COMPONENT_NOT_OURS', origin: 'peer' });
    expect(delivered).toHaveLength(1);
    expect(server.received.toString()).not.toContain('<iq');
  });

  it.each([
    ['our name', DOMAIN],
    ['our name in capitals', `x@${DOMAIN.toUpperCase()}`],
    ['a resource with @ and /', `${DOMAIN}/a@b/c`],
    ['a local part with a resource', `x@${DOMAIN}/r`],
  ])('%s is ours', async (_, to) => {
    const { broker, server } = await rig.ready();
    const received = broker.events.once('PCJ_NODERECEIVED');
    await server.send(`<message to='${to}' from='a@b'/>`);
    expect((await received).getAttribute('to')).toBe(to);
  });

  it('what has no address, and elements of other protocols, are delivered', async () => {
    const { broker, server } = await rig.ready();
    const seen: string[] = [];
    const all = new Promise<void>((resolve) => {
      broker.subscribe('PCJ_NODERECEIVED', (node) => {
        if (seen.push(node.localName) === 3) resolve();
      });
    });
    await server.send("<message from='a@b'/><x xmlns='urn:x' to='elsewhere'/><y xmlns='' to='elsewhere'/>");
    await all;
    expect(seen).toEqual(['message', 'x', 'y']);
  });

  it('are delivered when the option says so', async () => {
    const { broker, server } = await rig.ready(dialect({ deliverForeign: true }));
    const received = broker.events.once('PCJ_NODERECEIVED');
    await server.send("<message to='x@evil.test' from='a@b'/>");
    expect((await received).getAttribute('to')).toBe('x@evil.test');
  });

  it('further names are ours, in both directions', async () => {
    const { broker, server } = await rig.ready(dialect({ names: ['Two.broker.test'] }));
    const received = broker.events.once('PCJ_NODERECEIVED');
    await server.send("<message to='x@two.broker.test' from='a@b'/>");
    await received;
    broker.output(xml('message', { to: 'a@b', from: 'x@TWO.broker.test', id: 'two' }));
    expect(await server.expect('/>')).toContain("id='two'");
    expect(() => broker.output(xml('message', { to: 'a@b', from: 'x@three.broker.test' }))).toThrow(
      expect.objectContaining({
        code: 'USAGE_COMPONENT_ADDRESS',
        message: expect.stringContaining('two.broker.test') as string,
      }),
    );
  });

  it('a request that comes back unswapped is answered by it', async () => {
    const { broker, server } = await rig.ready();
    const asked = failure(
      broker.request(xml('iq', { type: 'get', to: 'x@nowhere', id: 'q' }, xml('q', { xmlns: 'u:q' }))),
    );
    await server.expect('</iq>');
    await server.send(
      `<iq type='error' id='q' to='x@nowhere' from='${DOMAIN}'><error code='503' type='cancel'><service-unavailable xmlns='${NS.STANZAS}'/></error></iq>`,
    );
    expect(await asked).toBeInstanceOf(StanzaError);
  });
});

describe('packets of jabberd14 beside stanzas', () => {
  it.each([
    ['log', "<log type='notice' from='c2s'>session started</log>", 'log', null],
    ['route', `<route type='session' to='${DOMAIN}' from='sm'><x xmlns='urn:x'/></route>`, 'session', 'x'],
    ['route without type', `<route to='${DOMAIN}' from='sm'/>`, 'route', null],
    ['xdb', `<xdb type='get' id='1' to='${DOMAIN}' from='sm' ns='jabber:iq:roster'/>`, 'xdb', null],
  ])('<%s/> is PCJ_ROUTE', async (_, packet, type, inner) => {
    const { broker, server } = await rig.ready();
    const recorded = trace(broker);
    const heard = broker.events.once('PCJ_ROUTE');
    await server.send(packet);
    const { type: shown, stanza } = await heard;
    expect([shown, stanza?.localName ?? null]).toEqual([type, inner]);
    expect(recorded.short).toEqual(['ROUTE']);
  });

  it('can be sent; only <log/> needs no receiver', async () => {
    const { broker, server } = await rig.ready();
    broker.output(xml('log', { type: 'notice' }, 'started'));
    expect(await server.expect('</log>')).toBe(`<log type='notice' from='${DOMAIN}'>started</log>`);
    expect(() => broker.output(xml('route', {}))).toThrow(expect.objectContaining({ code: 'USAGE_COMPONENT_ADDRESS' }));
    broker.output(`<route to='sm' type='session'><x xmlns='urn:x'/></route>`);
    expect(await server.expect('</route>')).toContain(`from='${DOMAIN}'`);
  });

  it('elements of those names in other namespaces are none', async () => {
    const { broker, server } = await rig.ready();
    const received = broker.events.once('PCJ_NODERECEIVED');
    await server.send("<log xmlns='urn:x'/>");
    expect((await received).localName).toBe('log');
  });
});
