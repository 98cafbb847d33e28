import { describe, expect, it } from 'vitest';
import { NS, xml, type Broker, type BrokerOptions, type QueueOptions, type Ticket } from 'xmpp-broker';
import { MemoryStore } from 'xmpp-broker/testing';
import { authenticate, CLIENT, greet, iqId, JID } from './support/client.js';
import { BIND, features, SM, streamError, useRig, type Conversation, type ScriptedPeer } from './support/index.js';

const rig = useRig(CLIENT);

const OPTIONS: Partial<BrokerOptions> = {
  reconnect: { resumeDelayMs: 1, firstDelayMs: 1, maxDelayMs: 1 },
  tls: { policy: 'direct' },
  queue: { onReady: 'send' },
};

const idOf = ({ node }: Ticket) => node.getAttribute('id') ?? '';

/** How the server takes what it gets. */
interface Manner {
  /** Whether sessions are resumed; null: that is not offered. */
  readonly resumes: boolean | null;
  /** Whether the link ends with this stanza, the last of those that were read at once. */
  ends(id: string, link: number): boolean;
  /** What it does then. */
  end(server: Conversation): Promise<unknown>;
}

const withError =
  (condition = 'policy-violation') =>
  async (server: Conversation) => {
    await server.send(`${streamError(condition)}</stream:stream>`);
    server.end();
  };
const withReset = (server: Conversation) => {
  server.reset();
  return Promise.resolve();
};

/** A server that lets a client in again and again, counts and acknowledges, and cannot stand some stanzas. */
class Server {
  /** Ids of messages that were taken, in order. */
  readonly taken: string[] = [];
  /** Ids of what had come on each link. */
  readonly links: string[][] = [];
  #handled = 0;

  constructor(
    peer: ScriptedPeer,
    readonly manner: Manner,
  ) {
    void this.#serve(peer);
  }

  async #serve(peer: ScriptedPeer): Promise<void> {
    for (;;) {
      const server = await peer.accept({ timeoutMs: 60_000 }).catch(() => null);
      if (server === null) return;
      await this.#welcome(server).then(
        () => this.#take(server),
        () => undefined,
      );
    }
  }

  async #welcome(server: Conversation): Promise<void> {
    await authenticate(server);
    await greet(server, features(BIND, SM), { id: `auth-${String(this.links.length)}` });
    this.links.push([]);
    if (this.links.length > 1) {
      await server.expect(/<(resume|iq) /).then(async (text) => {
        if (!text.endsWith('<resume ')) return this.#bind(server, true);
        await server.expect('/>');
        if (this.manner.resumes) {
          await server.send(`<resumed xmlns='${NS.SM}' previd='s' h='${String(this.#handled)}'/>`);
          return;
        }
        await server.send(`<failed xmlns='${NS.SM}' h='${String(this.#handled)}'/>`);
        return this.#bind(server, false);
      });
    } else await this.#bind(server, false);
  }

  async #bind(server: Conversation, isBegun: boolean): Promise<void> {
    const id = isBegun ? ((await server.match(/id='([^']+)'[^>]*>.*?<\/iq>/))[1] ?? '') : await iqId(server);
    await server.send(`<iq type='result' id='${id}'><bind xmlns='${NS.BIND}'><jid>${JID}</jid></bind></iq>`);
    await server.expect(/<enable [^>]*\/>/);
    this.#handled = 0;
    await server.send(`<enabled xmlns='${NS.SM}' ${this.manner.resumes === null ? '' : "resume='true' id='s'"}/>`);
  }

  async #take(server: Conversation): Promise<void> {
    const link = this.links.length - 1;
    for (;;) {
      const text = await server
        .expect(/<message[^>]* id='[^']*'[^>]*>.*?<\/message>|<r [^>]*\/>/, { timeoutMs: 60_000 })
        .catch(() => '');
      if (text === '') return;
      const [, id] = /<message[^>]* id='([^']*)'/.exec(text) ?? [];
      if (id === undefined) {
        await server.send(`<a xmlns='${NS.SM}' h='${String(this.#handled)}'/>`);
        continue;
      }
      this.links[link]?.push(id);
      if (this.manner.ends(id, link)) {
        await this.manner.end(server);
        return;
      }
      this.taken.push(id);
      this.#handled += 1;
    }
  }
}

const send = (broker: Broker, id: string): Ticket =>
  broker.output(xml('message', { to: 'bob@localhost', id }, xml('body', {}, id)));

async function life(manner: Manner, options: Partial<BrokerOptions> = {}) {
  const peer = await rig.listen();
  const { broker, recorded } = rig.broker(peer, { ...OPTIONS, ...options });
  const server = new Server(peer, manner);
  return { broker, recorded, server };
}

const GOOD = Array.from({ length: 20 }, (_, at) => `good-${String(at)}`);
const ALL = [...GOOD.slice(0, 7), 'bad', ...GOOD.slice(7)];

describe('a stanza for which the server ends the stream', () => {
  it.each<[string, boolean, QueueOptions]>([
    ['sessions are resumed', true, {}],
    ['sessions are over then', false, {}],
    ['sessions are resumed, with a store', true, { store: new MemoryStore() }],
    ['sessions are over then, with a store', false, { store: new MemoryStore() }],
  ])('is given up after three times, alone, and all others arrive: %s', async (_, resumes, queue) => {
    const { broker, server, recorded } = await life(
      { resumes, ends: (id) => id === 'bad', end: withError() },
      { queue: { onReady: 'send', ...queue } },
    );
    const dead = broker.events.once('PCJ_DEADLETTER');
    const tickets = ALL.map((id) => send(broker, id));
    await broker.connect();
    const { xml: text, error } = await dead;
    expect(text).toContain("id='bad'");
    expect(error).toMatchObject({ code: 'QUEUE_POISON', sent: 'maybe' });
    const [bad] = tickets.splice(7, 1);
    await Promise.all(tickets.map(({ acked }) => acked));
    await expect(bad?.acked).rejects.toMatchObject({ code: 'QUEUE_POISON' });
    expect(recorded.short.filter((name) => name === 'DEADLETTER')).toHaveLength(1);
    expect(bad).toMatchObject({ state: 'failed', faults: 3, held: false });
    // A session that was resumed has to prove itself first: what ends its link counts on the one that follows.
    const counting = server.links.filter((ids, at) => ids.includes('bad') && (!resumes || at % 2 === 0));
    expect(counting).toHaveLength(3);
    expect(counting.at(-1)?.at(-1)).toBe('bad');
    expect([...new Set(server.taken)].sort()).toEqual([...GOOD].sort());
    expect(broker.queue.size).toBe(0);
    expect(broker.state).toBe('ready');
  });

  it('takes nobody with it, however few faults are allowed', async () => {
    const { broker } = await life(
      { resumes: false, ends: (id) => id === 'bad', end: withError() },
      { queue: { onReady: 'send', maxFaults: 2 } },
    );
    const dead: string[] = [];
    broker.subscribe('PCJ_DEADLETTER', ({ xml: text }) => dead.push(/ id='([^']*)'/.exec(text)?.[1] ?? ''));
    const tickets = ALL.map((id) => send(broker, id));
    await broker.connect();
    await Promise.allSettled(tickets.map(({ acked }) => acked));
    expect(dead).toEqual(['bad']);
    expect(tickets.filter(({ state }) => state !== 'acked').map(idOf)).toEqual(['bad']);
  });

  it('its faults are remembered by a store, and told to the next process', async () => {
    const store = new MemoryStore();
    const manner: Manner = { resumes: null, ends: (id) => id === 'bad', end: withError() };
    const first = await life(manner, { queue: { onReady: 'send', store }, reconnect: false });
    const ticket = send(first.broker, 'bad');
    await first.broker.connect();
    await first.broker.closed;
    expect(ticket.faults).toBe(1);
    await first.broker.shutdown();
    first.broker.halt();
    const second = await life(manner, { queue: { onReady: 'send', store } });
    const dead = second.broker.events.once('PCJ_DEADLETTER');
    await second.broker.connect();
    expect((await dead).error).toMatchObject({ code: 'QUEUE_POISON' });
    expect(second.server.links.flat()).toEqual(['bad', 'bad']);
  });

  it('a request is not sent again when its session is over', async () => {
    const { broker, server } = await life({ resumes: false, ends: (id) => id === 'bad', end: withError() });
    const asked = broker.request(xml('message', { to: 'bob@localhost', id: 'bad' }, xml('body')));
    await broker.connect();
    await expect(asked).rejects.toMatchObject({ code: 'RTS_DISCONNECTED' });
    expect(server.links.flat()).toEqual(['bad']);
    expect(broker.queue.size).toBe(0);
  });

  it('a halt in its event leaves nothing open', async () => {
    const { broker } = await life({ resumes: true, ends: (id) => id === 'bad', end: withError() });
    const tickets = ALL.map((id) => send(broker, id));
    broker.subscribe('PCJ_DEADLETTER', () => {
      broker.halt();
    });
    await broker.connect();
    await broker.closed;
    await Promise.allSettled(tickets.map(({ acked }) => acked));
    expect(tickets.map(({ state }) => state)).not.toContain('queued');
  });
});

describe('a link that ends for another reason', () => {
  it.each(['system-shutdown', 'reset', 'resource-constraint', 'connection-timeout'])(
    '%s: no stanza is to blame, and all arrive',
    async (condition) => {
      const { broker } = await life({
        resumes: false,
        ends: (id, link) => id === 'bad' && link < 5,
        end: withError(condition),
      });
      // As many as make the client ask for an acknowledgement.
      const [ticket] = ['bad', ...GOOD.slice(0, 4)].map((id) => send(broker, id));
      await broker.connect();
      await ticket?.acked;
      expect(ticket).toMatchObject({ faults: 0, possibleDuplicate: true });
    },
  );

  it('a burst that is too much: thousands get one fault each, and all arrive in the end', async () => {
    const { broker, recorded } = await life({
      resumes: false,
      ends: (id, link) => id === 'good-1999' && link === 0,
      end: withError(),
    });
    const tickets = Array.from({ length: 2_000 }, (_, at) => send(broker, `good-${String(at)}`));
    await broker.connect();
    await Promise.all(tickets.map(({ acked }) => acked));
    expect(tickets.at(-1)?.faults).toBe(1);
    expect(recorded.short).not.toContain('DEADLETTER');
  });
});

describe('A4: a stanza for which the server drops the link without a word', () => {
  it.each<[string, boolean, QueueOptions]>([
    ['sessions are resumed', true, {}],
    ['sessions are over then', false, {}],
    ['sessions are resumed, with a store', true, { store: new MemoryStore() }],
    ['sessions are over then, with a store', false, { store: new MemoryStore() }],
  ])('is held in the end with possibleDuplicate, told, and all others arrive: %s', async (_, resumes, queue) => {
    const lines: string[] = [];
    const line = (_facts: object, text?: string) => void lines.push(text ?? '');
    const { broker, server, recorded } = await life(
      { resumes, ends: (id) => id === 'bad', end: withReset },
      { queue: { onReady: 'send', ...queue }, logger: { debug: () => undefined, info: line, warn: line, error: line } },
    );
    const tickets = ALL.map((id) => send(broker, id));
    await broker.connect();
    const [bad] = tickets.splice(7, 1);
    await Promise.all(tickets.map(({ acked }) => acked));
    await expect.poll(() => lines, { timeout: 20_000 }).toContainEqual(expect.stringMatching(/^1 stanza stays held/));
    expect(bad).toMatchObject({ state: 'queued', held: true, possibleDuplicate: true, faults: 0 });
    expect([...new Set(server.taken)].sort()).toEqual([...GOOD].sort());
    expect(recorded.short).not.toContain('DEADLETTER');
    expect(broker.state).toBe('ready');
    const times = server.links.filter((ids) => ids.includes('bad')).length;
    const lost = broker.events.once('PCJ_SOCKETDISCONNECT');
    expect(broker.queue.send()).toEqual([bad]);
    await lost;
    expect(server.links.filter((ids) => ids.includes('bad'))).toHaveLength(times + 1);
  });
});
