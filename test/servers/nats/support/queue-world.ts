// A queue over NATS between real processes: a private nats-server, a loopback XMPP server, brokers that share a queue, and
// somebody who writes down what arrives.
import { afterEach } from 'vitest';
import { Broker, COMPONENT, XMPP, type BrokerOptions, type Element } from 'xmpp-broker';
import { natsStore, StanzaPublisher, type NatsStoreOptions, type StanzaPublisherOptions } from 'xmpp-broker/nats';
import { LoopbackServer } from 'xmpp-broker/testing';
import { Nats, type NatsOptions, type NatsServer } from '../../harness/index.js';

/** What ends with the test. */
export interface Ending {
  (): Promise<unknown>;
}

/** Things of a test that end with it, the last one first. */
export function useEndings(): (ending: Ending) => void {
  const endings: Ending[] = [];
  afterEach(async () => {
    for (const ending of endings.splice(0).reverse()) await ending();
  });
  return (ending) => void endings.push(ending);
}

/** Starts nats-servers that end with the test. */
export function useNatsServers(atEnd: (ending: Ending) => void): (options?: NatsOptions) => Promise<NatsServer> {
  return async (options = {}) => {
    const server = await Nats.start(options);
    atEnd(() => server.dispose());
    return server;
  };
}

/** Faults of a publisher are heard, so that none of them is a warning. */
export function quiet(producer: StanzaPublisher): StanzaPublisher {
  producer.subscribe('fail', () => undefined);
  return producer;
}

/** Name of the component whose queue it is. */
export const QUEUE = 'sender.localhost';
/** Who receives. */
export const SINK = 'sink.localhost';

/** The XMPP side: a server, and what arrived at the sink, in order. */
export class Xmpp {
  readonly received: Element[] = [];

  private constructor(
    readonly server: LoopbackServer,
    readonly sink: Broker,
  ) {}

  static async start(atEnd: (ending: Ending) => void): Promise<Xmpp> {
    const server = await LoopbackServer.start({
      accounts: { juliet: 'secret' },
      components: { [QUEUE]: 'secret', [SINK]: 'secret' },
      componentConflict: 'replace',
      tls: false,
    });
    atEnd(() => server.stop());
    const sink = new Broker({ ...component(server, SINK), answerRequests: true });
    const xmpp = new Xmpp(server, sink);
    sink.subscribe('PCJ_NODERECEIVED', (node) => void xmpp.received.push(node));
    await sink.connect();
    atEnd(() => {
      sink.halt();
      return Promise.resolve();
    });
    return xmpp;
  }

  /** Bodies of what arrived. */
  get bodies(): string[] {
    return this.received.map((node) => node.getChildText('body') ?? '');
  }
}

export function component(server: LoopbackServer, domain: string): BrokerOptions {
  return {
    connectionType: COMPONENT,
    host: '127.0.0.1',
    port: server.ports.component,
    domain,
    password: 'secret',
    logger: false,
  };
}

export function account(server: LoopbackServer): BrokerOptions {
  return {
    connectionType: XMPP,
    host: '127.0.0.1',
    port: server.ports.client,
    domain: 'localhost',
    username: 'juliet',
    password: 'secret',
    tls: { policy: 'disabled' },
    logger: false,
  };
}

export const message = (body: string, to = `x@${SINK}`): string => `<message to='${to}'><body>${body}</body></message>`;

/** Makes brokers and publishers that end with the test. */
export function useNats(atEnd: (ending: Ending) => void): {
  holder(nats: Pick<NatsServer, 'ports'>, options: BrokerOptions, store?: Partial<NatsStoreOptions>): Broker;
  publisher(nats: Pick<NatsServer, 'ports'>, options?: Partial<StanzaPublisherOptions>): StanzaPublisher;
} {
  return {
    holder(nats, options, store = {}) {
      const broker = new Broker({
        reconnect: { maxDelayMs: 500, initial: true },
        ...options,
        queue: {
          onReady: 'send',
          store: natsStore({ connection: { servers: Nats.url(nats) }, ttlMs: 1_500, ...store }),
          ...options.queue,
        },
      });
      atEnd(async () => {
        await broker.shutdown();
        broker.halt();
      });
      return broker;
    },
    publisher(nats, options = {}) {
      const publisher = new StanzaPublisher({
        connection: { servers: Nats.url(nats) },
        queue: QUEUE,
        ...options,
      });
      atEnd(() => publisher.close({ timeoutMs: 1 }));
      return publisher;
    },
  };
}
