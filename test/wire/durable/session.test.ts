// A session that outlives its process: XEP-0198 §5.
import { beforeEach, describe, expect, it } from 'vitest';
import { NS, xml, type Broker, type BrokerOptions, type Ticket } from 'xmpp-broker';
import { MemoryStore } from 'xmpp-broker/testing';
import { CLIENT, iqId, JID, welcomeBack } from '../support/client.js';
import { stopClock, useRig, type Conversation, type Ready } from '../support/index.js';

const rig = useRig(CLIENT);

const QUEUE = 'alice@localhost';

let store: MemoryStore;

beforeEach(() => {
  store = new MemoryStore();
});

const options = (): Partial<BrokerOptions> => ({ queue: { store } });

const message = (id: string) => xml('message', { to: 'bob@localhost', id }, xml('body', {}, id));

const send = (broker: Broker, id: string): Ticket => broker.output(message(id));

const upTo = (server: Conversation, id: string) => server.expect(`<body>${id}</body></message>`);

const idsOf = (text: string): string[] => [...text.matchAll(/<body>(\w+)<\/body>/g)].map(([, id = '']) => id);

const hOf = (element: string): string => / h='([^']*)'/.exec(element)?.[1] ?? '';

function kill(broker: Broker): void {
  store.kill();
  broker.halt();
}

/** A process that has sent these, none acknowledged, and is dead. */
async function dead(ids: readonly string[], before?: (ready: Ready) => Promise<unknown>): Promise<Ready> {
  const first = await rig.ready(options());
  await before?.(first);
  for (const id of ids) {
    if (id.startsWith('q'))
      void first.broker.request(xml('iq', { type: 'get', to: 'localhost', id }, xml(id, { xmlns: 'urn:x' })));
    else send(first.broker, id);
  }
  const last = ids.at(-1) ?? '';
  await (last.startsWith('q') ? first.server.expect('</iq>') : upTo(first.server, last));
  kill(first.broker);
  return first;
}

/** The next process, up to what it says to resume. */
async function next() {
  const dialled = await rig.dialled({
    ...options(),
    reconnect: { initial: true, firstDelayMs: 1, maxDelayMs: 1, resumeDelayMs: 1 },
  });
  return { ...dialled, resume: await welcomeBack(dialled.server) };
}

const resumed = (h: number) => `<resumed xmlns='${NS.SM}' previd='session-1' h='${String(h)}'/>`;

describe('the next process', () => {
  it('resumes at its first attempt, and sends what the server does not have', async () => {
    await dead(['1', '2', '3']);
    const { server, connected, broker, resume, recorded } = await next();
    expect(resume).toContain("previd='session-1'");
    expect(hOf(resume)).toBe('0');
    await server.send(resumed(2));
    await connected;
    await upTo(server, '3');
    await server.expect('<r');
    expect(idsOf(server.received.toString())).toEqual(['3']);
    expect(broker.jid?.toString()).toBe(JID);
    expect(recorded.last('PCJ_READY')).toMatchObject({ resumed: true });
    await server.send(`<a xmlns='${NS.SM}' h='3'/>`);
    await expect.poll(() => store.held(QUEUE)).toEqual([]);
  });

  it('does not flag what the server says it has not', async () => {
    await dead(['1', '2']);
    const { server, connected, broker } = await next();
    await server.send(resumed(0));
    await connected;
    await upTo(server, '2');
    await server.send(`<a xmlns='${NS.SM}' h='2'/>`);
    await expect.poll(() => store.held(QUEUE)).toEqual([]);
    expect(broker.queue.size).toBe(0);
  });

  it('goes on behind the count of the server where nobody remembers a request, and stores the new places', async () => {
    await dead(['1', 'q', '2', '3']);
    expect(store.held(QUEUE).map(({ handed }) => handed?.ordinal)).toEqual([1, 3, 4]);
    const second = await next();
    await second.server.send(resumed(1));
    await second.connected;
    await upTo(second.server, '3');
    expect(idsOf(second.server.received.toString())).toEqual(['2', '3']);
    expect(store.held(QUEUE).map(({ handed }) => handed?.ordinal)).toEqual([2, 3]);
    kill(second.broker);

    const third = await next();
    await third.server.send(resumed(2));
    await third.connected;
    await upTo(third.server, '3');
    expect(idsOf(third.server.received.toString())).toEqual(['3']);
  });

  it('sends a request of its own again among what has new places, when the session goes on once more', async () => {
    await dead(['1', 'q', '2']);
    const second = await next();
    await second.server.send(resumed(1));
    await second.connected;
    await upTo(second.server, '2');
    const asked = second.broker.request(xml('iq', { type: 'get', to: 'localhost' }, xml('r', { xmlns: 'urn:x' })));
    await second.server.expect('</iq>');
    send(second.broker, '3');
    await upTo(second.server, '3');
    second.server.reset();
    const server = await second.peer.accept();
    await welcomeBack(server);
    await server.send(resumed(1));
    const said = await upTo(server, '3');
    expect(said.match(/<body>\d|<iq /g)).toEqual(['<body>2', '<iq ', '<body>3']);
    expect(store.held(QUEUE).map(({ handed }) => handed?.ordinal)).toEqual([2, 4]);
    const id = / id='([^']+)'/.exec(/<iq [^>]*>/.exec(said)?.[0] ?? '')?.[1] ?? '';
    await server.send(`<iq type='result' id='${id}' from='localhost'/>`);
    expect((await asked).getAttribute('type')).toBe('result');
  });

  it('sends nothing again on a link that is gone by the time that the new places are stored', async () => {
    await dead(['1', 'q', '2']);
    const second = await next();
    let stored: (() => void) | null = null;
    store.hooks = {
      before: (changes) =>
        changes.some(({ kind }) => kind === 'hand') ? new Promise((resolve) => (stored = resolve)) : undefined,
    };
    await second.server.send(resumed(1));
    await second.connected;
    await expect.poll(() => stored).not.toBeNull();
    second.server.reset();
    await second.broker.events.once('PCJ_SOCKETDISCONNECT');
    const server = await second.peer.accept();
    await welcomeBack(server);
    store.hooks = {};
    (stored as (() => void) | null)?.();
    await server.send(resumed(1));
    await upTo(server, '2');
    await server.expect('<r');
    expect(idsOf(second.server.received.toString())).toEqual([]);
    expect(idsOf(server.received.toString())).toEqual(['2']);
    expect(store.held(QUEUE).map(({ handed }) => handed?.ordinal)).toEqual([2]);
  });

  it('bears that the server has more than anybody remembers', async () => {
    await dead(['1', 'q']);
    const { server, connected, broker } = await next();
    await server.send(resumed(2));
    await connected;
    send(broker, '2');
    await upTo(server, '2');
    expect(store.held(QUEUE).map(({ handed }) => handed?.ordinal)).toEqual([3]);
  });

  it('flags what was sent when the session is gone, in front of what was not', async () => {
    const first = await rig.ready(options());
    send(first.broker, '1');
    send(first.broker, '2');
    await upTo(first.server, '2');
    first.server.reset();
    await first.broker.events.once('PCJ_SOCKETDISCONNECT');
    const held = send(first.broker, '3');
    await held.stored;
    kill(first.broker);

    const { server, connected, broker } = await next();
    await server.send(`<failed xmlns='${NS.SM}' h='1'><item-not-found xmlns='${NS.STANZAS}'/></failed>`);
    const id = await iqId(server);
    await server.send(`<iq type='result' id='${id}'><bind xmlns='${NS.BIND}'><jid>${JID}</jid></bind></iq>`);
    await server.expect(/<enable [^>]*\/>/);
    await server.send(`<enabled xmlns='${NS.SM}' resume='true' id='session-2'/>`);
    await connected;
    const found = [...broker.queue].map(({ node, possibleDuplicate }) => [node.getAttribute('id'), possibleDuplicate]);
    expect(found).toEqual([
      ['2', true],
      ['3', false],
    ]);
    await expect.poll(() => store.session(QUEUE)?.id).toBe('session-2');
    expect(store.held(QUEUE).map(({ handed }) => handed)).toEqual([null, null]);
  });

  it('holds, flagged, what nobody has resumed in time', async () => {
    await dead(['1']);
    const clock = stopClock();
    const { broker } = rig.broker(await rig.listen(), options());
    expect(await broker.openQueue()).toEqual({ held: 0, possibleDuplicates: 0 });
    await clock.pass(300_000);
    expect(broker.queue.at(0)).toMatchObject({ possibleDuplicate: true, attempts: 1 });
  });

  it('tells what was stored, not what was handled', async () => {
    await dead(['1'], async ({ server }) => {
      await server.send(`<message id='a'/><r xmlns='${NS.SM}'/>`);
      expect(hOf(await server.expect(/<a [^>]*\/>/))).toBe('1');
      await server.send("<message id='b'/>");
    });
    const { resume } = await next();
    expect(hOf(resume)).toBe('1');
  });

  it('has no session to resume behind an orderly end', async () => {
    const first = await rig.ready(options());
    const closed = first.broker.shutdown();
    await first.server.expect('</stream:stream>');
    await first.server.send('</stream:stream>');
    await closed;
    expect(store.session(QUEUE)).toBeNull();
  });
});

it('counts what a kept session has not had acknowledged once, however often the end is asked for', async () => {
  const { broker, server } = await rig.ready({
    ...options(),
    reconnect: { resumeDelayMs: 60_000, firstDelayMs: 60_000 },
  });
  send(broker, '1');
  await upTo(server, '1');
  server.reset();
  await broker.events.once('PCJ_SOCKETDISCONNECT');
  const [first, second] = await Promise.all([broker.shutdown(), broker.shutdown()]);
  expect(first.unacked).toBe(1);
  expect(second).toEqual(first);
});

describe('an acknowledgement of ours', () => {
  it('waits until its count is stored', async () => {
    const { server } = await rig.ready(options());
    let go = (): void => undefined;
    store.hooks = { before: () => new Promise((resolve) => (go = resolve)) };
    await server.send(`<message id='a'/><r xmlns='${NS.SM}'/><message id='b'/>`);
    await expect.poll(() => go).not.toBeUndefined();
    await new Promise(setImmediate);
    expect(server.received.toString()).not.toContain('<a ');
    store.hooks = {};
    go();
    await server.expect(/<a [^>]*\/>/);
  });
});

it('a session that cannot be resumed is told what was handled, and nothing of it is stored', async () => {
  const { server } = await rig.ready(options(), { enabled: '' });
  await server.send(`<message id='a'/><message id='b'/><r xmlns='${NS.SM}'/>`);
  expect(hOf(await server.expect(/<a [^>]*\/>/))).toBe('2');
  expect(store.session(QUEUE)).toBeNull();
});
