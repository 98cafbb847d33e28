import { describe, expect, it } from 'vitest';
import { NS, PCJ_NODERECEIVED, xml } from 'xmpp-broker';
import { CLIENT, welcome } from './support/client.js';
import { BIND, failure, features, SM, stopClock, useRig } from './support/index.js';

const rig = useRig(CLIENT);

const WITHOUT_SM = { after: features(BIND), enabled: null };

describe('pings', () => {
  it('S-PING-1: a ping of the server, or of anybody, is answered exactly once', async () => {
    const { server, broker } = await rig.ready({}, WITHOUT_SM);
    await server.send(
      `<iq type='get' id='p1'><ping xmlns='${NS.PING}'/></iq>` +
        `<iq type='get' id='p2' from='bob@localhost/x' to='alice@localhost/desk'><ping xmlns='${NS.PING}'/></iq><message/>`,
    );
    await broker.events.once(PCJ_NODERECEIVED);
    expect(await server.expect(/<iq [^>]*id='p1'[^>]*\/>/)).toContain("type='result'");
    const second = await server.expect(/<iq [^>]*id='p2'[^>]*\/>/);
    expect(second).toContain("type='result'");
    expect(second).toContain("to='bob@localhost/x'");
    expect(server.unread).toBe('');
  });

  it('S-PING-1: unless the options say that nothing is answered', async () => {
    const { server, broker } = await rig.ready({ answerRequests: false }, WITHOUT_SM);
    const seen = broker.events.once(PCJ_NODERECEIVED);
    await server.send(`<iq type='get' id='p1'><ping xmlns='${NS.PING}'/></iq>`);
    await seen;
    broker.output(xml('presence'));
    expect(await server.expect(/<presence *\/>/)).not.toContain('<iq');
  });
});

describe('liveness', () => {
  it('S-PING-2: rare unless told otherwise; and the cheapest question that the stream has', async () => {
    const { broker } = await rig.ready();
    expect(broker.config.liveness).toEqual({ intervalMs: 300_000, timeoutMs: 30_000 });
    const managed = await rig.ready({ liveness: { intervalMs: 40, timeoutMs: 5_000 } });
    await managed.server.expect(`<r xmlns='${NS.SM}'/>`);
    expect(managed.server.received.toString()).not.toContain('<ping');
    const plain = await rig.ready({ liveness: { intervalMs: 40, timeoutMs: 5_000 } }, WITHOUT_SM);
    const ping = await plain.server.expect(/<iq .*?<\/iq>/);
    expect(ping).toContain("to='localhost'");
    expect(ping).toContain(`<ping xmlns='${NS.PING}'/>`);
  });

  it.each([
    ['a result', (id: string) => `<iq type='result' id='${id}' from='localhost'/>`],
    ['an error', (id: string) => `<iq type='error' id='${id}' from='localhost'><error type='cancel'/></iq>`],
    ['anything else', () => '<message/>'],
    ['white space', () => ' '],
  ])('S-PING-1: %s is a sign of life', async (_, answer) => {
    const { server, broker } = await rig.ready({ liveness: { intervalMs: 40, timeoutMs: 150 } }, WITHOUT_SM);
    for (let round = 0; round < 3; round++) {
      const [, id = ''] = await server.match(/<iq [^>]*id='([^']+)'.*?<\/iq>/);
      await server.send(answer(id));
    }
    expect(broker.state).toBe('ready');
  });

  // Far from the time after which a missing acknowledgement ends the link: that is the interval later.
  const SILENCE = { intervalMs: 400, timeoutMs: 60 };

  it.each([
    ['with stream management', {}, `<r xmlns='${NS.SM}'/>`],
    ['without it', WITHOUT_SM, '<ping'],
  ])('S-PING-3 A-FLOW-3: silence %s: asked, then left with connection-timeout', async (_, said, question) => {
    const { server, broker, recorded } = await rig.ready({ liveness: SILENCE }, said);
    const closed = broker.closed;
    await server.expect(question);
    await server.expect('<connection-timeout');
    await server.expect('</stream:stream>');
    expect(await closed).toMatchObject({ clean: false, error: { code: 'LIVENESS_TIMEOUT', retryable: true } });
    expect(recorded.short.slice(-2)).toEqual(['SOCKETFAIL', 'SOCKETDISCONNECT']);
  });

  it('S-PING-3: a peer that neither reads nor writes is left, too', async () => {
    const { server, broker } = await rig.ready({ liveness: SILENCE });
    const closed = broker.closed;
    server.pause();
    expect(await closed).toMatchObject({ error: { code: 'LIVENESS_TIMEOUT' } });
  });

  it('A-FLOW-9: a process that stood still asks once, and calls nobody dead whose bytes are there', async () => {
    const { server, broker } = await rig.ready({ liveness: { intervalMs: 50, timeoutMs: 100 } }, WITHOUT_SM);
    await server.expect('</iq>');
    // The answer lies in the socket while this process sleeps far beyond every limit.
    await server.send('<message/>');
    const until = performance.now() + 400;
    while (performance.now() < until);
    await broker.events.once(PCJ_NODERECEIVED);
    await server.expect('</iq>');
    expect(broker.state).toBe('ready');
    expect(server.received.toString().split('<ping').length - 1).toBeLessThanOrEqual(3);
  });

  it('can be switched off', async () => {
    const { broker } = await rig.ready({ liveness: false });
    expect(broker.config.liveness).toBe(false);
  });
});

describe('limits of the server', () => {
  const limited = (inner: string) => ({
    after: features(BIND, SM, `<limits xmlns='urn:xmpp:stream-limits:0'>${inner}</limits>`),
  });
  const sized = (bytes: number) => {
    const room = bytes - "<message to='b@localhost'><body></body></message>".length;
    return xml('message', { to: 'b@localhost' }, xml('body', {}, 'x'.repeat(room)));
  };

  it('S-PING-4: max-bytes: one more is refused, and nothing is written', async () => {
    const { server, broker } = await rig.ready({}, limited('<max-bytes>200</max-bytes>'));
    const ticket = broker.output(sized(200));
    expect(ticket.bytes).toBe(200);
    await server.expect('</message>');
    expect(() => broker.output(sized(201))).toThrow(
      expect.objectContaining({ code: 'PEER_LIMIT', sent: 'no', retryable: false }),
    );
    const request = xml('iq', { type: 'set', to: 'localhost' }, xml('x', { xmlns: 'urn:x' }, 'y'.repeat(300)));
    expect(await failure(broker.request(request))).toMatchObject({ code: 'PEER_LIMIT' });
    expect(broker.pending.size).toBe(0);
    expect(server.unread).toBe('');
    expect(broker.state).toBe('ready');
  });

  it('S-PING-4: max-bytes: a held stanza that is too big fails on purge, and the others go out', async () => {
    const peer = await rig.listen();
    const { broker, recorded } = rig.broker(peer, { tls: { policy: 'direct' } });
    const tooBig = broker.output(sized(201));
    const request = failure(
      broker.request(xml('iq', { type: 'set', to: 'localhost' }, xml('x', { xmlns: 'urn:x' }, 'y'.repeat(300)))),
    );
    const fits = broker.output(sized(100));
    const connected = broker.connect();
    const server = await peer.accept();
    await welcome(server, limited('<max-bytes>200</max-bytes>'));
    await connected;
    broker.purgeQueue();
    await server.expect('</message>');
    expect(tooBig.state).toBe('failed');
    await expect(tooBig.sent).rejects.toMatchObject({ code: 'PEER_LIMIT' });
    expect(await request).toMatchObject({ code: 'PEER_LIMIT' });
    expect(recorded.short.filter((name) => name === 'QUEUEFAIL')).toHaveLength(2);
    await fits.sent;
  });

  it('S-PING-4: idle-seconds: white space, before the time is over', async () => {
    const clock = stopClock();
    const { server } = await rig.ready({}, limited('<idle-seconds>1</idle-seconds>'));
    await clock.pass(999);
    expect(await server.expect(/\s/)).toBe(' ');
  });

  it.each([
    '<max-bytes>0</max-bytes><idle-seconds>0</idle-seconds>',
    '<max-bytes>-1</max-bytes><idle-seconds>1e3</idle-seconds>',
    '<max-bytes/><idle-seconds/>',
    '<max-bytes>99999999999999999999</max-bytes>',
  ])('S-PING-4: limits that make no sense are none: %s', async (inner) => {
    const { server, broker } = await rig.ready({}, limited(inner));
    broker.output(sized(5_000));
    await server.expect('</message>');
  });
});
