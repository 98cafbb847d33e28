import { Broker, JABBERD14_COMPONENT, type BrokerOptions } from 'xmpp-broker';
import { Ejabberd, Jabberd2, Prosody, type TestServer } from '../harness/index.js';

/** What the servers have in common for a component's tests. */
export interface ComponentSite {
  readonly name: 'prosody' | 'ejabberd' | 'jabberd2';
  start(): Promise<TestServer<'starttls'>>;
  /** Where XEP-0114 is spoken. */
  port(server: TestServer): number;
  /** What a name that is not configured ends in; null where every name is taken. */
  readonly unknownName: { condition: string; event: 'CONNECTFAIL' | 'AUTHFAIL' } | null;
  /** Whether a second connection of a name is taken, too. */
  readonly shares: boolean;
  /** Whether the server closes the stream before the socket when it is stopped. */
  readonly saysGoodbye: boolean;
  /** Stanzas that the server sends on its own after the handshake. */
  readonly greetings: number;
}

export const SITES: readonly ComponentSite[] = [
  {
    name: 'prosody',
    start: () => Prosody.start(),
    port: (server) => server.ports['component'] ?? 0,
    unknownName: { condition: 'host-unknown', event: 'CONNECTFAIL' },
    shares: false,
    saysGoodbye: false,
    greetings: 0,
  },
  {
    name: 'ejabberd',
    start: () => Ejabberd.start(),
    port: (server) => server.ports['component'] ?? 0,
    unknownName: { condition: 'not-authorized', event: 'AUTHFAIL' },
    shares: true,
    saysGoodbye: false,
    greetings: 0,
  },
  {
    name: 'jabberd2',
    start: () => Jabberd2.start(),
    port: (server) => server.ports['router'] ?? 0,
    unknownName: null,
    shares: true,
    saysGoodbye: true,
    greetings: 3,
  },
];

/** Options of a component on a private server; it does not reconnect unless a test wants it. */
export function componentOptions(port: number, options: Partial<BrokerOptions> = {}): BrokerOptions {
  return {
    connectionType: JABBERD14_COMPONENT,
    host: '127.0.0.1',
    port,
    domain: 'comp.localhost',
    password: 'secret',
    reconnect: false,
    logger: false,
    ...options,
  };
}

/** Brokers of one test, ended behind it. */
export class Brokers implements AsyncDisposable {
  readonly #brokers: Broker[] = [];

  component(port: number, options: Partial<BrokerOptions> = {}): Broker {
    const broker = new Broker(componentOptions(port, options));
    this.#brokers.push(broker);
    return broker;
  }

  async ready(port: number, options: Partial<BrokerOptions> = {}): Promise<Broker> {
    const broker = this.component(port, options);
    await broker.connect();
    return broker;
  }

  /** Closes what is open, so that the server knows it is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      this.#brokers.splice(0).map(async (broker) => {
        await broker.shutdown();
        broker.halt();
      }),
    );
  }
}
