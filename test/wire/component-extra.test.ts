import { describe, expect, it } from 'vitest';
import { JABBERD14_COMPONENT, NS, StanzaError, xml, type ComponentOptions, type FilterMatch } from 'xmpp-broker';
import { COMPONENT, DOMAIN, handshake, header } from './support/component.js';
import { failure, OPENING, streamError, trace, useRig, type Conversation } from './support/index.js';

const rig = useRig(COMPONENT);

const dialect = (options: ComponentOptions) => ({ connectionType: JABBERD14_COMPONENT.with(options) });

const CONFLICT = `${streamError('conflict')}</stream:stream>`;

async function refuseAsConflict(server: Conversation): Promise<void> {
  await server.expect(OPENING);
  await server.send(header());
  await server.expect('</handshake>');
  await server.send(CONFLICT);
  await server.expect('</stream:stream>');
  server.end();
}

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
    const both = new Promise<void>((resolve) => {
      broker.subscribe('PCJ_NODERECEIVED', (node) => {
        if (seen.push(node.localName) === 2) resolve();
      });
    });
    await server.send("<message from='a@b'/><x xmlns='urn:x' to='elsewhere'/>");
    await both;
    expect(seen).toEqual(['message', 'x']);
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

describe('sending from other domains', () => {
  it('S-COMP-4: is refused, unless the option says otherwise', async () => {
    const foreign = xml('message', { to: 'a@b', from: 'x@elsewhere.test', id: 'f' });
    const strict = await rig.ready();
    expect(() => strict.broker.output(foreign)).toThrow(expect.objectContaining({ code: 'USAGE_COMPONENT_ADDRESS' }));
    const free = await rig.ready(dialect({ sendForeign: true }));
    free.broker.output(foreign);
    expect(await free.server.expect('/>')).toContain("from='x@elsewhere.test'");
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

describe('TLS to the component port', () => {
  it('S-COMP-5: direct TLS, verified, before anything is written', async () => {
    const { broker, recorded, connected, server } = await rig.dialled({}, 'direct');
    expect(server.tls?.getProtocol()).toMatch(/TLSv1\.[23]/);
    await handshake(server);
    await connected;
    expect(recorded.short.slice(0, 7)).toEqual([
      'CONNECT',
      'CONNECTING',
      'CONNECTED',
      'SSLNEGOTIATE',
      'SSLSUCCESS',
      'STREAMSTART',
      'NODESENT(stream)',
    ]);
    expect(recorded.last('PCJ_SSLSUCCESS')).toMatchObject({ verified: true });
    broker.output(xml('message', { to: 'a@b', id: 'inside' }));
    expect(await server.expect('/>')).toContain("id='inside'");
  });

  it('a certificate for another name is SSLFAIL; no digest of the secret leaves', async () => {
    const peer = await rig.listen('direct', await rig.authority.issue({ names: [{ dns: 'elsewhere.test' }] }));
    const { broker, recorded } = rig.broker(peer, { tls: { policy: 'direct' } });
    expect(await failure(broker.connect())).toMatchObject({ layer: 'tls', retryable: false });
    expect(recorded.short).toContain('SSLFAIL');
    expect(recorded.short).not.toContain('STREAMSTART');
  });

  it.each(['required', 'preferred'] as const)('policy %s is refused: the protocol has no STARTTLS', (policy) => {
    expect(() => rig.broker({ port: 1 }, { tls: { policy } })).toThrow(/direct or disabled/);
  });
});

describe('bad options', () => {
  it.each([
    [null, 'object'],
    [{ name: 'x' }, '"name"'],
    [{ names: 'x' }, 'list'],
    [{ names: ['a@b'] }, 'a@b'],
    [{ names: [7] }, '7'],
    [{ deliverForeign: 1 }, 'deliverForeign'],
    [{ sendForeign: 'yes' }, 'sendForeign'],
  ])('JABBERD14_COMPONENT.with(%j) is refused', (options, names) => {
    expect(() => JABBERD14_COMPONENT.with(options as never)).toThrow(
      expect.objectContaining({ code: 'USAGE_COMPONENT_OPTIONS', message: expect.stringContaining(names) as string }),
    );
  });
});

describe('a ready link that is written to at once', () => {
  it.each([
    ['in clear', false],
    ['over TLS', true],
  ])('everything goes out, %s, however much is output in the turn of PCJ_READY', async (_, secure) => {
    const peer = await rig.listen(secure ? 'direct' : 'plain');
    const { broker } = rig.broker(peer, secure ? { tls: { policy: 'direct' } } : {});
    const tickets: { sent: Promise<void> }[] = [];
    broker.subscribe('PCJ_READY', () => {
      for (let n = 0; n < 2_000; n += 1) {
        tickets.push(broker.output(xml('message', { to: 'a@b', id: n }, xml('body', {}, 'x'.repeat(200)))));
      }
    });
    const connected = broker.connect();
    const server = await peer.accept();
    await handshake(server);
    await connected;
    await server.expect("id='1999'");
    await Promise.all(tickets.map(({ sent }) => sent));
  });
});
