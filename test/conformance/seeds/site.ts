// The feature floor, row by row: what POE::Component::Jabber ("PCJ") and Jabber::Connection promised, one test for each row of
// the table of their features. Where a row is done otherwise on purpose, its test says so and why. What these tests share is
// one loopback server, and brokers of every dialect on it.
import { afterAll, afterEach, beforeAll } from 'vitest';
import {
  Broker,
  Connection,
  errorReply,
  JABBERD14_COMPONENT,
  JABBERD20_COMPONENT,
  JABBER_NS,
  LEGACY,
  NS,
  reply,
  xml,
  XMPP,
  type BrokerOptions,
  type ConnectionOptions,
  type Element,
} from 'xmpp-broker';
import { LoopbackServer, type LoopbackOptions } from 'xmpp-broker/testing';

type More = Partial<BrokerOptions>;

/** A loopback server with two accounts, three components and a router, and whoever is connected to it. */
export class SeedsSite implements AsyncDisposable {
  readonly #brokers: Broker[] = [];

  #server: LoopbackServer | undefined;

  static async start(options: LoopbackOptions = {}): Promise<SeedsSite> {
    const site = new SeedsSite();
    await site.start(options);
    return site;
  }

  get server(): LoopbackServer {
    if (this.#server === undefined) throw new Error('the site is started before the first test');
    return this.#server;
  }

  async start(options: LoopbackOptions = {}): Promise<void> {
    this.#server = await LoopbackServer.start({
      accounts: { alice: 'secret', bob: 'secret' },
      components: { 'comp.localhost': 'secret', 'peer.localhost': 'secret', 'third.localhost': 'secret' },
      routerUsers: { jabberd: 'secret' },
      ...options,
    });
  }

  /** A component that is not connected. */
  component(domain = 'comp.localhost', more: More = {}): Broker {
    return this.#broker({
      connectionType: JABBERD14_COMPONENT,
      port: this.server.ports.component,
      domain,
      password: 'secret',
      ...more,
    });
  }

  client(username = 'alice', more: More = {}): Broker {
    return this.#broker({ connectionType: XMPP, ...this.#account(username), ...more });
  }

  legacy(username = 'alice', more: More = {}): Broker {
    return this.#broker({ connectionType: LEGACY, resource: 'seeds', ...this.#account(username), ...more });
  }

  service(domain = 'svc.localhost', more: More = {}): Broker {
    return this.#broker({
      connectionType: JABBERD20_COMPONENT,
      port: this.server.ports.router,
      domain,
      username: 'jabberd',
      password: 'secret',
      tls: { ca: this.server.ca, servername: 'localhost' },
      ...more,
    });
  }

  async ready(broker: Broker): Promise<Broker> {
    await broker.connect();
    return broker;
  }

  /** A component that answers every request: pings with a result, everything else with an error. */
  async answerer(): Promise<Broker> {
    const peer = await this.ready(this.component('peer.localhost'));
    peer.subscribe('PCJ_NODERECEIVED', (node) => {
      if (node.localName !== 'iq') return;
      peer.output(node.getChild('ping', NS.PING) === null ? errorReply(node, 'item-not-found') : reply(node));
    });
    return peer;
  }

  /** A component and somebody to talk to. */
  async pair(): Promise<{ broker: Broker; peer: Broker }> {
    return { broker: await this.ready(this.component()), peer: await this.ready(this.component('peer.localhost')) };
  }

  /** A connection in the manner of Jabber::Connection, for a component. */
  connection(localname = 'comp.localhost', more: Partial<ConnectionOptions> = {}): Connection {
    const connection = new Connection({
      server: `127.0.0.1:${String(this.server.ports.component)}`,
      ns: JABBER_NS.stream.NS_ACCEPT,
      localname,
      logger: false,
      ...more,
    });
    this.#brokers.push(connection.broker);
    return connection;
  }

  async signedIn(localname?: string, more?: Partial<ConnectionOptions>): Promise<Connection> {
    const connection = this.connection(localname, more);
    await connection.connect();
    await connection.auth('secret');
    return connection;
  }

  /** Drops every broker, so that their names are free. */
  async clear(): Promise<void> {
    for (const broker of this.#brokers.splice(0)) broker.halt();
    for (const connection of this.server.connections) connection.cut();
    while (this.server.connections.length > 0) await this.server.events.once('closed');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const broker of this.#brokers.splice(0)) broker.halt();
    await this.server.stop({ abrupt: true });
  }

  #account(username: string): Omit<BrokerOptions, 'connectionType'> {
    const { ca, ports } = this.server;
    return { port: ports.client, domain: 'localhost', username, password: 'secret', tls: { ca } };
  }

  #broker(options: BrokerOptions): Broker {
    const broker = new Broker({ host: '127.0.0.1', reconnect: false, logger: false, ...options });
    this.#brokers.push(broker);
    return broker;
  }
}

/** The site of one test file: its server serves all tests, its brokers end with theirs. */
export function useSite(): SeedsSite {
  const site = new SeedsSite();
  beforeAll(() => site.start());
  afterEach(() => site.clear());
  afterAll(() => site[Symbol.asyncDispose]());
  return site;
}

export const say = (to: string, body: string, more: Record<string, string> = {}): Element =>
  xml('message', { to, ...more }, xml('body', {}, body));

export const ping = (to: string, more: Record<string, string> = {}): Element =>
  xml('iq', { type: 'get', to, ...more }, xml('ping', { xmlns: NS.PING }));

/** The next elements that a broker receives and no request takes: as many as asked for. */
export function received(broker: Broker, count: number): Promise<Element[]> {
  const seen: Element[] = [];
  return new Promise((resolve) => {
    const subscription = broker.subscribe('PCJ_NODERECEIVED', (node) => {
      if (seen.push(node) < count) return;
      subscription.cancel();
      resolve(seen);
    });
  });
}

export const bodies = (stanzas: readonly Element[]) => stanzas.map((stanza) => stanza.getChildText('body'));
