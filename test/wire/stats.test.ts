import { describe, expect, it } from 'vitest';
import { NS, xml, type Broker, type BrokerStats, type StanzaCounts } from 'xmpp-broker';
import { CLIENT, iqId, JID, welcome, welcomeBack } from './support/client.js';
import { COMPONENT, DOMAIN } from './support/component.js';
import { failure, useRig, type Conversation } from './support/index.js';

const RECONNECT = { reconnect: { resumeDelayMs: 1, firstDelayMs: 1, maxDelayMs: 1 } };

const query = (id: string, to = 'localhost') =>
  xml('iq', { type: 'get', id, to }, xml('query', { xmlns: NS.DISCO_INFO }));
const message = (id: string) => xml('message', { to: 'bob@localhost', id }, xml('body', {}, id));

/** What a peer has counted itself: its connections, each from where it was ready. */
class Count {
  readonly #links: { server: Conversation; received: number; sent: number }[] = [];

  /** The broker is ready on this connection; what went either way before are no stanzas. */
  from(server: Conversation): void {
    this.#links.push({ server, received: server.received.length, sent: server.sent.length });
  }

  get bytes() {
    const sum = (of: (server: Conversation) => number) => this.#links.reduce((all, { server }) => all + of(server), 0);
    return { in: sum((server) => server.sent.length), out: sum((server) => server.received.length) };
  }

  get stanzas() {
    const texts = this.#links.map(({ server, received, sent }) => ({
      out: server.received.subarray(received).toString(),
      in: server.sent.subarray(sent).toString(),
    }));
    return { in: kinds(texts.map((text) => text.in)), out: kinds(texts.map((text) => text.out)) };
  }
}

/** What the elements of one level down are called; `<other` stands for those that are none of the three. */
function kinds(texts: readonly string[]): StanzaCounts {
  const count = (name: string) => texts.reduce((all, text) => all + text.split(`<${name} `).length - 1, 0);
  return { message: count('message'), presence: count('presence'), iq: count('iq'), other: count('other') };
}

const now = (broker: Broker): Partial<BrokerStats> => {
  const { state, held, unacknowledged, reconnects, requests } = broker.stats();
  return { state, held, unacknowledged, reconnects, requests };
};
const requests = (ok: number, failed: number, pending: number, count = ok): object => ({
  ok,
  failed,
  pending,
  latencyMs: { count, sum: expect.any(Number) as number, max: expect.any(Number) as number },
});

describe('stats of a client', () => {
  const rig = useRig(CLIENT);

  it('are what the peer has counted, after a life with cuts and resumptions', async () => {
    const peer = await rig.listen();
    const { broker } = rig.broker(peer, { ...RECONNECT, tls: { policy: 'direct' } });
    const count = new Count();
    const before = Date.now();
    broker.output(message('early'));
    expect(now(broker)).toEqual({ state: 'idle', held: 1, unacknowledged: 0, reconnects: 0, requests: requests(0, 0, 0) }); // prettier-ignore
    expect(broker.stats()).toMatchObject({ lastReadyAt: null, bytes: { in: 0, out: 0 } });

    // A session with everything in it.
    const connected = broker.connect();
    const first = await peer.accept();
    await welcome(first);
    await connected;
    count.from(first);
    broker.queue.send();
    broker.output(xml('presence', { id: 'p' }));
    broker.output(xml('other', { xmlns: 'urn:example:other' }));
    const answered = broker.request(query('ok'));
    const refused = failure(broker.request(query('no')));
    await first.expect("id='no'");
    await first.expect('</iq>');
    const gone = broker.events.once('PCJ_SM_ACK');
    await first.send(
      `<iq type='result' id='ok' from='localhost'/><iq type='error' id='no' from='localhost'/><message from='a@b'/>` +
        `<presence from='a@b'/><presence from='a@b'/><other xmlns='urn:example:other'/><a xmlns='${NS.SM}' h='2'/>`,
    );
    await Promise.all([answered, refused, gone]);
    expect(now(broker)).toEqual({ state: 'ready', held: 0, unacknowledged: 2, reconnects: 0, requests: requests(1, 1, 0, 2) }); // prettier-ignore

    // Cut with four unacknowledged, and two held; resumed when one of the four had arrived: three come again.
    for (const id of ['1', '2']) broker.output(message(id));
    await first.expect('<body>2</body></message>');
    const waiting = broker.events.once('PCJ_RECONNECTING');
    first.reset();
    await waiting;
    for (const id of ['3', '4']) broker.output(message(id));
    expect(now(broker)).toMatchObject({ state: 'waiting', held: 2, unacknowledged: 4 });
    const second = await peer.accept();
    await welcomeBack(second);
    const resumed = broker.events.once('PCJ_READY');
    const start = second.received.length;
    await second.send(`<resumed xmlns='${NS.SM}' previd='session-1' h='3'/>`);
    await resumed;
    expect(second.received.length).toBe(start);
    count.from(second);
    broker.queue.send();
    await second.expect('<body>4</body></message>');
    expect(now(broker)).toMatchObject({ state: 'ready', held: 0, unacknowledged: 5, reconnects: 1 });

    // Cut again, with a request on its way, and not resumed: a new session, in which nothing is sent again.
    const lost = failure(broker.request(query('lost')));
    await second.expect("id='lost'");
    await second.expect('</iq>');
    expect(now(broker)).toMatchObject({ requests: requests(1, 1, 1, 2) });
    second.reset();
    const third = await peer.accept();
    await welcomeBack(third);
    const again = broker.events.once('PCJ_READY');
    await third.send(`<failed xmlns='${NS.SM}'/>`);
    const id = await iqId(third);
    await third.send(`<iq type='result' id='${id}'><bind xmlns='${NS.BIND}'><jid>${JID}</jid></bind></iq>`);
    await third.expect(/<enable [^>]*\/>/);
    await third.send(`<enabled xmlns='${NS.SM}' resume='true' id='session-2'/>`);
    await again;
    count.from(third);
    expect(await lost).toMatchObject({ code: 'RTS_DISCONNECTED' });
    expect(now(broker)).toEqual({ state: 'ready', held: 4, unacknowledged: 0, reconnects: 2, requests: requests(1, 2, 0, 2) }); // prettier-ignore

    const closed = broker.shutdown();
    await third.expect('</stream:stream>');
    await third.send('</stream:stream>');
    third.end();
    await closed;
    await third.closed;
    const { bytes, stanzas, lastReadyAt } = broker.stats();
    expect(stanzas).toEqual(count.stanzas);
    expect(stanzas.out).toEqual({ message: 1 + 2 + 2 + 2, presence: 1, iq: 2 + 1 + 1, other: 1 });
    expect(bytes).toEqual(count.bytes);
    expect(lastReadyAt).toBeGreaterThanOrEqual(before);
    expect(lastReadyAt).toBeLessThanOrEqual(Date.now());
  });

  it('the sum and the highest of the latencies go together', async () => {
    const { broker, server } = await rig.ready();
    const ask = async (id: string) => {
      const answer = broker.request(query(id));
      await server.expect(`id='${id}'`);
      await server.expect('</iq>');
      await server.send(`<iq type='result' id='${id}' from='localhost'/>`);
      await answer;
      return broker.stats().requests.latencyMs;
    };
    const one = await ask('a');
    expect(one).toEqual({ count: 1, sum: one.max, max: one.max });
    const two = await ask('b');
    expect(two.count).toBe(2);
    expect(two.max).toBe(Math.max(one.max, two.sum - one.sum));
  });

  it('what a program does with them changes nothing', async () => {
    const { broker } = await rig.ready();
    const stats = broker.stats();
    stats.stanzas.out.message = 1_000;
    stats.bytes.in = -1;
    expect(broker.stats().stanzas.out.message).toBe(0);
    expect(broker.stats().bytes.in).toBeGreaterThan(0);
  });

  it('stay when the broker is halted', async () => {
    const { broker, server } = await rig.ready();
    const ended = failure(broker.request(query('r')));
    await server.expect("id='r'");
    broker.halt();
    await ended;
    expect(now(broker)).toEqual({ state: 'halted', held: 0, unacknowledged: 0, reconnects: 0, requests: requests(0, 1, 0) }); // prettier-ignore
  });
});

describe('stats of a component', () => {
  const rig = useRig(COMPONENT);

  it('count the same, without acknowledgements', async () => {
    const { broker, server } = await rig.ready();
    const count = new Count();
    count.from(server);
    broker.output(xml('message', { to: 'a@b', id: '1' }));
    await server.expect('/>');
    const arrived = broker.events.once('PCJ_NODERECEIVED');
    await server.send(`<message from='a@b' to='${DOMAIN}'/>`);
    await arrived;
    expect(broker.stats()).toMatchObject({ unacknowledged: 0, stanzas: count.stanzas, bytes: count.bytes });
    expect(count.stanzas.in.message).toBe(1);
  });
});
