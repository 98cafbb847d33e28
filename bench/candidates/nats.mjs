/* global AbortController */
/** A queue over NATS: what xmpp-broker does, and publishing alone, by the client of NATS and with one reply inbox for all. */
import { jetstream } from '@nats-io/jetstream';
import { connect as connectNats, createInbox, headers } from '@nats-io/transport-node';
import { dist } from '../dist.mjs';

export { startNats } from './fan-out.mjs';

const { Broker, COMPONENT } = await import(dist('index.js'));
const { natsStore, prepareNats, StanzaPublisher } = await import(dist('nats/index.js'));
const { LoopbackServer } = await import(dist('testing/index.js'));

const QUEUE = 'echo.example.org';
const TEXT = `<message to='sink.example.org' type='chat'><body>${'a message of some length, '.repeat(4)}</body></message>`;

/** What outputs one stanza and resolves when it is stored, or sent. */
export async function producer(servers, until) {
  await prepareNats({ servers }, { maxStanzas: 10_000_000 });
  const publisher = new StanzaPublisher({ connection: { servers }, queue: QUEUE });
  await publisher.ready;
  return { one: () => publisher.output(TEXT)[until], close: () => publisher.close() };
}

export async function client(servers) {
  await prepareNats({ servers }, { maxStanzas: 10_000_000 });
  const connection = await connectNats({ servers, noAsyncTraces: true });
  const js = jetstream(connection);
  let count = 0;
  const one = () => {
    const all = headers();
    all.set('Nats-Msg-Id', String((count += 1)));
    all.set('Xmpp-At', String(Date.now()));
    return js.publish('xmpp.out.bench', TEXT, { headers: all });
  };
  return { one, close: () => connection.close() };
}

/** The same with one subscription for all answers. */
export async function inbox(servers) {
  await prepareNats({ servers }, { maxStanzas: 10_000_000 });
  const connection = await connectNats({ servers });
  const base = createInbox();
  const waiting = new Map();
  connection.subscribe(`${base}.*`, {
    callback: (_, message) => {
      const id = message.subject.slice(base.length + 1);
      const settle = waiting.get(id);
      waiting.delete(id);
      settle?.(message.data.length > 0);
    },
  });
  let count = 0;
  const one = () =>
    new Promise((resolve) => {
      const id = String((count += 1));
      const all = headers();
      all.set('Nats-Msg-Id', id);
      all.set('Xmpp-At', String(Date.now()));
      waiting.set(id, resolve);
      connection.publish('xmpp.out.bench', TEXT, { headers: all, reply: `${base}.${id}` });
    });
  return { one, close: () => connection.close() };
}

const component = (port, domain, queue) =>
  new Broker({
    connectionType: COMPONENT,
    host: '127.0.0.1',
    port,
    domain,
    password: 'secret',
    logger: false,
    ...(queue === undefined ? {} : { queue }),
  });

/** A holder that is ready, on an XMPP server of this process. */
export async function holder(servers) {
  await prepareNats({ servers }, { maxStanzas: 10_000_000 });
  const server = await LoopbackServer.start({ components: { [QUEUE]: 'secret', 'sink.example.org': 'secret' } });
  const sink = component(server.ports.component, 'sink.example.org');
  await sink.connect();
  const broker = component(server.ports.component, QUEUE, {
    store: natsStore({ connection: { servers } }),
    onReady: 'send',
    maxStanzas: 1_000_000,
  });
  await broker.connect();
  return {
    close: async () => {
      broker.halt();
      sink.halt();
      await server.stop();
    },
  };
}

const owner = {
  queue: QUEUE,
  limits: { maxStanzas: 10_000, maxBytes: 2 ** 25, maxAgeMs: Infinity },
  xmlns: 'jabber:client',
  arrived: () => undefined,
  room: () => ({ stanzas: 10_000, bytes: 2 ** 25 }),
  standby: () => undefined,
  health: () => undefined,
  fenced: () => undefined,
  purge: () => 0,
  drop: () => 0,
  status: () => ({}),
  ask: () => Promise.reject(new Error('nobody asks')),
};

/** Time from the sudden end of a holder to the next one, in milliseconds. */
export async function takeover(servers, ttlMs) {
  const connection = await connectNats({ servers });
  const forever = new AbortController().signal;
  await natsStore({ connection, ttlMs }).open(owner, forever);
  let waits;
  const waiting = new Promise((resolve) => (waits = resolve));
  const next = natsStore({ connection: { servers }, ttlMs }).open({ ...owner, standby: waits }, forever);
  await waiting;
  await new Promise((resolve) => setTimeout(resolve, 500 + Math.random() * ttlMs));
  const start = performance.now();
  await connection.close();
  await (await next).close();
  return performance.now() - start;
}
