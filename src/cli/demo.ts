import { Broker } from '../broker/broker.js';
import { usageError } from '../errors.js';
import type { FilterMatch } from '../filters/filter.js';
import EVENTS, { type StatusEvent } from '../events.js';
import { JABBERD14_COMPONENT } from '../protocols/jabberd14.js';
import { LoopbackServer } from '../testing/index.js';
import { xml } from '../xml/builder.js';
import type { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';
import { reply } from '../stanza/replies.js';
import { shown } from './shown.js';
import { signIns } from './sign-in.js';

/** What the demo is run with. Without `server` it brings its own. */
export interface DemoOptions {
  /** `host:port` of a real server's component port. */
  server?: string | undefined;
  domain?: string | undefined;
  secret?: string | undefined;
  /** Name and secret of the peer's component; without them the component is its own peer. */
  peerDomain?: string | undefined;
  peerSecret?: string | undefined;
  print: (line: string) => void;
}

interface Place {
  host: string;
  port: number;
  domain: string;
  password: string;
}

interface DemoEvents {
  greeting: FilterMatch;
  answer: Element;
}

/**
 * The main job, visibly: a stanza held while offline, the way to ready, a filter that matches, a request answered, the
 * held stanza purged, and an orderly end. Without a real server, the other dialects sign in behind that. Throws when one
 * of them does not happen.
 */
export async function demo(options: DemoOptions): Promise<void> {
  const { print } = options;
  const started = performance.now();
  const say = (text: string) => {
    print(`${(performance.now() - started).toFixed(1).padStart(8)} ms  ${text}`);
  };
  if (options.server !== undefined) {
    const { own, peer } = placesAt(options, options.server);
    await run(own, peer, say);
    return;
  }
  await using server = await LoopbackServer.start({
    domain: 'localhost',
    components: { 'demo.localhost': 'demo-secret', 'peer.localhost': 'peer-secret' },
  });
  const port = server.ports.component;
  print(`loopback server listening on 127.0.0.1:${port}`);
  const place = (domain: string, password: string) => ({ host: '127.0.0.1', port, domain, password });
  await run(place('demo.localhost', 'demo-secret'), place('peer.localhost', 'peer-secret'), say);
  await signIns(say);
}

async function run(own: Place, peerPlace: Place | null, say: (text: string) => void): Promise<void> {
  const broker = makeBroker(own);
  for (const name of Object.keys(EVENTS) as StatusEvent[]) {
    broker.subscribe(name, (payload) => {
      say(`${name}${shown(payload)}`);
    });
  }
  const peer = peerPlace === null ? broker : makeBroker(peerPlace);
  const peerName = (peerPlace ?? own).domain;
  try {
    // The peer answers service discovery requests.
    peer.filters.add('answer-disco', '/iq[@type="get"]/d:query', { namespaces: { d: NS.DISCO_INFO } });
    peer.subscribe('answer-disco', (match) => {
      const { node } = match as FilterMatch;
      peer.output(
        reply(
          node,
          xml('query', { xmlns: NS.DISCO_INFO }, xml('identity', { category: 'component', type: 'generic' })),
        ),
      );
    });
    if (peer !== broker) await peer.connect();

    say('--- a stanza is output while nothing is connected: it is held');
    const ticket = broker.output(
      xml('message', { to: `you@${peerName}`, id: 'held' }, xml('body', {}, 'written before connecting')),
    );
    say(`    queue: ${broker.queue.size} stanza, ticket ${ticket.state}`);

    say('--- connect');
    await broker.connect();
    say(`    ready as ${broker.jid?.toString() ?? ''}; still held: ${broker.queue.size}`);

    say('--- a filter: messages with a body that starts with "hello"');
    broker.filters.add('greeting', '/message[starts-with(body, "hello")]/body');
    broker.subscribe('greeting', ({ expression, nodes }) => {
      say(`    ${expression} matched ${nodes.map(String).join(' ')}`);
    });
    const greeting = broker.events.once('greeting', { signal: AbortSignal.timeout(5_000) });
    peer.output(xml('message', { to: `me@${own.domain}` }, xml('body', {}, 'hello from the peer')));
    await greeting;

    say('--- a request: its answer comes back under the event "answer"');
    broker.subscribe('answer', (node) => {
      say(`    answered: ${node.toString()}`);
    });
    const answer = broker.events.once('answer', { signal: AbortSignal.timeout(5_000) });
    broker.returnToSender('answer', xml('iq', { type: 'get', to: peerName }, xml('query', { xmlns: NS.DISCO_INFO })));
    await answer;

    say('--- queue.send: what was held goes out now, and only now');
    const arrived = peer.events.once('PCJ_NODERECEIVED', { signal: AbortSignal.timeout(5_000) });
    const held = broker.queue.send();
    await ticket.sent;
    say(
      `    sent ${held.length}, ticket ${ticket.state}; the peer received: ${(await arrived).getChildText('body') ?? ''}`,
    );

    say('--- shutdown');
    await broker.shutdown();
    say(`    state ${broker.state}`);
  } finally {
    if (peer !== broker) await peer.shutdown();
    broker.halt();
    peer.halt();
  }
}

function makeBroker(place: Place): Broker<DemoEvents & Record<string, unknown>> {
  return new Broker({ connectionType: JABBERD14_COMPONENT, ...place, reconnect: false });
}

function placesAt(options: DemoOptions, server: string): { own: Place; peer: Place | null } {
  const match = /^(?<host>\[[^\]]+\]|[^:]+):(?<port>\d+)$/.exec(server);
  const { host, port } = match?.groups ?? {};
  if (host === undefined || port === undefined)
    throw usageError('USAGE_ARGUMENT', `--server takes HOST:PORT, not ${JSON.stringify(server)}`);
  const { domain, secret, peerDomain, peerSecret } = options;
  if (domain === undefined || secret === undefined)
    throw usageError(
      'USAGE_ARGUMENT',
      '--server needs --domain and a secret, those of a component: set XMPP_PASSWORD, or say --secret',
    );
  const at = { host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
  const own = { ...at, domain, password: secret };
  return { own, peer: peerDomain === undefined ? null : { ...at, domain: peerDomain, password: peerSecret ?? secret } };
}
