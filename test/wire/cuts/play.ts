import { Broker, BrokerError, Element, JID, serialize, xml, type BrokerOptions, type FilterMatch } from 'xmpp-broker';
import type { Identity } from '../../support/certificates.js';
import { ALL_EVENTS } from '../../support/trace.js';
import { Conversation } from '../support/conversation.js';
import { readFrame } from '../support/web-socket.js';
import { Cable, type Course } from './cable.js';
import { Ticket } from '../../../src/queue/ticket.js';
import type { Randomness } from './randomness.js';
import type { Variant } from './variants.js';

/** What a play came to. */
export interface Outcome {
  readonly seen: {
    readonly events: readonly string[];
    /** What we said on each connection, before encryption. */
    readonly sent: readonly string[];
  };
  /** Bytes of the last connection: as they went over the wire, and of what the server said before encryption. */
  readonly bytes: { readonly down: number; readonly up: number; readonly text: number };
}

/** Who signed the servers' certificate, and the certificate with its key. */
export interface World {
  readonly ca: string;
  readonly identity: Identity;
}

/** A world in which every play draws the same. */
export interface RepeatableWorld extends World {
  readonly randomness: Randomness;
}

/** A broker of a variant, each of whose connections is a cable with the server's script at its far end. */
export function brokerOf(
  { options, play }: Variant,
  { ca, identity }: World,
  courseOf: (link: number) => Course,
  onLink: (cable: Cable, server: Conversation) => void,
  onScriptFailed: (error: unknown) => void = () => undefined,
): Broker {
  let link = 0;
  const given: BrokerOptions = {
    ...(options.websocket === undefined ? { host: 'localhost', port: 1 } : {}),
    reconnect: false,
    logger: false,
    ...options,
    tls: options.tls?.policy === 'disabled' ? options.tls : { ca, ...options.tls },
    connector: () => {
      const index = link++;
      const course = courseOf(index);
      const cable = new Cable(course);
      const server = new Conversation(cable.far);
      if (course.text !== undefined) divideText(server, course.text);
      onLink(cable, server);
      play(server, index, identity).catch((error: unknown) => {
        // A script that is cut off has nothing more to say.
        if (course.fault !== undefined) server.destroy();
        else if (course.cut === undefined) onScriptFailed(error);
      });
      return cable.near;
    },
  };
  return new Broker(given);
}

/** Plays a variant to its end, and tells all that could be seen of it. Only the last connection takes the course. */
export async function play(variant: Variant, world: RepeatableWorld, course: Course): Promise<Outcome> {
  world.randomness.begin();
  const { links = 1, options } = variant;
  const cables: Cable[] = [];
  const servers: Conversation[] = [];
  const broker = brokerOf(
    variant,
    world,
    (link) => (link === links - 1 ? course : {}),
    (cable, server) => {
      cables.push(cable);
      servers.push(server);
    },
  );
  const events: string[] = [];
  for (const name of ALL_EVENTS) broker.subscribe(name, (payload) => events.push(`${name} ${shown(payload)}`));
  broker.filters.add('body', '//body');
  broker.subscribe('body', (match) => events.push(`body ${(match as FilterMatch).nodes.map(shown).join()}`));
  const promises: Promise<unknown>[] = [];
  broker.subscribe('PCJ_READY', () => {
    if (broker.pending.size === 0) promises.push(asked(broker, events));
  });
  for (let link = 0; link < links; link += 1) {
    const connected = broker.connect().then(
      () => 'connected',
      (error: unknown) => shown(error),
    );
    const end = shown(await broker.closed);
    events.push(`promise ${await connected}`, `closed ${end}`);
  }
  broker.halt();
  await Promise.all(promises);
  const sent = servers.map(({ received }) =>
    options.websocket === undefined ? received.toString() : framesIn(received),
  );
  const text = servers.at(-1)!.sent.length;
  return { seen: { events: settledLast(events), sent }, bytes: { ...cables.at(-1)!.bytes, text } };
}

/** Divides what a server says before it is encrypted: each piece becomes a record of its own. */
function divideText(server: Conversation, division: readonly number[]): void {
  let said = 0;
  const send = server.sendBytes.bind(server);
  server.sendBytes = async (bytes) => {
    const to = said + bytes.length;
    const edges = [...division.filter((offset) => offset > said && offset < to), to];
    for (const edge of edges) {
      const from = said;
      said = edge;
      await send(bytes.subarray(from - to + bytes.length, edge - to + bytes.length));
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
}

/** What the program does on its first ready link: a stanza, and a request. */
async function asked(broker: Broker, events: string[]): Promise<void> {
  const ticket = broker.output(xml('message', { id: 'said', to: 'b.c' }, xml('body', {}, 'x')));
  ticket.acked.then(
    () => events.push('promise acked'),
    () => events.push('promise not acked'),
  );
  await broker.request(xml('iq', { type: 'get', id: 'asked', to: 'b.c' }, xml('q', { xmlns: 'urn:x' }))).then(
    (answer) => events.push(`answer ${shown(answer)}`),
    (error: unknown) => events.push(`no answer ${shown(error)}`),
  );
}

/** Promises are told in a later step than the event they go with: put them behind all events. */
function settledLast(events: readonly string[]): string[] {
  const isPromise = (event: string) => /^(answer|no answer|closed|promise) /.test(event);
  return [...events.filter((event) => !isPromise(event)), ...events.filter(isPromise).sort()];
}

/** The messages that we sent over a WebSocket: how they are masked is drawn. */
function framesIn(received: Buffer): string {
  const [request] = /^[^]*?\r\n\r\n/.exec(received.toString('latin1')) ?? [''];
  const lines = [request.replace(/Sec-WebSocket-Key: .*/, 'Sec-WebSocket-Key: x')];
  for (let rest = received.subarray(request.length); ;) {
    const found = readFrame(rest);
    if (found === null) return lines.join('\n');
    const { opcode, text } = found.frame;
    lines.push(`${String(opcode)} ${JSON.stringify(text)}`);
    rest = rest.subarray(found.length);
  }
}

export function shown(value: unknown): string {
  if (value instanceof Element) return value.localName === 'stream' ? value.nodeName : serialize(value);
  if (value instanceof BrokerError) {
    const { code, condition, phase, text, offset, message } = value;
    return JSON.stringify({ code, condition, phase, text, offset, message });
  }
  if (value instanceof JID) return value.toString();
  if (value instanceof Ticket) return `${value.id} ${value.state}`;
  if (typeof value !== 'object' || value === null) return String(value);
  return JSON.stringify(Object.entries(value).map(([name, one]) => [name, shown(one)]));
}
