import { describe, expect, it } from 'vitest';
import { NS, xml, type BrokerOptions, type Logger, type ShutdownReport } from 'xmpp-broker';
import { CLIENT } from './support/client.js';
import { COMPONENT, DOMAIN } from './support/component.js';
import { OPENING, stopClock, useRig, type RigDialect, type Said } from './support/index.js';
import { LEGACY_CLIENT } from './support/legacy.js';
import { message, route, SERVICE } from './support/service.js';

const DIALECTS: readonly (readonly [string, RigDialect<Said>])[] = [
  ['a client', CLIENT],
  ['jabber:iq:auth', LEGACY_CLIENT],
  ['a component', COMPONENT],
  ['the router', SERVICE],
];

const NOTHING_LEFT: ShutdownReport = { clean: true, acked: 0, unacked: 0, held: 0, running: 0 };

/** A logger that keeps its lines. */
function recording(): { logger: Logger; lines: string[] } {
  const lines: string[] = [];
  const at = (level: string) => (_: object, text: string) => void lines.push(`${level} ${text}`);
  return { logger: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }, lines };
}

/** Something that a handler waits for. */
function gate(): { opened: Promise<void>; open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

describe.each(DIALECTS)('D5: shutdown() of %s', (_, dialect) => {
  const rig = useRig(dialect);
  const { domain } = dialect.options;
  const text = (id: string) => xml('message', { to: `a@${domain}`, id }, xml('body', {}, id));
  const arriving =
    dialect === SERVICE ? route(message()) : `<message from='a@${domain}' to='${domain}'><body>x</body></message>`;
  const quick = { timeouts: { close: 5_000 } } satisfies Partial<BrokerOptions>;

  it('never connected: nothing to do, and what is held is told once', async () => {
    const { logger, lines } = recording();
    const { broker } = rig.broker({ port: 1 }, { logger });
    expect(await broker.shutdown()).toEqual(NOTHING_LEFT);
    expect(lines).toEqual([]);
    broker.output(text('m1'));
    expect(await broker.shutdown()).toEqual({ ...NOTHING_LEFT, held: 1 });
    expect(await broker.shutdown()).toEqual({ ...NOTHING_LEFT, held: 1 });
    expect(lines).toEqual([
      expect.stringMatching(/^warn 1 stanza is held since \d+ ms; queue\.send\(\) after a next connect\(\) sends them/),
    ]);
    broker.halt();
    expect(await broker.shutdown()).toMatchObject({ clean: false, held: 0 });
  });

  it('what is held with queue.onReady needs no queue.send(), and is told so', async () => {
    const { logger, lines } = recording();
    const { broker } = rig.broker({ port: 1 }, { logger, queue: { onReady: 'send' } });
    broker.output(text('m1'));
    await broker.shutdown();
    expect(lines).toEqual([
      expect.stringMatching(
        /^warn 1 stanza is held since \d+ ms; queue\.onReady decides after a next connect\(\), the end/,
      ),
    ]);
  });

  it('connecting: the attempt fails, and that is all', async () => {
    const { broker, connected, server } = await rig.dialled();
    await server.expect(dialect.transport === 'direct' ? /^/ : OPENING);
    const report = broker.shutdown();
    await expect(connected).rejects.toMatchObject({ code: 'CONNECT_ABORTED' });
    expect(await report).toEqual(NOTHING_LEFT);
    expect(broker.state).toBe('idle');
  });

  it('ready: a handler of a stanza finishes first, and its answer goes out', async () => {
    const { broker, server } = await rig.ready(quick);
    const { opened, open } = gate();
    const begun = broker.events.once('PCJ_NODERECEIVED');
    broker.subscribe('PCJ_NODERECEIVED', async () => {
      await opened;
      broker.output(text('answer'));
    });
    await server.send(arriving);
    await begun;
    const report = broker.shutdown();
    expect(broker.state).toBe('ready');
    open();
    await server.expect("id='answer'");
    await server.expect('</stream:stream>');
    await server.send('</stream:stream>');
    server.end();
    expect(await report).toMatchObject({ clean: true, running: 0 });
  });

  it('ready: one that does not finish is left when the time is over, with a warning', async () => {
    const { logger, lines } = recording();
    const { broker, server } = await rig.ready({ ...quick, logger });
    const { opened, open } = gate();
    broker.match('/message/body', () => opened);
    const begun = broker.events.once('PCJ_NODERECEIVED');
    await server.send(arriving);
    await begun;
    const report = broker.shutdown({ timeoutMs: 1_000 });
    await server.expect('</stream:stream>');
    await server.send('</stream:stream>');
    server.end();
    expect(await report).toMatchObject({ clean: true, running: 1 });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^warn shut down; .*1 handler is not done \(.*\)$/);
    open();
  });

  it.each(['at once', 'behind an await', 'twice'])('a handler may wait for it, %s', async (when) => {
    const { broker, server } = await rig.ready({ timeouts: { close: 60_000 } });
    const done = new Promise<ShutdownReport>((resolve) => {
      broker.subscribe('PCJ_NODERECEIVED', async () => {
        if (when !== 'at once') await Promise.resolve();
        if (when === 'twice') await Promise.all([broker.shutdown(), broker.shutdown()]);
        resolve(await broker.shutdown());
      });
    });
    await server.send(arriving);
    await server.expect('</stream:stream>');
    await server.send('</stream:stream>');
    server.end();
    expect(await done).toMatchObject({ clean: true, running: 0 });
  });

  it('a server that does not close: the origin of the error is ours', async () => {
    const { logger, lines } = recording();
    const { broker, recorded, server } = await rig.ready({ logger });
    const { closed } = broker;
    const report = broker.shutdown({ timeoutMs: 100 });
    await server.expect('</stream:stream>');
    expect(await report).toMatchObject({ clean: false });
    const end = await closed;
    expect(end).toMatchObject({ clean: false, error: { code: 'CLOSE_TIMEOUT', origin: 'local', retryable: false } });
    expect(recorded.last('PCJ_SOCKETDISCONNECT')).toEqual(end);
    expect(recorded.short.at(-1)).toBe('SHUTDOWN_FINISH');
    expect(lines).toEqual([]);
  });

  it('twice: the same end, and a shorter time counts', async () => {
    const { broker } = await rig.ready({ timeouts: { close: 60_000 } });
    const first = broker.shutdown();
    expect(broker.shutdown({ timeoutMs: 50 })).toBe(first);
    expect(await first).toMatchObject({ clean: false });
    expect(await broker.shutdown()).toMatchObject({ running: 0 });
  });

  it('while a lost link is waited for', async () => {
    const { broker, server } = await rig.ready({ reconnect: { firstDelayMs: 60_000, resumeDelayMs: 60_000 } });
    const waiting = broker.events.once('PCJ_RECONNECTING');
    server.reset();
    await waiting;
    broker.output(text('m1'));
    expect(await broker.shutdown()).toMatchObject({ clean: true, held: 1 });
    expect(broker.state).toBe('idle');
  });

  it.each(['halt', 'connect'] as const)('%s() cuts the waiting for handlers short', async (what) => {
    const { broker, server, peer } = await rig.ready({ timeouts: { close: 60_000 } });
    broker.subscribe('PCJ_NODERECEIVED', () => new Promise(() => undefined));
    const begun = broker.events.once('PCJ_NODERECEIVED');
    await server.send(arriving);
    await begun;
    const report = broker.shutdown();
    if (what === 'halt') {
      broker.halt();
      expect(await report).toMatchObject({ clean: false, running: 1 });
      return;
    }
    const again = broker.connect();
    await server.expect('</stream:stream>');
    await server.send('</stream:stream>');
    server.end();
    await dialect.letIn(await peer.accept());
    await again;
    expect(broker.state).toBe('ready');
  });

  it('a handler of a status event does not keep the stream open, and is waited for', async () => {
    const { broker, server, connected } = await rig.dialled({ timeouts: { close: 60_000 } });
    const { opened, open } = gate();
    broker.subscribe('PCJ_READY', () => opened);
    await dialect.letIn(server);
    await connected;
    const report = broker.shutdown();
    await server.expect('</stream:stream>');
    await server.send('</stream:stream>');
    server.end();
    await broker.closed;
    expect(broker.state).toBe('idle');
    open();
    expect(await report).toMatchObject({ clean: true, running: 0 });
  });
});

describe('D5: what a shutdown leaves behind', () => {
  const rig = useRig(CLIENT);
  const note = (id: string) => xml('message', { to: 'a@localhost', id });

  it('a thousand stanzas that the server does not acknowledge', async () => {
    const { logger, lines } = recording();
    const { broker, server } = await rig.ready({ logger });
    for (let k = 0; k < 1_000; k++) broker.output(note(`m${String(k)}`));
    await server.expect("id='m999'");
    await server.send(`<a xmlns='${NS.SM}' h='10'/>`);
    await broker.events.once('PCJ_SM_ACK');
    const report = broker.shutdown({ timeoutMs: 1_000 });
    broker.output(note('later'));
    await server.send(`<a xmlns='${NS.SM}' h='30'/>`);
    expect(await report).toEqual({ clean: false, acked: 20, unacked: 970, held: 971, running: 0 });
    expect(broker.queue.size).toBe(971);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(
      '(CLOSE_TIMEOUT); 970 stanzas were sent and not acknowledged; 971 stanzas are held since',
    );
  });

  it('a session that nobody resumes any more', async () => {
    const { broker, server } = await rig.ready({ reconnect: { resumeDelayMs: 60_000 } });
    broker.output(note('m1'));
    await server.expect("id='m1'");
    const waiting = broker.events.once('PCJ_RECONNECTING');
    server.reset();
    await waiting;
    expect(await broker.shutdown()).toMatchObject({ clean: true, unacked: 1, held: 1 });
  });

  it('a server that does not read: its fault is told as what it is', async () => {
    const { logger, lines } = recording();
    const { broker, server } = await rig.ready({ logger });
    server.pause();
    for (let k = 0; k < 100; k++)
      broker.output(xml('message', { to: 'a@localhost' }, xml('body', {}, 'x'.repeat(2e5))));
    const { closed } = broker;
    expect(await broker.shutdown({ timeoutMs: 100 })).toMatchObject({ clean: false });
    expect((await closed).error?.message).toContain('did not take what was to be written');
    expect(lines).toEqual([expect.stringMatching(/^warn shut down without order: .* stanzas are held since/)]);
  });

  it('`timeouts.close` is the time of all of it', async () => {
    const clock = stopClock();
    const { broker, server } = await rig.ready({ timeouts: { close: 4_000 } });
    broker.subscribe('PCJ_NODERECEIVED', () => new Promise(() => undefined));
    const begun = broker.events.once('PCJ_NODERECEIVED');
    await server.send(`<message from='a@localhost'/>`);
    await begun;
    const began = performance.now();
    expect(await clock.until(broker.shutdown())).toMatchObject({ clean: false, running: 1 });
    expect(performance.now() - began).toBeLessThan(4_100);
  });
});

describe('D5: handlers that answer requests', () => {
  const rig = useRig(COMPONENT);

  it('answer() is waited for, and its answer goes out', async () => {
    const { broker, server } = await rig.ready({ timeouts: { close: 5_000 } });
    const { opened, open } = gate();
    broker.answer('get', { namespace: 'urn:a' }, async () => {
      await opened;
      return xml('done', { xmlns: 'urn:a' });
    });
    const begun = broker.events.once('PCJ_NODERECEIVED');
    await server.send(`<iq type='get' id='i1' from='a@b' to='${DOMAIN}'><q xmlns='urn:a'/></iq>`);
    await begun;
    const report = broker.shutdown();
    open();
    await server.expect(/<iq [^>]*type='result'/);
    await server.expect('</stream:stream>');
    await server.send('</stream:stream>');
    server.end();
    expect(await report).toEqual(NOTHING_LEFT);
  });
});
