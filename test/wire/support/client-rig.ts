import { Broker, NS, XMPP, type BrokerError, type BrokerOptions } from 'xmpp-broker';
import { trace, type Trace } from '../../support/trace.js';
import { TestAuthority, type Identity } from '../../support/certificates.js';
import type { Conversation } from './conversation.js';
import { ScriptedPeer } from './scripted-peer.js';
import { streamHeader, type StreamHeader } from './stream-header.js';

/** Stream features, as a server writes them. */
export const features = (...inner: readonly string[]): string => `<stream:features>${inner.join('')}</stream:features>`;

export const STARTTLS = `<starttls xmlns='${NS.TLS}'/>`;
export const BIND = `<bind xmlns='${NS.BIND}'/>`;
export const SM = `<sm xmlns='${NS.SM}'/>`;
export const PROCEED = `<proceed xmlns='${NS.TLS}'/>`;
export const mechanisms = (...names: readonly string[]): string =>
  `<mechanisms xmlns='${NS.SASL}'>${names.map((name) => `<mechanism>${name}</mechanism>`).join('')}</mechanisms>`;
export const streamError = (condition: string, rest = ''): string =>
  `<stream:error><${condition} xmlns='${NS.STREAMS}'/>${rest}</stream:error>`;

/** Our opening tag, however it is written. */
export const OPENING = /<stream:stream[^>]*>/;

export const PASSWORD = 's3cret-w0rd';
export const JID = 'alice@localhost/desk';

/** What a server says while it lets somebody in. */
export interface Welcome {
  /** Features behind authentication. Default bind and stream management. */
  readonly after?: string;
  /** Attributes of `<enabled/>`; null: no stream management is asked for. Default resumable as `session-1`. */
  readonly enabled?: string | null;
  /** Written right behind the last element of the negotiation, in the same segment. */
  readonly behind?: string;
}

/** Answers an opening tag with a header and features. Returns the opening tag. */
export async function greet(server: Conversation, offer: string, header: StreamHeader = {}): Promise<string> {
  const open = await server.expect(OPENING);
  await server.send(streamHeader(header) + offer);
  return open;
}

/** Answers STARTTLS, and makes TLS. */
export async function secure(server: Conversation, identity: Identity): Promise<void> {
  await server.expect('<starttls');
  await server.expect('/>');
  await server.send(PROCEED);
  await server.startTls(identity);
}

/** Takes whatever password comes by PLAIN. */
export async function authenticate(server: Conversation): Promise<void> {
  await greet(server, features(mechanisms('PLAIN')), { id: 'tls-1' });
  await server.expect('</auth>');
  await server.send(`<success xmlns='${NS.SASL}'/>`);
}

/** Id of the iq that comes next. */
export async function iqId(server: Conversation): Promise<string> {
  const [, id = ''] = await server.match(/<iq[^>]* id='([^']+)'[^>]*>.*?<\/iq>/);
  return id;
}

/** Lets a client in that has just opened its connection, inside TLS. */
export async function welcome(server: Conversation, said: Welcome = {}): Promise<void> {
  const { after = features(BIND, SM), enabled = "resume='true' id='session-1' max='300'", behind = '' } = said;
  await authenticate(server);
  await greet(server, after, { id: 'auth-1' });
  const id = await iqId(server);
  const bound = `<iq type='result' id='${id}'><bind xmlns='${NS.BIND}'><jid>${JID}</jid></bind></iq>`;
  if (enabled === null) {
    await server.send(bound + behind);
    return;
  }
  await server.send(bound);
  await server.expect(/<enable [^>]*\/>/);
  await server.send(`<enabled xmlns='${NS.SM}' ${enabled}/>${behind}`);
}

/** Lets a client in up to its `<resume/>`, which is returned. */
export async function welcomeBack(server: Conversation): Promise<string> {
  await authenticate(server);
  await greet(server, features(BIND, SM), { id: 'auth-2' });
  return server.expect(/<resume [^>]*\/>/);
}

/** A client, what it publishes, and the server it was let in by. */
export interface ReadyClient {
  readonly broker: Broker;
  readonly recorded: Trace;
  readonly server: Conversation;
  readonly peer: ScriptedPeer;
}

/** Clients and scripted servers of one test file, with one certificate for `localhost`. */
export class ClientRig {
  readonly #brokers: Broker[] = [];
  readonly #peers: ScriptedPeer[] = [];

  private constructor(
    readonly authority: TestAuthority,
    readonly identity: Identity,
  ) {}

  static async create(): Promise<ClientRig> {
    const authority = await TestAuthority.create();
    return new ClientRig(authority, await authority.issue());
  }

  /** A server to be scripted; with `direct`, behind TLS from the start. */
  async listen(how: 'direct' | 'plain' = 'direct', identity = this.identity): Promise<ScriptedPeer> {
    const peer = await ScriptedPeer.listen(how === 'direct' ? { tls: identity } : {});
    this.#peers.push(peer);
    return peer;
  }

  /** A client that is not connected yet. */
  client(peer: { port: number }, options: Partial<BrokerOptions> = {}): { broker: Broker; recorded: Trace } {
    const broker = new Broker({
      connectionType: XMPP.with({ mechanisms: ['PLAIN'] }),
      host: '127.0.0.1',
      port: peer.port,
      domain: 'localhost',
      username: 'alice',
      password: PASSWORD,
      reconnect: false,
      logger: false,
      ...options,
      // A scripted server seldom closes: nobody waits for it long, unless a test says so.
      timeouts: { close: 150, ...options.timeouts },
      tls: { ca: this.authority.ca, ...options.tls },
    });
    this.#brokers.push(broker);
    return { broker, recorded: trace(broker) };
  }

  /** A client that is about to connect, and the server's side once it has dialled; over direct TLS unless told. */
  async dialled(
    options: Partial<BrokerOptions> = {},
    how: 'direct' | 'plain' = 'direct',
  ): Promise<ReadyClient & { connected: Promise<void> }> {
    const peer = await this.listen(how);
    const tls = how === 'direct' ? ({ policy: 'direct', ...options.tls } as const) : options.tls;
    const { broker, recorded } = this.client(peer, { ...options, ...(tls === undefined ? {} : { tls }) });
    const connected = broker.connect();
    return { broker, recorded, peer, connected, server: await peer.accept() };
  }

  /** A client that is let in over direct TLS. */
  async ready(options: Partial<BrokerOptions> = {}, said: Welcome = {}): Promise<ReadyClient> {
    const { connected, ...client } = await this.dialled(options);
    await welcome(client.server, said);
    await connected;
    return client;
  }

  /** Ends what a test has left. */
  async clear(): Promise<void> {
    for (const broker of this.#brokers.splice(0)) broker.halt();
    for (const peer of this.#peers.splice(0)) await peer.close();
  }
}

/** The error a promise rejects with. */
export const failure = (promise: Promise<unknown>): Promise<BrokerError> =>
  promise.then(
    () => {
      throw new Error('it did not fail');
    },
    (error: unknown) => error as BrokerError,
  );

/** The end of every failed attempt that had a stream. */
export const TAIL = ['STREAMEND', 'SHUTDOWN_START', 'SOCKETDISCONNECT', 'SHUTDOWN_FINISH'];
