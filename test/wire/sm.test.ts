import { describe, expect, it } from 'vitest';
import { NS, PCJ_NODERECEIVED, reply, xml, XMPP, type Broker, type BrokerOptions, type Ticket } from 'xmpp-broker';
import { authenticate, CLIENT, greet, iqId, JID, welcome, welcomeBack } from './support/client.js';
import {
  BIND,
  failure,
  features,
  SM,
  stopClock,
  streamError,
  useRig,
  type Conversation,
  type Ready,
} from './support/index.js';

const rig = useRig(CLIENT);

const send = (broker: Broker, id: string): Ticket =>
  broker.output(xml('message', { to: 'bob@localhost', id }, xml('body', {}, id)));

const state = ({ state, possibleDuplicate }: Ticket) => `${state}${possibleDuplicate ? '?' : ''}`;

const RECONNECT: Partial<BrokerOptions> = { reconnect: { resumeDelayMs: 1, firstDelayMs: 1, maxDelayMs: 1 } };

const hOf = (element: string): string => / h='([^']*)'/.exec(element)?.[1] ?? '';

/** Takes the messages up to one with this id, whole. */
const upTo = (server: Conversation, id: string) => server.expect(`<body>${id}</body></message>`);

/** A resumable client that has sent `ids`, none acknowledged, and whose link is cut then. */
async function cut(ids: readonly string[]): Promise<Ready & { tickets: Ticket[] }> {
  const client = await rig.ready(RECONNECT);
  const tickets = ids.map((id) => send(client.broker, id));
  await upTo(client.server, ids.at(-1) ?? '');
  await Promise.all(tickets.map(({ sent }) => sent));
  client.server.reset();
  return { ...client, tickets };
}

/** Lets a client that could not resume bind anew. */
async function bindAnew(server: Conversation, enabled = "resume='true' id='session-2'"): Promise<void> {
  const id = await iqId(server);
  await server.send(`<iq type='result' id='${id}'><bind xmlns='${NS.BIND}'><jid>${JID}</jid></bind></iq>`);
  await server.expect(/<enable [^>]*\/>/);
  await server.send(`<enabled xmlns='${NS.SM}' ${enabled}/>`);
}

describe('enabling', () => {
  it('S-SM-1: once, after bind', async () => {
    const { server, recorded } = await rig.ready();
    const said = server.received.toString();
    expect(said.split('<enable ')).toHaveLength(2);
    expect(said.indexOf('<enable ')).toBeGreaterThan(said.indexOf('<bind '));
    expect(recorded.last('PCJ_SM_ENABLED')).toEqual({ id: 'session-1', max: 300, resumable: true });
    expect(recorded.short.slice(-3)).toEqual(['NODESENT(enable)', 'SM_ENABLED', 'READY']);
  });

  it('is left out where it is not offered, and where the options say so', async () => {
    const without = await rig.ready({}, { after: features(BIND), enabled: null });
    expect(without.recorded.short).not.toContain('SM_ENABLED');
    const connectionType = XMPP.with({ mechanisms: ['PLAIN'], streamManagement: 'off' });
    const off = await rig.ready({ connectionType }, { enabled: null });
    expect(off.server.received.toString()).not.toContain('<enable');
  });

  it('a refusal is told, and the stream works without', async () => {
    const { server, connected, broker, recorded } = await rig.dialled();
    await authenticate(server);
    await greet(server, features(BIND, SM), { id: 'auth-1' });
    const id = await iqId(server);
    await server.send(`<iq type='result' id='${id}'><bind xmlns='${NS.BIND}'><jid>${JID}</jid></bind></iq>`);
    await server.expect('<enable');
    await server.send(`<failed xmlns='${NS.SM}'><unexpected-request xmlns='${NS.STANZAS}'/></failed>`);
    await connected;
    expect(recorded.last('PCJ_SM_FAILED')).toMatchObject({ code: 'SM_FAILED', condition: 'unexpected-request' });
    const ticket = send(broker, '1');
    await upTo(server, '1');
    await expect(ticket.acked).rejects.toMatchObject({ code: 'QUEUE_NOT_ACKABLE' });
  });

  it.each([
    ["resume='true'", false],
    ["resume='true' id=''", false],
    ["id='x'", false],
    [`resume='true' id='${'x'.repeat(4_001)}'`, false],
    [`resume='true' id='${'x'.repeat(4_000)}'`, true],
    ["resume='1' id='&lt;&apos;&quot;'", true],
    ["resume='false' id='x'", false],
    ["resume='true' id='x' max='-5'", true],
    ["resume='true' id='x' max='99999999999999999999'", true],
  ])('S-SM-6: <enabled %s/>', async (enabled, resumable) => {
    const { recorded } = await rig.ready({}, { enabled });
    expect(recorded.last('PCJ_SM_ENABLED')).toMatchObject({ resumable });
  });
});

describe('counting', () => {
  it('S-SM-2: inbound, from <enabled/> on, and stanzas only', async () => {
    const { server, connected, broker } = await rig.dialled();
    await authenticate(server);
    await greet(server, features(BIND, SM), { id: 'auth-1' });
    const id = await iqId(server);
    await server.send(`<iq type='result' id='${id}'><bind xmlns='${NS.BIND}'><jid>${JID}</jid></bind></iq>`);
    await server.expect(/<enable [^>]*\/>/);
    await server.send(`<message id='before'/><enabled xmlns='${NS.SM}' resume='true' id='s'/><message id='behind'/>`);
    await connected;
    await server.send(
      `<presence/><iq type='result' id='x'/><nonza xmlns='urn:example:n'/><message xmlns='urn:example:m'/><r xmlns='${NS.SM}'/>`,
    );
    expect(hOf(await server.expect(/<a [^>]*\/>/))).toBe('3');
    expect(broker.state).toBe('ready');
  });

  it('S-SM-3: <r/> is answered at once, and while our own stanzas have to wait', async () => {
    const { server, broker } = await rig.ready();
    await server.send(`<message/><r xmlns='${NS.SM}'/>`);
    expect(hOf(await server.expect(/<a [^>]*\/>/))).toBe('1');
    // More than may be unacknowledged: what is over waits.
    for (let n = 0; n < 10_050; n++) broker.output(xml('presence'));
    await server.send(`<message/><r xmlns='${NS.SM}'/>`);
    expect(hOf(await server.expect(/<a [^>]*\/>/))).toBe('2');
  });

  it('S-SM-4: the wire shows counts below 2^32 only', async () => {
    const { server, broker } = await rig.ready();
    const closed = broker.closed;
    await server.send(`<a xmlns='${NS.SM}' h='4294967296'/>`);
    await server.expect('<undefined-condition');
    expect(await closed).toMatchObject({ error: { code: 'SM_BAD_H' } });
  });

  it.each(['5', '-1', ' 5', '1e3', '4294967296', '', '0x1', '99999999999999999999', null])(
    'S-SM-5: h=%j is fatal: nothing of that was sent',
    async (h) => {
      const { server, broker, recorded } = await rig.ready();
      send(broker, '1');
      await upTo(server, '1');
      const closed = broker.closed;
      await server.send(h === null ? `<a xmlns='${NS.SM}'/>` : `<a xmlns='${NS.SM}' h='${h}'/>`);
      const said = await server.expect('</stream:stream>');
      expect(said).toContain('<undefined-condition');
      expect(said).toMatch(/<handled-count-too-high [^>]*send-count='1'/);
      expect(await closed).toMatchObject({ error: { code: 'SM_BAD_H', layer: 'sm', retryable: true } });
      expect(recorded.short.slice(-3)).toEqual(['PROTOCOLERROR', 'SOCKETFAIL', 'SOCKETDISCONNECT']);
    },
  );

  it('S-SM-5: a count that goes back is fatal; the same again is not', async () => {
    const { server, broker } = await rig.ready();
    const tickets = ['1', '2', '3'].map((id) => send(broker, id));
    await upTo(server, '3');
    const acked = broker.events.once('PCJ_SM_ACK');
    await server.send(`<a xmlns='${NS.SM}' h='2'/><a xmlns='${NS.SM}' h='2'/>`);
    expect(await acked).toMatchObject({ pending: 1 });
    expect(tickets.map(state)).toEqual(['acked', 'acked', 'sent']);
    const closed = broker.closed;
    await server.send(`<a xmlns='${NS.SM}' h='1'/>`);
    expect(await closed).toMatchObject({ error: { code: 'SM_BAD_H' } });
  });

  it('S-SM-13: an acknowledgement is asked for after five stanzas, and never twice at once', async () => {
    const { server, broker } = await rig.ready();
    for (let n = 1; n <= 4; n++) send(broker, String(n));
    await upTo(server, '4');
    expect(server.received.toString()).not.toContain('<r ');
    send(broker, '5');
    await server.expect(`<body>5</body></message><r xmlns='${NS.SM}'/>`);
    for (let n = 6; n <= 20; n++) send(broker, String(n));
    expect(await upTo(server, '20')).not.toContain('<r ');
    const acked = broker.events.once('PCJ_SM_ACK');
    await server.send(`<a xmlns='${NS.SM}' h='5'/>`);
    expect(await acked).toMatchObject({ pending: 15 });
    await server.expect('<r ');
  });

  it('S-SM-13: what may be unacknowledged is bounded; the rest waits, and goes on', async () => {
    const { server, broker } = await rig.ready();
    const tickets = Array.from({ length: 10_010 }, (_, n) => send(broker, String(n + 1)));
    await upTo(server, '10000');
    // The request for an acknowledgement passes what waits.
    await server.send(`<a xmlns='${NS.SM}' h='5'/>`);
    await server.expect('<r ');
    expect(tickets.at(-1)?.state).toBe('queued');
    await server.send(`<a xmlns='${NS.SM}' h='10000'/>`);
    await upTo(server, '10010');
  });

  it('S-SM-13: a server that does not acknowledge when it is asked is left', async () => {
    const { server, broker } = await rig.ready({ liveness: { intervalMs: 60, timeoutMs: 300 } });
    const closed = broker.closed;
    for (let n = 1; n <= 5; n++) send(broker, String(n));
    await server.expect('<r ');
    // It is alive, but does not answer.
    const alive = setInterval(() => void server.send(' '), 10);
    const end = await closed.finally(() => {
      clearInterval(alive);
    });
    expect(end).toMatchObject({ error: { code: 'SM_NO_ACK', retryable: true } });
  });

  it('a peer that asks without end gets one answer for many questions', async () => {
    const { server, broker } = await rig.ready();
    const asked = broker.events.once(PCJ_NODERECEIVED);
    await server.send(`${`<r xmlns='${NS.SM}'/>`.repeat(20_000)}<message/>`);
    await asked;
    await server.send(`<message/><r xmlns='${NS.SM}'/>`);
    const said = await server.expect(/<a [^>]*h='2'\/>/);
    expect(said.split('<a ').length).toBeLessThan(2_000);
  });

  it('S-SM-16: a stanza counts when every handler has seen it, also when one threw', async () => {
    const { server, broker, recorded } = await rig.ready();
    const counts: string[] = [];
    broker.subscribe(PCJ_NODERECEIVED, () => {
      counts.push('first');
      throw new Error('handler');
    });
    await server.send(`<message/><r xmlns='${NS.SM}'/>`);
    expect(hOf(await server.expect(/<a [^>]*\/>/))).toBe('1');
    expect(counts).toEqual(['first']);
    expect(recorded.short).toContain('HANDLERERROR');
  });

  it('S-STZ-6: a stanza with addresses that are none is delivered and counted', async () => {
    const { server, broker } = await rig.ready();
    const seen: (string | null)[] = [];
    broker.subscribe(PCJ_NODERECEIVED, (node) => seen.push(node.getAttribute('from')));
    await server.send(
      `<message from='@'/><message from='a@d/'/><iq type='result' id='1' from='&#x202e;@d'/><r xmlns='${NS.SM}'/>`,
    );
    expect(hOf(await server.expect(/<a [^>]*\/>/))).toBe('3');
    expect(seen).toHaveLength(3);
    expect(broker.state).toBe('ready');
  });

  it('an element of the namespace that does not belong here ends the link', async () => {
    const { server, broker } = await rig.ready();
    const closed = broker.closed;
    await server.send(`<enable xmlns='${NS.SM}'/>`);
    expect(await closed).toMatchObject({ error: { code: 'SM_UNEXPECTED' } });
  });
});

describe('closing', () => {
  it('S-SM-12: asks for what is unproved, tells what was handled, and ends the session', async () => {
    const { server, broker } = await rig.ready({ timeouts: { close: 5_000 } });
    const ticket = send(broker, '1');
    const seen = broker.events.once(PCJ_NODERECEIVED);
    await server.send('<message/>');
    await seen;
    const closing = broker.shutdown();
    const said = await server.expect('</stream:stream>');
    expect(said).toContain(`<r xmlns='${NS.SM}'/><a xmlns='${NS.SM}' h='1'/></stream:stream>`);
    await server.send(`<a xmlns='${NS.SM}' h='1'/></stream:stream>`);
    await closing;
    expect(ticket.state).toBe('acked');
    expect(broker.queue.size).toBe(0);
  });

  it('S-SM-12: what stays unproved after an orderly end is held, and the session is over', async () => {
    const { server, broker, peer } = await rig.ready();
    const ticket = send(broker, '1');
    const closing = broker.shutdown();
    await server.expect('</stream:stream>');
    await server.send('</stream:stream>');
    await closing;
    expect(state(ticket)).toBe('queued?');
    const connected = broker.connect();
    const again = await peer.accept();
    await welcome(again);
    await connected;
    expect(again.received.toString()).not.toContain('<resume');
  });

  it('S-SM-12: a shutdown while no link is there ends the kept session', async () => {
    const { server, broker } = await rig.ready();
    const ticket = send(broker, '1');
    await ticket.sent;
    const closed = broker.closed;
    server.reset();
    await closed;
    expect([state(ticket), broker.queue.size]).toEqual(['sent', 0]);
    await broker.shutdown();
    expect([state(ticket), broker.queue.size]).toEqual(['queued?', 1]);
  });
});

describe('resuming', () => {
  it('S-SM-7 S-SM-8 S-SM-15: in place of bind; the rest goes out again in order, before anything new', async () => {
    const { broker, recorded, peer, tickets } = await cut(['1', '2', '3']);
    await broker.events.once('PCJ_RECONNECTING');
    const held = send(broker, 'held');
    recorded.clear();
    const server = await peer.accept();
    const resume = await welcomeBack(server);
    expect(resume).toContain("previd='session-1'");
    expect(hOf(resume)).toBe('0');
    const ready = broker.events.once('PCJ_READY');
    await server.send(`<resumed xmlns='${NS.SM}' previd='session-1' h='1'/>`);
    expect(await ready).toMatchObject({ resumed: true });
    send(broker, 'new');
    const said = await upTo(server, 'new');
    expect(said.match(/<body>[^<]*/g)).toEqual(['<body>2', '<body>3', '<body>new']);
    expect(said).toContain("id='2'");
    expect(tickets.map(state)).toEqual(['acked', 'sent', 'sent']);
    expect(state(held)).toBe('queued');
    // Counting goes on: the server has had four by now.
    await server.send(`<a xmlns='${NS.SM}' h='4'/>`);
    await broker.events.once('PCJ_SM_ACK');
    expect(tickets.map(state)).toEqual(['acked', 'acked', 'acked']);
    expect(server.received.toString()).not.toMatch(/<bind|<enable /);
    const names = recorded.short.filter((name) => !name.startsWith('NODE'));
    expect(names.slice(names.lastIndexOf('STREAMSTART'))).toEqual([
      ...['STREAMSTART', 'SM_ACK', 'SM_RESUMED', 'READY', 'SM_ACK'],
    ]);
    expect(recorded.payloads[recorded.names.indexOf('PCJ_SM_RESUMED')]).toEqual({ id: 'session-1', replayed: 2 });
  });

  it('S-SM-8 A-FLOW-8: what was handled here before the cut is told, over several links', async () => {
    const first = await rig.ready(RECONNECT);
    const { broker, peer } = first;
    for (let link = 0, server = first.server; link < 3; link++) {
      await server.send('<message/><presence/>');
      let seen = 0;
      await new Promise<void>((resolve) => {
        const subscription = broker.subscribe(PCJ_NODERECEIVED, () => {
          if (++seen < 2) return;
          subscription[Symbol.dispose]();
          resolve();
        });
      });
      server.reset();
      server = await peer.accept();
      expect(hOf(await welcomeBack(server))).toBe(String(2 * (link + 1)));
      const ready = broker.events.once('PCJ_READY');
      await server.send(`<resumed xmlns='${NS.SM}' previd='session-1' h='0'/>`);
      await ready;
    }
  });

  it('A-FLOW-7: half an element at a cut is not delivered and not counted', async () => {
    const { server, broker, peer } = await rig.ready(RECONNECT);
    const seen: (string | null)[] = [];
    broker.subscribe(PCJ_NODERECEIVED, (node) => seen.push(node.getAttribute('id')));
    const lost = broker.events.once('PCJ_SOCKETDISCONNECT');
    await server.send("<message id='1'/><message id='2'><body>ha");
    server.end();
    await lost;
    const again = await peer.accept();
    expect(hOf(await welcomeBack(again))).toBe('1');
    const ready = broker.events.once('PCJ_READY');
    await again.send(`<resumed xmlns='${NS.SM}' previd='session-1' h='0'/><message id='2'/>`);
    await ready;
    await broker.events.once(PCJ_NODERECEIVED);
    expect(seen).toEqual(['1', '2']);
  });

  // What such a server reads begins with the half of an element that the lost connection left. Prosody says how many stanzas
  // it has handled before it ends the stream.
  it.each(
    ['not-well-formed', 'invalid-xml', 'policy-violation', 'undefined-condition'].flatMap((condition) => [
      { condition, farewell: '', name: 'at once' },
      { condition, farewell: `<a xmlns='${NS.SM}' h='1'/>`, name: 'behind its count' },
    ]),
  )(
    'A-FLOW-7: a server that goes on with the parser of the lost connection blames no stanza: $condition, $name',
    async ({ condition, farewell }) => {
      const { broker, peer, tickets } = await cut(['1', '2', '3']);
      const resumed = await peer.accept();
      await welcomeBack(resumed);
      await resumed.send(`<resumed xmlns='${NS.SM}' previd='session-1' h='1'/>`);
      await upTo(resumed, '3');
      await resumed.send(`${farewell}${streamError(condition)}</stream:stream>`);
      resumed.end();
      const server = await peer.accept();
      const ready = broker.events.once('PCJ_READY');
      await welcome(server, { enabled: "resume='true' id='session-2'" });
      expect(await ready).toMatchObject({ resumed: false });
      expect(tickets.map(state)).toEqual(['acked', 'queued?', 'queued?']);
      expect(tickets.map(({ faults }) => faults)).toEqual([0, 0, 0]);
      // So all of them go at once, in order, and nothing overtakes them.
      broker.queue.send();
      send(broker, 'later');
      const said = await upTo(server, 'later');
      expect(said.match(/<body>[^<]*/g)).toEqual(['2', '3', 'later'].map((id) => `<body>${id}`));
    },
  );

  it.each([
    ['with a count', " h='1'", ['acked', 'queued?', 'queued?']],
    ['without one', '', ['queued?', 'queued?', 'queued?']],
    ['with one that makes no sense', " h='77'", ['queued?', 'queued?', 'queued?']],
  ])('S-SM-9 S-SM-10 A-FLOW-8: a session that is over, %s: the rest is held, flagged', async (_, h, states) => {
    const { broker, recorded, peer, tickets } = await cut(['1', '2', '3']);
    await broker.events.once('PCJ_RECONNECTING');
    const later = send(broker, 'later');
    const server = await peer.accept();
    await welcomeBack(server);
    const ready = broker.events.once('PCJ_READY');
    await server.send(`<failed xmlns='${NS.SM}'${h}><item-not-found xmlns='${NS.STANZAS}'/></failed>`);
    await bindAnew(server);
    expect(await ready).toMatchObject({ resumed: false });
    expect(tickets.map(state)).toEqual(states);
    expect(recorded.last('PCJ_SM_FAILED')).toMatchObject({ code: 'SM_FAILED', condition: 'item-not-found' });
    expect([...broker.queue]).toEqual([...tickets.filter((ticket) => ticket.state === 'queued'), later]);
    // Nothing goes out by itself; on purge the ids are the same.
    const fresh = send(broker, 'fresh');
    await upTo(server, 'fresh');
    broker.purgeQueue();
    const said = await upTo(server, 'later');
    expect(said.match(/ id='[^']*'/g)).toEqual(
      [...tickets.filter(({ possibleDuplicate }) => possibleDuplicate), later].map(
        ({ node }) => ` id='${node.getAttribute('id') ?? ''}'`,
      ),
    );
    expect(state(fresh)).toBe('sent');
  });

  it('S-SM-9: what is held says nothing of the old session: the server would refuse the address', async () => {
    const client = await rig.ready(RECONNECT);
    const { broker, peer } = client;
    broker.subscribe(PCJ_NODERECEIVED, (node) => broker.output(reply(node, xml('body', {}, 'answer'))));
    await client.server.send(`<message from='bob@localhost/1' to='${JID}' id='1'/>`);
    const answer = await client.server.expect('<body>answer</body></message>');
    expect(answer).toContain(" to='bob@localhost/1'");
    client.server.reset();
    const server = await peer.accept();
    await welcomeBack(server);
    const ready = broker.events.once('PCJ_READY');
    await server.send(`<failed xmlns='${NS.SM}'/>`);
    const id = await iqId(server);
    const bound = `<bind xmlns='${NS.BIND}'><jid>alice@localhost/another</jid></bind>`;
    await server.send(`<iq type='result' id='${id}'>${bound}</iq>`);
    await server.expect(/<enable [^>]*\/>/);
    await server.send(`<enabled xmlns='${NS.SM}'/>`);
    await ready;
    broker.purgeQueue();
    const again = await server.expect('<body>answer</body></message>');
    expect(answer + again).not.toContain('from=');
    // Who sends as the account, or as somebody else, says so on purpose.
    broker.output(xml('presence', { from: 'alice@localhost', id: '2' }));
    broker.output(xml('presence', { from: 'alice@localhost.example.org/another', id: '3' }));
    const kept = await server.expect(/<presence[^>]* id='3'[^>]*>/);
    expect(kept.match(/ from='[^']*'/g)).toEqual([
      " from='alice@localhost'",
      " from='alice@localhost.example.org/another'",
    ]);
  });

  it('S-SM-9: a server that offers no stream management any more', async () => {
    const { broker, recorded, peer, tickets } = await cut(['1']);
    const server = await peer.accept();
    const ready = broker.events.once('PCJ_READY');
    await welcome(server, { after: features(BIND), enabled: null });
    await ready;
    expect(tickets.map(state)).toEqual(['queued?']);
    expect(recorded.last('PCJ_SM_FAILED')).toMatchObject({ code: 'SM_FAILED' });
  });

  it('S-SM-11: a condition that is wrapped is understood, and nothing loops', async () => {
    const { broker, recorded, peer } = await cut(['1']);
    const server = await peer.accept();
    await welcomeBack(server);
    await server.send(
      `<failed xmlns='${NS.SM}'><error type='cancel'><item-not-found xmlns='${NS.STANZAS}'/></error></failed>`,
    );
    const ready = broker.events.once('PCJ_READY');
    await bindAnew(server);
    await ready;
    expect(recorded.last('PCJ_SM_FAILED')).toMatchObject({ condition: 'item-not-found' });
    expect(peer.conversations).toHaveLength(2);
  });

  it.each([
    ['another session', "previd='other' h='0'", 'SM_BAD_RESUMED'],
    ['no session', "h='0'", 'SM_BAD_RESUMED'],
    ['more than was sent', "previd='session-1' h='9'", 'SM_BAD_H'],
    ['no count', "previd='session-1'", 'SM_BAD_H'],
  ])('S-SM-7: <resumed/> of %s: not believed, and not tried again', async (_, attributes, code) => {
    const { broker, recorded, peer, tickets } = await cut(['1']);
    const server = await peer.accept();
    await welcomeBack(server);
    const failed = broker.events.once('PCJ_CONNECTFAIL');
    await server.send(`<resumed xmlns='${NS.SM}' ${attributes}/>`);
    expect(await failed).toMatchObject({ code, retryable: true });
    await server.expect('</stream:stream>');
    server.end();
    const ready = broker.events.once('PCJ_READY');
    const next = await peer.accept();
    await welcome(next, { enabled: "resume='true' id='session-2'" });
    await ready;
    expect(next.received.toString()).not.toContain('<resume');
    expect(tickets.map(state)).toEqual(['queued?']);
    expect(recorded.short.filter((name) => name === 'READY')).toHaveLength(2);
  });

  it('S-SM-15: an acknowledgement from before the cut does no harm', async () => {
    const { broker, peer, tickets } = await cut(['1', '2']);
    const server = await peer.accept();
    await welcomeBack(server);
    const ready = broker.events.once('PCJ_READY');
    await server.send(`<resumed xmlns='${NS.SM}' previd='session-1' h='1'/><a xmlns='${NS.SM}' h='1'/><message/>`);
    await ready;
    await broker.events.once(PCJ_NODERECEIVED);
    expect(tickets.map(state)).toEqual(['acked', 'sent']);
    expect(broker.state).toBe('ready');
  });

  it('S-SM-6: max is honoured: a session that is too old is given up, and not asked for', async () => {
    const clock = stopClock();
    const client = await rig.ready({}, { enabled: "resume='true' id='s' max='60'" });
    const ticket = send(client.broker, '1');
    await ticket.sent;
    const closed = client.broker.closed;
    client.server.reset();
    await closed;
    await clock.pass(59_000);
    expect(state(ticket)).toBe('sent');
    await clock.pass(1_000);
    expect(state(ticket)).toBe('queued?');
    const connected = client.broker.connect();
    const again = await client.peer.accept();
    await welcome(again);
    await connected;
  });

  it('S-RTS-4: a written request waits for the resumption; without one it fails, and is not sent again', async () => {
    const first = await rig.ready(RECONNECT);
    const { broker, peer } = first;
    const ask = (id: string) =>
      broker.request(xml('iq', { type: 'get', id, to: 'localhost' }, xml('query', { xmlns: NS.DISCO_INFO })));
    const resumed = ask('r1');
    await first.server.expect("id='r1'");
    await first.server.expect('</iq>');
    first.server.reset();
    const second = await peer.accept();
    await welcomeBack(second);
    await second.send(`<resumed xmlns='${NS.SM}' previd='session-1' h='0'/>`);
    await second.expect("id='r1'");
    await second.send("<iq type='result' id='r1' from='localhost'/>");
    expect((await resumed).getAttribute('type')).toBe('result');

    const lost = failure(ask('r2'));
    await second.expect("id='r2'");
    await second.expect('</iq>');
    second.reset();
    const third = await peer.accept();
    await welcomeBack(third);
    const ready = broker.events.once('PCJ_READY');
    await third.send(`<failed xmlns='${NS.SM}'/>`);
    await bindAnew(third);
    await ready;
    expect(await lost).toMatchObject({ code: 'RTS_DISCONNECTED', sent: 'maybe' });
    expect(broker.queue.size).toBe(0);
    expect(broker.pending.size).toBe(0);
  });

  it('S-RTS: a request that the server has taken fails as such when its session is over', async () => {
    const { broker, peer, server } = await rig.ready(RECONNECT);
    const ping = xml('iq', { type: 'get', to: 'localhost' }, xml('ping', { xmlns: NS.PING }));
    const lost = failure(broker.request(ping));
    await server.expect('</iq>');
    const acked = broker.events.once('PCJ_SM_ACK');
    await server.send(`<a xmlns='${NS.SM}' h='1'/>`);
    await acked;
    server.reset();
    const again = await peer.accept();
    await welcomeBack(again);
    await again.send(`<failed xmlns='${NS.SM}'/>`);
    await bindAnew(again);
    expect(await lost).toMatchObject({ code: 'RTS_DISCONNECTED', sent: 'acked', retryable: true });
  });

  it('S-SM-12: reconnect() while ready drops the link without a farewell, and resumes', async () => {
    const { server, broker, peer, recorded } = await rig.ready();
    recorded.clear();
    const again = broker.reconnect();
    const end = await server.expectEnd();
    expect(end).not.toContain('</stream:stream>');
    const next = await peer.accept();
    await welcomeBack(next);
    await next.send(`<resumed xmlns='${NS.SM}' previd='session-1' h='0'/>`);
    await again;
    expect(recorded.short.slice(0, 2)).toEqual(['SOCKETDISCONNECT', 'CONNECT']);
    expect(recorded.last('PCJ_SOCKETDISCONNECT')).toMatchObject({
      clean: false,
      error: { code: 'CONNECT_SUPERSEDED' },
    });
    expect(recorded.last('PCJ_READY')).toMatchObject({ resumed: true });
  });
});
