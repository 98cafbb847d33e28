import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { NS, PCJ_NODERECEIVED, PCJ_PROTOCOLERROR, StanzaError, xml, type Element } from 'xmpp-broker';
import { CLIENT, greet, iqId, JID, secure } from './support/client.js';
import { COMPONENT, DOMAIN, SECRET } from './support/component.js';
import { BIND, failure, features, mechanisms, OPENING, STARTTLS, streamHeader, useRig } from './support/index.js';

const WITHOUT_SM = { after: features(BIND), enabled: null };

const clients = useRig(CLIENT);
const components = useRig(COMPONENT);

const query = (to?: string) => xml('iq', { type: 'get', to }, xml('q', { xmlns: 'urn:x' }));

describe('answers that are none', () => {
  it(
    'A-STZ-2: a flood of them settles nothing, and is told of at most once a second',
    { timeout: 60_000 },
    async () => {
      const { broker, server } = await components.ready({ limits: { requests: 1_000 } });
      const asked = Array.from({ length: 1_000 }, () => broker.request(query('bank@d')));
      const ids = [...broker.pending.keys()];
      const warnings: unknown[] = [];
      broker.subscribe(PCJ_PROTOCOLERROR, (error) => void warnings.push(error));
      let received = 0;
      const all = new Promise<void>((resolve) => {
        broker.subscribe(PCJ_NODERECEIVED, () => {
          received += 1;
          if (received === 100_000) resolve();
        });
      });
      const started = performance.now();
      for (let batch = 0; batch < 100; batch += 1) {
        let text = '';
        // Half of them with ids that nobody has, half with ids that are pending, from elsewhere.
        for (let n = 0; n < 500; n += 1) {
          text += `<iq type='result' id='${batch}-${n}' from='bank@d' to='${DOMAIN}'/>`;
          text += `<iq type='result' id='${ids[n]}' from='evil${n}@e' to='${DOMAIN}'/>`;
        }
        await server.send(text);
      }
      await all;
      expect(broker.pending.size).toBe(1_000);
      expect(warnings.length).toBeGreaterThan(0);
      expect(warnings.length).toBeLessThanOrEqual(1 + Math.ceil((performance.now() - started) / 1_000));
      await server.send(ids.map((id) => `<iq type='result' id='${id}' from='bank@d' to='${DOMAIN}'/>`).join(''));
      await Promise.all(asked);
      expect(broker.pending.size).toBe(0);
    },
  );

  it('S-STZ-3: no from is the own account, no to asks it; nobody else speaks for it', async () => {
    const { broker, server } = await clients.ready({}, WITHOUT_SM);
    for (const from of ['', " from='alice@localhost'", ` from='${JID}'`, " from='localhost'"]) {
      const asked = broker.request(query());
      const id = await iqId(server);
      const seen = broker.events.once(PCJ_NODERECEIVED);
      await server.send(`<iq type='result' id='${id}' from='alice@localhost/other' to='${JID}'/>`);
      await seen;
      expect(broker.pending.size).toBe(1);
      await server.send(`<iq type='result' id='${id}'${from}/>`);
      expect((await asked).getAttribute('id')).toBe(id);
    }
    const elsewhere = broker.request(query('bob@localhost'));
    const id = await iqId(server);
    const seen = broker.events.once(PCJ_NODERECEIVED);
    await server.send(`<iq type='result' id='${id}'/>`);
    await seen;
    expect(broker.pending.size).toBe(1);
    await server.send(`<iq type='result' id='${id}' from='bob@localhost'/>`);
    await elsewhere;
  });

  it("A-STZ-3: what is inside a forwarded stanza is nobody's answer and no direct stanza", async () => {
    const { broker, server } = await clients.ready({}, WITHOUT_SM);
    const asked = broker.request(query('boss@d'));
    const id = await iqId(server);
    broker.filters.add('chat', '/message/body');
    broker.subscribe('chat', () => expect.unreachable('a forwarded body matched as a direct one'));
    const seen = broker.events.once(PCJ_NODERECEIVED);
    const inner = `<iq type='result' id='${id}' from='boss@d' to='${JID}'/><message from='boss@d'><body>pay</body></message>`;
    await server.send(
      `<message from='evil@e'><received xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>` +
        `${inner.replace(/<(iq|message)/g, "<$1 xmlns='jabber:client'")}</forwarded></received></message>`,
    );
    expect((await seen).getAttribute('from')).toBe('evil@e');
    expect(broker.pending.size).toBe(1);
    await server.send(`<iq type='result' id='${id}' from='boss@d'/>`);
    await asked;
  });
});

describe('answers that are errors', () => {
  it.each([
    ['an unknown condition', `<error type='wait'><odd xmlns='${NS.STANZAS}'/></error>`, 'wait'],
    ['a condition of another namespace', "<error type='modify'><conflict xmlns='urn:x'/></error>", 'modify'],
    ['a condition that is a property name', `<error><constructor xmlns='${NS.STANZAS}'/></error>`, 'cancel'],
    ['an unknown type', "<error type='fatal'/>", 'cancel'],
    ['an unknown old code', "<error code='999'/>", 'cancel'],
    ['no error at all', '', 'cancel'],
    ['nothing but the request', "<q xmlns='urn:x'/>", 'cancel'],
  ])('S-STZ-4: %s is undefined-condition', async (_, content, type) => {
    const { broker, server } = await components.ready();
    const asked = failure(broker.request(query('bank@d')));
    const id = await iqId(server);
    await server.send(`<iq type='error' id='${id}' from='bank@d' to='${DOMAIN}'>${content}</iq>`);
    const error = await asked;
    expect(error).toBeInstanceOf(StanzaError);
    expect(error).toMatchObject({ code: 'STANZA_ERROR', condition: 'undefined-condition', type });
  });

  it('S-STZ-2 A-STZ-5: no result and no error is answered, whatever is in it', async () => {
    const { broker, server } = await components.ready({ answerRequests: true });
    const at = `from='a@b' to='${DOMAIN}'`;
    const last = new Promise<Element>((resolve) => {
      broker.subscribe(PCJ_NODERECEIVED, (node) => {
        if (node.getAttribute('id') === 'last') resolve(node);
      });
    });
    await server.send(
      `<iq type='error' id='1' ${at}><q xmlns='urn:x'/></iq><iq type='result' id='2' ${at}><q xmlns='urn:x'/></iq>` +
        `<message type='error' id='3' ${at}/><presence type='error' id='4' ${at}/><iq type='get' id='last' ${at}><q xmlns='urn:x'/></iq>`,
    );
    await last;
    const answer = await server.expect('</iq>');
    expect(answer).toContain("id='last'");
    expect(answer.match(/<(iq|message|presence)/g)).toHaveLength(1);
  });
});

describe('addresses', () => {
  const ADDRESSES = [
    ['none', null],
    ['our own, from outside', JID],
    ['no local part', '@d'],
    ['no domain', 'a@'],
    ['no resource', 'a@d/'],
    ['nothing', ''],
    ['a part that is too long', `${'a'.repeat(1_024)}@d`],
    ['a direction override', 'a@d/\u202e'],
    ['a code point that is not assigned', 'a\u{e0fff}@d'],
    ['a trailing dot', 'a@d.'],
    ['markup', '\'><message to="v@d"/>'],
  ] as const;
  const escaped = (text: string) => text.replace(/[<>&'"]/g, (character) => `&#${character.charCodeAt(0)};`);

  it.each(ADDRESSES)(
    'A-STZ-4: from %s: delivered as it is, answered once, counted; the stream lives',
    async (_, from) => {
      const { broker, server } = await clients.ready();
      const asked = broker.request(query('bob@localhost'));
      const id = await iqId(server);
      broker.filters.add('mine', '/message[@from = $from]', { variables: { from: from ?? 'nobody' } });
      let matched = 0;
      broker.subscribe('mine', () => (matched += 1));
      const received: Element[] = [];
      const both = new Promise<void>((resolve) => {
        broker.subscribe(PCJ_NODERECEIVED, (node) => {
          if (received.push(node) === 3) resolve();
        });
      });
      const address = from === null ? '' : ` from='${escaped(from)}'`;
      await server.send(
        `<message${address}/><iq type='get' id='q'${address}><q xmlns='urn:x'/></iq><iq type='result' id='${id}'${address}/>`,
      );
      await both;
      for (const node of received) expect(node.getAttribute('from')).toBe(from);
      expect(matched).toBe(from === null ? 0 : 1);
      expect(broker.pending.size).toBe(1);
      const answer = await server.expect('</iq>');
      expect(answer).toContain("type='error'");
      expect(answer.match(/<message/g)).toBeNull();
      await server.send(`<iq type='result' id='${id}' from='bob@localhost'/><r xmlns='${NS.SM}'/>`);
      await asked;
      expect(await server.expect(/<a [^>]*\/>/)).toContain("h='4'");
      expect(broker.state).toBe('ready');
    },
  );
});

describe('negotiating with somebody odd', () => {
  it('A-NEG-16: an id with markup in it is hashed as it is meant', async () => {
    const { server, connected } = await components.dialled();
    await server.expect(OPENING);
    const id = `"><handshake/>'&`;
    await server.send(
      `<stream:stream xmlns:stream='${NS.STREAM}' xmlns='${NS.COMPONENT_ACCEPT}' from='${DOMAIN}' id='&quot;&gt;&lt;handshake/&gt;&apos;&amp;'>`,
    );
    const digest = createHash('sha1')
      .update(id + SECRET)
      .digest('hex');
    await server.expect(`>${digest}</handshake>`);
    await server.send('<handshake/>');
    await connected;
  });

  it.each([
    [
      'an id without end',
      (): string => streamHeader({ xmlns: NS.COMPONENT_ACCEPT, id: 'x'.repeat(1 << 20) }),
      /^LIMIT_/,
    ],
    ['a handshake in place of the header', (): string => `<handshake xmlns='${NS.COMPONENT_ACCEPT}'/>`, /^STREAM_/],
    [
      'a handshake of another protocol',
      (): string => `${streamHeader({ xmlns: NS.COMPONENT_ACCEPT, id: 'S1', from: DOMAIN })}<handshake xmlns='urn:x'/>`,
      /_TIMEOUT$/,
    ],
  ])('A-NEG-16: %s ends the attempt', async (_, script, code) => {
    const { recorded, server, connected } = await components.dialled({
      timeouts: { auth: code.source.includes('TIMEOUT') ? 100 : 30_000, close: 100 },
    });
    await server.expect(OPENING);
    await server.send(script());
    expect((await failure(connected)).code).toMatch(code);
    expect(recorded.short).not.toContain('READY');
    expect(recorded.short.filter((name) => name.endsWith('FAIL'))).toHaveLength(1);
  });

  it('A-SIZE-7: an offer of compression is not taken', async () => {
    const COMPRESSION = `<compression xmlns='http://jabber.org/features/compress'><method>zlib</method></compression>`;
    const { server, connected } = await clients.dialled({}, 'plain');
    await greet(server, features(COMPRESSION, STARTTLS));
    await secure(server, clients.identity);
    await greet(server, features(COMPRESSION, mechanisms('PLAIN')), { id: 'tls-1' });
    await server.expect('</auth>');
    await server.send(`<success xmlns='${NS.SASL}'/>`);
    await greet(server, features(COMPRESSION, BIND), { id: 'auth-1' });
    const id = await iqId(server);
    await server.send(`<iq type='result' id='${id}'><bind xmlns='${NS.BIND}'><jid>${JID}</jid></bind></iq>`);
    await connected;
    expect(server.received.toString()).not.toContain('compress');
  });
});

describe('flow', () => {
  it('A-FLOW-4: what leaves is whole, however little the peer takes at a time', { timeout: 60_000 }, async () => {
    const { broker, server } = await components.ready();
    server.pause();
    const stanzas = Array.from({ length: 200 }, (_, n) =>
      xml('message', { to: 'a@b', from: DOMAIN, id: `${n}` }, xml('body', {}, `é😀<${n}>`.repeat(2_000))),
    );
    const tickets = stanzas.map((stanza) => broker.output(stanza));
    // Small sips: each time the socket takes a part of a stanza, the rest waits.
    const sip = (async () => {
      while (tickets.at(-1)!.state !== 'sent') {
        server.resume();
        await new Promise((resolve) => setImmediate(resolve));
        server.pause();
        await new Promise((resolve) => setImmediate(resolve));
      }
      server.resume();
    })();
    await tickets.at(-1)!.sent;
    await sip;
    broker.output(xml('presence', { to: 'a@b', id: 'last' }));
    await server.expect("id='last'", { timeoutMs: 20_000 });
    const text = server.received.toString();
    const begin = text.indexOf('<message');
    expect(begin).toBeGreaterThan(0);
    const wanted = tickets.map(({ node }) => node.toString().replace(` xmlns='${NS.COMPONENT_ACCEPT}'`, '')).join('');
    expect(text.slice(begin, text.indexOf('<presence')) === wanted).toBe(true);
  });

  it('A-FLOW-2: slow handlers: the order is kept, and nobody is called dead', { timeout: 60_000 }, async () => {
    const { broker, server } = await components.ready({ liveness: { intervalMs: 20, timeoutMs: 20 } });
    const COUNT = 60;
    const seen: string[] = [];
    const all = new Promise<void>((resolve) => {
      broker.subscribe(PCJ_NODERECEIVED, (node) => {
        const until = performance.now() + 10;
        while (performance.now() < until);
        if (seen.push(node.getAttribute('id') ?? '') === COUNT) resolve();
      });
    });
    const body = 'x'.repeat(200_000);
    for (let n = 0; n < COUNT; n += 1) {
      void server.send(`<message id='${n}' from='a@b' to='${DOMAIN}'><body>${body}</body></message>`);
    }
    await all;
    expect(seen).toEqual(Array.from({ length: COUNT }, (_, n) => `${n}`));
    expect(broker.state).toBe('ready');
  });
});
