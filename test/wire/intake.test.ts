import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { NS, PCJ_NODERECEIVED, xml, type Broker, type BrokerOptions } from 'xmpp-broker';
import { CLIENT, iqId, JID, welcomeBack } from './support/client.js';
import { useRig } from './support/index.js';

const rig = useRig(CLIENT);

const SETTLED: Partial<BrokerOptions> = { acknowledge: 'settled' };

const messages = (from: number, count: number): string =>
  Array.from(
    { length: count },
    (_, n) => `<message from='bob@localhost/x' to='${JID}' id='${from + n}'><body>b</body></message>`,
  ).join('');

/** Handlers of messages that are done when a test says so: ids in the order of the calls. */
function work(broker: Broker) {
  const called: number[] = [];
  const open = new Map<number, () => void>();
  let look = (): void => undefined;
  broker.subscribe(PCJ_NODERECEIVED, (node) => {
    if (node.localName !== 'message') return undefined;
    const id = Number(node.getAttribute('id'));
    called.push(id);
    const done = new Promise<void>((resolve) => open.set(id, resolve));
    look();
    return done;
  });
  return {
    called,
    done: (...ids: readonly number[]) => {
      for (const id of ids) open.get(id)?.();
    },
    allDone: () => {
      for (const settle of open.values()) settle();
    },
    until: (id: number) =>
      new Promise<void>((resolve) => {
        look = () => {
          if (called.includes(id)) resolve();
        };
        look();
      }),
  };
}

const asked = async (server: {
  send(text: string): Promise<void>;
  match(pattern: RegExp): Promise<RegExpExecArray>;
}) => {
  await server.send(`<r xmlns='${NS.SM}'/>`);
  return Number((await server.match(/<a [^>]*h='(\d+)'[^>]*\/>/))[1]);
};

describe("acknowledge: 'settled'", () => {
  test('a stanza counts when its handlers are done, and all before it', async () => {
    const { broker, server } = await rig.ready(SETTLED);
    const job = work(broker);
    await server.send(messages(1, 3));
    await job.until(3);
    expect(await asked(server)).toBe(0);
    job.done(2, 3);
    expect(await asked(server)).toBe(0);
    job.done(1);
    // It was asked before there was anything to tell: it is told when there is.
    await server.match(/<a [^>]*h='3'[^>]*\/>/);
  });

  test('by default it counts when it was delivered', async () => {
    const { broker, server } = await rig.ready();
    const job = work(broker);
    await server.send(messages(1, 3));
    await job.until(3);
    expect(await asked(server)).toBe(3);
  });

  test('what is thrown settles, too, and what has no promise counts at once', async () => {
    const { broker, server } = await rig.ready(SETTLED);
    broker.subscribe(PCJ_NODERECEIVED, async ({ localName }) => {
      await Promise.resolve();
      if (localName === 'message') throw new Error('a bug');
    });
    const told = broker.events.once('PCJ_HANDLERERROR');
    await server.send(messages(1, 1));
    await told;
    await pause(0);
    expect(await asked(server)).toBe(1);
    await server.send(`<presence from='bob@localhost/x' to='${JID}'/>`);
    await pause(0);
    expect(await asked(server)).toBe(2);
  });

  test('a session that is resumed brings again what was not settled', async () => {
    const { broker, server, peer } = await rig.ready({ ...SETTLED, reconnect: { resumeDelayMs: 1, firstDelayMs: 1 } });
    const job = work(broker);
    await server.send(messages(1, 3));
    await job.until(3);
    job.done(1);
    await pause(0);
    server.reset();
    const next = await peer.accept();
    await welcomeBack(next);
    expect(next.received.toString()).toMatch(/<resume [^>]*h='1'/);
    await next.send(`<resumed xmlns='${NS.SM}' previd='session-1' h='0'/>`);
    await next.send(messages(2, 2));
    await expect.poll(() => job.called).toEqual([1, 2, 3, 2, 3]);
    // Late ends of the old link count for nothing.
    job.allDone();
    await next.match(/<r [^>]*\/>/);
    await next.send(`<a xmlns='${NS.SM}' h='0'/>`);
    await pause(5);
    expect(await asked(next)).toBe(3);
  });

  test('above the limit nothing more is read, in order and without a loss', async () => {
    const { broker, server, recorded } = await rig.ready({ ...SETTLED, limits: { unsettled: 5 } });
    const job = work(broker);
    const held = broker.events.once('PCJ_INTAKE');
    await server.send(messages(1, 100));
    expect(await held).toEqual({ paused: true, unsettled: 6 });
    await pause(20);
    expect(job.called).toEqual([1, 2, 3, 4, 5, 6]);
    for (let id = 1; id <= 100; id++) {
      await job.until(id);
      job.done(id);
    }
    await pause(0);
    expect(job.called).toEqual(Array.from({ length: 100 }, (_, n) => n + 1));
    expect(await asked(server)).toBe(100);
    expect(recorded.last('PCJ_INTAKE')).toMatchObject({ paused: false });
  });

  test('silence while nothing is read is no fault of the server', async () => {
    const { broker, server, recorded } = await rig.ready({
      ...SETTLED,
      limits: { unsettled: 1 },
      liveness: { intervalMs: 60, timeoutMs: 60 },
    });
    const job = work(broker);
    const held = broker.events.once('PCJ_INTAKE');
    await server.send(messages(1, 3));
    await held;
    await pause(400);
    expect(broker.state).toBe('ready');
    expect(recorded.short).not.toContain('SOCKETFAIL');
    job.allDone();
    await job.until(3);
    job.allDone();
    // The watch is on again.
    expect(await broker.events.once('PCJ_SOCKETFAIL')).toMatchObject({ code: 'LIVENESS_TIMEOUT' });
  });

  test('reading goes on while a request of ours waits for its answer, also one made while it was paused', async () => {
    const { broker, server } = await rig.ready({ ...SETTLED, limits: { unsettled: 3 } });
    const job = work(broker);
    const held = broker.events.once('PCJ_INTAKE');
    await server.send(messages(1, 10));
    await held;
    const answer = broker.request(xml('iq', { type: 'get', to: 'localhost' }, xml('ping', { xmlns: NS.PING })));
    const id = await iqId(server);
    await server.send(`<iq type='result' from='localhost' to='${JID}' id='${id}'/>`);
    expect((await answer).getAttribute('type')).toBe('result');
    expect(job.called).toHaveLength(10);
  });

  test('at ten times the limit the link is closed, and dialled again', async () => {
    const { broker, server } = await rig.ready({ ...SETTLED, limits: { unsettled: 2 }, reconnect: false });
    work(broker);
    void broker.request(xml('iq', { type: 'get', to: 'localhost' }, xml('ping', { xmlns: NS.PING })));
    const lost = broker.events.once('PCJ_SOCKETFAIL');
    await server.send(messages(1, 50));
    expect(await lost).toMatchObject({ code: 'INTAKE_FULL', retryable: true });
  });

  test.each(['shutdown', 'the end of the link', 'halt'])('%s while nothing is read hangs nowhere', async (what) => {
    const { broker, server } = await rig.ready({ ...SETTLED, limits: { unsettled: 1 }, reconnect: false });
    const job = work(broker);
    const held = broker.events.once('PCJ_INTAKE');
    await server.send(messages(1, 5));
    await held;
    const { closed } = broker;
    if (what === 'halt') broker.halt();
    else if (what === 'shutdown') {
      const report = broker.shutdown({ timeoutMs: 500 });
      job.allDone();
      await report;
    } else server.reset();
    await closed;
    job.allDone();
  });
});
