import { getEventListeners } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { Broker, xml, type BrokerOptions } from 'xmpp-broker';
import { ALL_EVENTS } from '../../support/trace.js';
import { MemoryPipe } from '../support/memory-pipe.js';
import { COMPONENT, DOMAIN, header } from '../support/component.js';
import { brokerOptions, OPENING, ScriptedPeer, type Conversation } from '../support/index.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Lets a component in, answers its one request, and cuts the link: politely, with FIN alone, or with RST. */
async function serve(conversation: Conversation, index: number): Promise<void> {
  await conversation.expect(OPENING);
  await conversation.send(header());
  await conversation.expect('</handshake>');
  await conversation.send(`<handshake/><message from='a@b' to='${DOMAIN}'><body>x</body></message>`);
  const [, id = ''] = await conversation.match(/<iq[^>]* id=["']([^"']+)["'][^>]*>.*<\/iq>/);
  await conversation.send(`<iq type='result' id='${id}' from='b' to='${DOMAIN}'/>`);
  await conversation.expect("id='lost'");
  if (index % 3 === 0) await conversation.send('</stream:stream>');
  if (index % 3 === 1) conversation.reset();
  else conversation.end();
}

const component = (port: number, options: Partial<BrokerOptions> = {}) =>
  new Broker({ ...brokerOptions(COMPONENT, port), reconnect: { firstDelayMs: 1, maxDelayMs: 1 }, ...options });

function open(): Record<string, number> {
  const counted: Record<string, number> = {};
  for (const name of process.getActiveResourcesInfo()) counted[name] = (counted[name] ?? 0) + 1;
  return { timers: counted['Timeout'] ?? 0, sockets: counted['TCPSocketWrap'] ?? 0 };
}

it(
  'S-API-8 A-STZ-13 G7: listeners, timers and handles are the same after 200 reconnects',
  { timeout: 60_000 },
  async () => {
    await using peer = await ScriptedPeer.listen({ script: serve });
    const broker = component(peer.port);
    const controller = new AbortController();
    const samples: { listeners: unknown; aborts: number; pending: number; queue: number }[] = [];
    for (const name of ALL_EVENTS) broker.subscribe(name, () => undefined);
    broker.filters.add('body', '/message/body');
    broker.subscribe('body', () => undefined);
    const query = () => xml('iq', { type: 'get', to: 'b' }, xml('q', { xmlns: 'urn:x' }));

    let links = 0;
    const done = new Promise<void>((resolve, reject) => {
      broker.subscribe('PCJ_READY', () => {
        broker
          .request(query(), { signal: controller.signal })
          .then(() => {
            // This one is never answered: the link is cut.
            broker.request(query(), { signal: controller.signal }).catch(() => undefined);
            broker.output(xml('message', { to: 'b', id: 'lost' }));
          })
          .catch(reject);
      });
      broker.subscribe('PCJ_RECONNECTING', () => {
        links += 1;
        broker.queue.drop();
        if (links % 50 === 0) {
          samples.push({
            listeners: broker.events.listing(),
            aborts: getEventListeners(controller.signal, 'abort').length,
            pending: broker.pending.size,
            queue: broker.queue.size,
          });
        }
        if (links === 200) resolve();
      });
    });
    const before = open();
    await broker.connect({ signal: controller.signal });
    await done;
    await broker.shutdown();

    expect(samples).toHaveLength(4);
    for (const sample of samples) {
      expect(sample.listeners).toEqual(samples[0]!.listeners);
      expect(sample).toMatchObject({ aborts: 0, pending: 0, queue: 0 });
    }
    await expect
      .poll(() => open()['sockets']! <= before['sockets']! && open()['timers']! <= before['timers']!)
      .toBe(true);
    broker.halt();
    expect(broker.events.listing().every(({ subscribers }) => subscribers === 0)).toBe(true);
  },
);

it('S-API-8 A-STZ-13 G7: a lost link leaves nothing on the heap', { timeout: 60_000 }, async () => {
  const broker = component(1, { host: 'h', tls: { policy: 'disabled' }, connector: () => pipe() });
  const bytes = Buffer.from(`${header()}<handshake/><message from='a@b' to='${DOMAIN}'><body>x</body></message>`);

  /** A server that lets us in, sends a message and goes away. */
  function pipe(): MemoryPipe {
    const made = new MemoryPipe();
    made.onSent = () => {
      made.onSent = () => undefined;
      made.feed(bytes);
    };
    broker.events.once('PCJ_NODERECEIVED').then(
      () => {
        made.finish();
      },
      () => undefined,
    );
    return made;
  }

  async function heapAfter(links: number): Promise<number> {
    for (let link = 0; link < links; link++) await broker.events.once('PCJ_RECONNECTING');
    collect();
    return process.memoryUsage().heapUsed;
  }
  await broker.connect();
  const first = await heapAfter(300);
  const last = await heapAfter(700);
  broker.halt();
  // What is left is the runtime's own: a link that is kept would be many kilobytes.
  expect((last - first) / 700).toBeLessThan(1024);
});
