// What arrives at a broker, handed to workers: a real nats-server, and a scripted XMPP server for what real ones do not do.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import { jetstreamManager } from '@nats-io/jetstream';
import { expect, it } from 'vitest';
import { errorReply, NS, StanzaError, xml, type Broker } from 'xmpp-broker';
import { fanOut, Worker } from 'xmpp-broker/nats';
import { MemoryStore } from 'xmpp-broker/testing';
import { ROOT } from '../../docs/support/markdown.js';
import { describeServer, Nats, sharedServer } from '../harness/index.js';
import { CLIENT, JID, welcomeBack } from '../../wire/support/client.js';
import { useRig } from '../../wire/support/index.js';
import { handled, useCrew, type Handled } from './support/crew.js';

const QUEUE = 'alice@localhost';
const OPTIONS = { acknowledge: 'settled', limits: { stanzaBytes: 256 * 1024 } } as const;

const message = (id: number | string, from = 'bob@localhost/x', body = 'b'): string =>
  `<message from='${from}' to='${JID}' id='${id}' type='chat'><body>${body}</body></message>`;
const messages = (from: number, count: number, sender?: string): string =>
  Array.from({ length: count }, (_, n) => message(from + n, sender)).join('');
const ids = (from: number, count: number): string[] => Array.from({ length: count }, (_, n) => String(from + n));
const sorted = (list: readonly Handled[]) =>
  list
    .map(({ id }) => Number(id))
    .sort((a, b) => a - b)
    .map(String);

describeServer('nats', 'fanOut and Worker', () => {
  const shared = sharedServer(() => Nats.start());
  const crew = useCrew();
  const rig = useRig(CLIENT);

  it('I-1: each group gets all of its events, and its workers share them', async () => {
    const nats = await shared();
    const { broker, server } = await rig.ready(OPTIONS);
    broker.filters.add('question', "/message[body='q']");
    broker.filters.add('remark', "/message[body='b']");
    await crew.fanOut(nats, broker, { groups: { one: ['question', 'remark'], two: ['question'], three: 'all' } });
    const seen: Record<string, Handled[]> = { a: [], b: [], two: [], three: [] };
    const member = (group: string, name: string) =>
      crew.worker(nats, {
        queue: QUEUE,
        group,
        concurrency: 1,
        handler: (work) => void seen[name]!.push(handled(work)),
      });
    await Promise.all(
      [member('one', 'a'), member('one', 'b'), member('two', 'two'), member('three', 'three')].map((one) => one.ready),
    );
    const questions = Array.from({ length: 20 }, (_, n) => message(n + 1, `u${n}@localhost/x`, 'q')).join('');
    await server.send(questions + messages(21, 20));
    await expect.poll(() => seen['a']!.length + seen['b']!.length).toBe(40);
    await expect.poll(() => seen['three']!.length).toBe(40);
    expect(sorted([...seen['a']!, ...seen['b']!])).toEqual(ids(1, 40));
    expect(seen['a']!.length).toBeGreaterThan(0);
    expect(seen['b']!.length).toBeGreaterThan(0);
    await expect.poll(() => sorted(seen['two']!)).toEqual(ids(1, 20));
    expect(new Set(seen['three']!.map(({ event }) => event))).toEqual(new Set(['PCJ_NODERECEIVED']));
    expect([...seen['a']!, ...seen['three']!].some(({ possibleDuplicate }) => possibleDuplicate)).toBe(false);
  });

  it('names of any characters and length are groups, events and queues', async () => {
    const nats = await shared();
    const odd = ['a.b *>', 'ünïcode/☃', '__proto__', '=_', 'x'.repeat(300), '\u0000 \n'];
    const { broker, server } = await rig.ready({ ...OPTIONS, queue: { name: 'queue of > * .\t' } });
    for (const event of odd) broker.filters.add(event, '/message');
    const groups = Object.fromEntries([...odd.entries()].map(([at, name]) => [name, [odd[(at + 1) % odd.length]!]]));
    await crew.fanOut(nats, broker, { groups });
    const seen: string[] = [];
    for (const [at, group] of odd.entries()) {
      const worker = crew.worker(nats, {
        queue: 'queue of > * .\t',
        group,
        handler: ({ event }) => void seen.push(`${at}:${odd.indexOf(event)}`),
      });
      await worker.ready;
    }
    await server.send(message(1));
    await expect.poll(() => seen.sort()).toEqual(odd.map((_, at) => `${at}:${(at + 1) % odd.length}`).sort());
  });

  it('I-1: a handler that throws gets it again, flagged, and in the end it is a dead letter', async () => {
    const nats = await shared();
    const { broker, server } = await rig.ready(OPTIONS);
    await crew.fanOut(nats, broker, { groups: { g: 'all' } });
    const seen: Handled[] = [];
    const worker = crew.worker(nats, {
      queue: QUEUE,
      group: 'g',
      maxDeliver: 2,
      handler: (work) => {
        seen.push(handled(work));
        if (work.node.getAttribute('id') === '1') throw new Error('a bug\nof mine');
      },
    });
    const told: unknown[] = [];
    worker.subscribe('retry', ({ error, delayMs, work }) =>
      told.push([(error as Error).message, delayMs, work.delivery]),
    );
    worker.subscribe('dead', ({ xml: text, error }) => told.push([error.code, text]));
    await worker.ready;
    await server.send(messages(1, 2));
    await expect.poll(() => told, { timeout: 10_000 }).toHaveLength(2);
    expect(told[0]).toEqual(['a bug\nof mine', 1000, 1]);
    expect(told[1]).toEqual(['WORK_FAILED', expect.stringContaining("id='1'")]);
    expect(seen.filter(({ id }) => id === '1')).toMatchObject([
      { delivery: 1, possibleDuplicate: false },
      { delivery: 2, possibleDuplicate: true },
    ]);
    expect(seen.filter(({ id }) => id === '2')).toHaveLength(1);
    const manager = await crew.manager(nats);
    const dead = await manager.streams.getMessage(`${crew.prefix.toUpperCase()}_DEAD`, { seq: 1 });
    expect(dead?.string()).toContain("id='1'");
    expect(dead?.header.get('Xmpp-Code')).toBe('WORK_FAILED');
    expect(decodeURIComponent(dead?.header.get('Xmpp-Reason') ?? '')).toContain('a bug');
    // A stanza goes when each group has it done.
    const stream = `${crew.prefix.toUpperCase()}_IN`;
    await expect.poll(async () => (await manager.streams.info(stream)).state.messages).toBe(0);
  });

  it('what is no stanza is a dead letter, and stops nobody', async () => {
    const nats = await shared();
    const { broker, server } = await rig.ready(OPTIONS);
    broker.filters.add('any', '/message');
    await crew.fanOut(nats, broker, { groups: { g: ['any'] } });
    const connection = await crew.connection(nats);
    for (const text of ['', 'no xml', '<a><b></a>']) {
      await connection.request(`${crew.prefix}.in.alice=40localhost.any.0`, text);
    }
    const dead: string[] = [];
    const seen: Handled[] = [];
    const worker = crew.worker(nats, { queue: QUEUE, group: 'g', handler: (work) => void seen.push(handled(work)) });
    worker.subscribe('dead', ({ error }) => dead.push(error.code));
    await server.send(message(7));
    await expect.poll(() => [dead.length, seen.length]).toEqual([3, 1]);
    expect(new Set(dead)).toEqual(new Set(['QUEUE_UNREADABLE']));
  });

  it('I-1: ordered groups keep the order of each sender, over workers and tries', async () => {
    const nats = await shared();
    const { broker, server } = await rig.ready(OPTIONS);
    await crew.fanOut(nats, broker, { groups: { g: { events: 'all', ordered: true } }, partitions: 4 });
    const seen = new Map<string, string[]>();
    let failed = false;
    let count = 0;
    for (const name of ['a', 'b']) {
      const worker = crew.worker(nats, {
        queue: QUEUE,
        group: 'g',
        ordered: true,
        handler: async ({ node, delivery }) => {
          await new Promise((resolve) => setTimeout(resolve, Math.random() * 5));
          const [from, id] = [node.getAttribute('from') ?? '', node.getAttribute('id') ?? ''];
          if (id === '5' && delivery === 1 && !failed) {
            failed = true;
            throw new Error(`${name} stumbles`);
          }
          const list = seen.get(from) ?? [];
          seen.set(from, [...list, id]);
          count += 1;
        },
      });
      worker.subscribe('retry', () => undefined);
      await worker.ready;
    }
    const senders = Array.from({ length: 6 }, (_, n) => `sender${n}@localhost/x`);
    for (let id = 1; id <= 10; id += 1) await server.send(senders.map((from) => message(id, from)).join(''));
    await expect.poll(() => count, { timeout: 15_000 }).toBe(60);
    expect(failed).toBe(true);
    for (const from of senders) expect([from, seen.get(from)]).toEqual([from, ids(1, 10)]);
  });

  it('a worker that wants order refuses a group that has none; so does another set-up of the group', async () => {
    const nats = await shared();
    const { broker } = await rig.ready(OPTIONS);
    const first = await crew.fanOut(nats, broker, { groups: { g: 'all' } });
    const worker = crew.worker(nats, { queue: QUEUE, group: 'g', ordered: true, handler: () => undefined });
    worker.subscribe('fail', () => undefined);
    await expect(worker.ready).rejects.toMatchObject({ code: 'NATS_SETUP' });
    expect(await worker.closed).toMatchObject({ clean: false, error: { code: 'NATS_SETUP' } });
    await first.close();
    const other = crew.fanOut(nats, broker, { groups: { g: { events: 'all', ordered: true } } });
    await expect(other).rejects.toMatchObject({
      code: 'NATS_SETUP',
      message: expect.stringMatching(/alice=40localhost=_g=_PCJ_NODERECEIVED.*nats consumer rm/) as string,
    });
    // Nothing was taken: the one before fits still.
    await crew.fanOut(nats, broker, { groups: { g: 'all' } });
  });

  it('a worker waits for its group, and names those that are there', async () => {
    const nats = await shared();
    const { broker, server } = await rig.ready(OPTIONS);
    await crew.fanOut(nats, broker, { groups: { replies: 'all' } });
    const seen: Handled[] = [];
    const worker = crew.worker(nats, {
      queue: QUEUE,
      group: 'reply',
      handler: (work) => void seen.push(handled(work)),
    });
    const fail = await new Promise<Error>((resolve) => worker.subscribe('fail', resolve, { once: true }));
    expect(fail).toMatchObject({
      code: 'WORK_NO_GROUP',
      message: expect.stringContaining('there are: replies') as string,
    });
    const { broker: second, server: other } = await rig.ready(OPTIONS);
    await crew.fanOut(nats, second, { groups: { reply: 'all' } });
    await worker.ready;
    await other.send(message(3));
    await expect.poll(() => seen).toHaveLength(1);
    expect(server.received).toBeDefined();
  });

  it('two at once on one broker are refused, and so are brokers and options that cannot work', async () => {
    const nats = await shared();
    const { broker } = await rig.ready(OPTIONS);
    const first = await crew.fanOut(nats, broker, { groups: { g: 'all' } });
    await expect(crew.fanOut(nats, broker, { groups: { h: 'all' } })).rejects.toMatchObject({
      code: 'USAGE_FAN_OUT_TAKEN',
    });
    await first.close();
    await first.closed;
    await crew.fanOut(nats, broker, { groups: { g: 'all' } });
    const { broker: careless } = await rig.ready({});
    await expect(crew.fanOut(nats, careless, { groups: { g: 'all' } })).rejects.toMatchObject({
      code: 'USAGE_FAN_OUT',
      message: expect.stringContaining("acknowledge: 'settled'") as string,
    });
    const { broker: large } = await rig.ready({ acknowledge: 'settled' });
    await expect(crew.fanOut(nats, large, { groups: { g: 'all' } })).rejects.toMatchObject({
      code: 'NATS_TOO_BIG',
      message: expect.stringMatching(/1048576.*1052672.*limits\.stanzaBytes.*max_payload/s) as string,
    });
    // Two processes with the same groups are one fan-out for JetStream.
    const { broker: standby } = await rig.ready(OPTIONS);
    await Promise.all([
      crew.fanOut(nats, standby, { groups: { g: 'all', race: 'all' } }),
      crew.fanOut(nats, (await rig.ready(OPTIONS)).broker, { groups: { g: 'all', race: 'all' } }),
    ]);
  });

  it('a stanza that comes again in its session is stored once, for each event', async () => {
    const nats = await shared();
    const store = new MemoryStore();
    const options = { ...OPTIONS, queue: { store } };
    const groups = { g: ['x'], all: 'all' } as const;
    const add = ({ filters }: Broker): void => {
      filters.add('x', '/message');
      filters.add('x', "/message[@type='chat']");
    };
    const { broker, server } = await rig.ready(options);
    add(broker);
    await crew.fanOut(nats, broker, { groups });
    // It is never through with them, so that they are not counted.
    broker.subscribe('PCJ_NODERECEIVED', () => new Promise(() => undefined));
    await server.send(messages(1, 3));
    const manager = await crew.manager(nats);
    const stored = async () => (await manager.streams.info(`${crew.prefix.toUpperCase()}_IN`)).state.messages;
    await expect.poll(stored).toBe(6);
    store.kill();
    broker.halt();
    const next = await rig.dialled({ ...options, reconnect: { initial: true, firstDelayMs: 1, resumeDelayMs: 1 } });
    add(next.broker);
    await crew.fanOut(nats, next.broker, { groups });
    expect(await welcomeBack(next.server)).toContain("h='0'");
    await next.server.send(`<resumed xmlns='${NS.SM}' previd='session-1' h='0'/>${messages(1, 4)}`);
    await expect.poll(stored).toBe(8);
    await next.connected;
  });

  it('a stanza of another session is another one, also where the server gives the id of a session again', async () => {
    const nats = await shared();
    const manager = await crew.manager(nats);
    for (const round of [1, 2]) {
      const { broker, server } = await rig.ready(OPTIONS);
      await using fan = await crew.fanOut(nats, broker, { groups: { all: 'all' } });
      await server.send(messages(1, 3));
      const stored = async () => (await manager.streams.info(`${crew.prefix.toUpperCase()}_IN`)).state.messages;
      await expect.poll(stored).toBe(round * 3);
      expect(fan.pending).toBe(0);
      broker.halt();
    }
  });
});

describeServer('nats', 'the permissions of a worker', () => {
  const crew = useCrew();
  const rig = useRig(CLIENT);

  it('those of docs/workers.md are enough, and no more are needed', async () => {
    const page = readFileSync(join(ROOT, 'docs/workers.md'), 'utf8');
    const table = /\| a worker may publish[^]*?\n\n/.exec(page)?.[0] ?? '';
    const publish = [...table.matchAll(/^\| `([^`]+)`/gm)].map(([, subject]) =>
      (subject ?? '').replace('<queue>', 'alice=40localhost'),
    );
    expect(publish.length).toBeGreaterThan(3);
    const nats = crew.add(
      await Nats.start({
        users: [
          { user: 'link', password: 'l' },
          { user: 'worker', password: 'w', publish, subscribe: ['_INBOX.>', 'xmpp.ticket.*'] },
        ],
      }),
    );
    const at = { servers: Nats.url(nats) };
    const { broker, server } = await rig.ready(OPTIONS);
    crew.add(await fanOut(broker, { connection: { ...at, user: 'link', pass: 'l' }, groups: { g: 'all' } }));
    const told: string[] = [];
    const worker = crew.add(
      new Worker({
        connection: { ...at, user: 'worker', pass: 'w' },
        queue: QUEUE,
        group: 'g',
        maxDeliver: 1,
        handler: async (work) => {
          if (work.node.getAttribute('id') === '1') throw new Error('once is enough');
          await work.output(xml('message', { to: 'a@b' })).stored;
          told.push('output');
        },
      }),
    );
    worker.subscribe('fail', ({ message: text }) => told.push(text));
    worker.subscribe('dead', ({ error }) => told.push(error.code));
    await worker.ready;
    await server.send(messages(1, 2));
    await expect.poll(() => told.sort()).toEqual(['WORK_FAILED', 'output']);
    const manager = await jetstreamManager(crew.add(await connect({ ...at, user: 'link', pass: 'l' })));
    await expect.poll(async () => (await manager.streams.info('XMPP_IN')).state.messages).toBe(0);
  });
});

describeServer('nats', 'requests in both directions', () => {
  const shared = sharedServer(() => Nats.start());
  const crew = useCrew();
  const rig = useRig(CLIENT);
  const ask = (id: string, payload = "<q xmlns='urn:a'/>"): string =>
    `<iq type='get' id='${id}' from='bob@localhost/x' to='${JID}'>${payload}</iq>`;

  /** Sends what workers output, as the holder of a queue does. */
  async function bridged() {
    const nats = await shared();
    const { broker, server } = await rig.ready(OPTIONS);
    const fan = await crew.fanOut(nats, broker, { groups: { g: 'all' }, answerWithinMs: 700 });
    const connection = await crew.connection(nats);
    connection.subscribe(`${crew.prefix}.out.>`, {
      callback: (_, { data }) => void broker.output(Buffer.from(data).toString()),
    });
    return { nats, broker, server, fan };
  }

  it('I-1: a request is answered by any worker, with a result or an error', async () => {
    const { nats, server } = await bridged();
    const worker = crew.worker(nats, {
      queue: QUEUE,
      group: 'g',
      handler: (work) => {
        const id = work.node.getAttribute('id');
        if (id === '1') work.reply(xml('r', { xmlns: 'urn:a', n: 1 }));
        if (id === '2') work.reply();
        if (id === '3') work.reply(errorReply(work.node, 'item-not-found'));
      },
    });
    await worker.ready;
    await server.send(ask('1') + ask('2') + ask('3'));
    const all = new Map<string, string>();
    for (let n = 0; n < 3; n += 1) {
      const [text, id = ''] = await server.match(/<iq[^>]* id='([123])'.*?(?:<\/iq>|\/>)/);
      all.set(id, text);
    }
    expect(all.get('1')).toContain("<r xmlns='urn:a' n='1'/>");
    expect(all.get('2')).toContain("type='result'");
    expect(all.get('3')).toContain("type='error'");
  });

  it('I-1: one that nobody answers is answered by the broker, and that is told', async () => {
    const { nats, server, fan } = await bridged();
    const told: Error[] = [];
    fan.subscribe('fail', (error) => told.push(error));
    await crew.worker(nats, { queue: QUEUE, group: 'g', handler: () => undefined }).ready;
    await server.send(ask('1'));
    expect(await server.expect(/<iq[^>]* id='1'.*?<\/iq>/)).toContain('service-unavailable');
    expect(told).toMatchObject([{ code: 'WORK_UNANSWERED', message: expect.stringContaining('urn:a') as string }]);
  });

  it('what the broker answers itself stays with it', async () => {
    const { nats, broker, server } = await bridged();
    broker.answer('get', { namespace: 'urn:here' }, () => xml('here', { xmlns: 'urn:here' }));
    const seen: (string | null)[] = [];
    await crew.worker(nats, {
      queue: QUEUE,
      group: 'g',
      handler: ({ node }) => void seen.push(node.getAttribute('id')),
    }).ready;
    await server.send(ask('1', "<q xmlns='urn:here'/>") + ask('2', "<ping xmlns='urn:xmpp:ping'/>") + message(3));
    await server.expect(/<iq[^>]* id='1'.*?<here /);
    await server.expect(/<iq[^>]* id='2'/);
    await expect.poll(() => seen).toEqual(['3']);
  });

  it('what a worker outputs is stored before its work is done; a StanzaError is the answer', async () => {
    const { nats, server } = await bridged();
    await crew.worker(nats, {
      queue: QUEUE,
      group: 'g',
      handler: (work) => {
        if (work.node.localName === 'iq') throw new StanzaError('forbidden');
        work.output(
          xml('message', { to: 'carol@localhost' }, xml('body', {}, `saw ${work.node.getAttribute('id') ?? ''}`)),
          {
            key: `saw-${work.node.getAttribute('id') ?? ''}`,
          },
        );
        return undefined;
      },
    }).ready;
    await server.send(message(1) + ask('2'));
    const text = await server.expect(/forbidden.*saw 1|saw 1.*forbidden/);
    expect(text).toContain("to='bob@localhost/x'");
  });
});
