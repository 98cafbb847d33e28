import { inspect } from 'node:util';
import { Broker, Element, XMPP, type BrokerOptions, type MechanismName } from 'xmpp-broker';
import { trace, type Trace } from '../../support/trace.js';
import { Ejabberd, Jabberd2, Prosody, type TestServer } from '../harness/index.js';

export type ClientPort = 'starttls' | 'directTls';

/** What the servers have in common for a client's tests, and where they differ. */
export interface ClientSite {
  readonly name: 'prosody' | 'ejabberd' | 'jabberd2';
  start(): Promise<TestServer<ClientPort>>;
  /** Mechanisms it offers inside TLS, best first. */
  readonly mechanisms: readonly MechanismName[];
  /** What is offered with channel binding inside TLS 1.2; `tls-unique` is the only type the servers know. */
  readonly bound: readonly MechanismName[];
  /** Where DIGEST-MD5 has its final proof; null where it does not exist. */
  readonly rspauth: 'challenge' | 'success' | null;
  /** Whether it knows stream management. */
  readonly managed: boolean;
  /** Where nothing but STARTTLS is taken before TLS. */
  strict(server: TestServer): { port: number; domain: string };
}

const strictDomain = (server: TestServer) => ({ port: server.ports['starttls'] ?? 0, domain: 'broker.test' });

export const CLIENT_SITES: readonly ClientSite[] = [
  {
    name: 'prosody',
    start: () => Prosody.start(),
    mechanisms: ['SCRAM-SHA-256', 'SCRAM-SHA-1', 'PLAIN'],
    bound: ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-1-PLUS'],
    rspauth: null,
    managed: true,
    strict: strictDomain,
  },
  {
    name: 'ejabberd',
    start: () => Ejabberd.start(),
    mechanisms: ['SCRAM-SHA-512', 'SCRAM-SHA-256', 'SCRAM-SHA-1', 'DIGEST-MD5', 'PLAIN'],
    bound: ['SCRAM-SHA-512-PLUS', 'SCRAM-SHA-256-PLUS', 'SCRAM-SHA-1-PLUS'],
    rspauth: 'challenge',
    managed: true,
    strict: (server) => ({ port: server.ports['strict'] ?? 0, domain: 'localhost' }),
  },
  {
    name: 'jabberd2',
    start: () => Jabberd2.start(),
    mechanisms: ['SCRAM-SHA-256', 'SCRAM-SHA-1', 'DIGEST-MD5', 'PLAIN'],
    bound: [],
    rspauth: 'success',
    managed: false,
    strict: strictDomain,
  },
];

/** A broker of a test and what it publishes. */
export interface Subject {
  readonly broker: Broker;
  readonly recorded: Trace;
}

/** What a client has to know of a server. */
export interface Signable {
  readonly host: string;
  readonly domain: string;
  readonly ca: string;
  readonly ports: Readonly<Record<ClientPort, number>>;
}

/** Clients of one test, ended behind it. */
export class Clients implements AsyncDisposable {
  readonly #brokers: Broker[] = [];

  /** A signed-out client of alice's, or of somebody else's. */
  client(server: Signable, options: Partial<BrokerOptions> = {}): Subject {
    const broker = new Broker({
      connectionType: XMPP,
      host: server.host,
      port: server.ports.starttls,
      domain: server.domain,
      username: 'alice',
      password: 'secret',
      tls: { ca: server.ca },
      // jabberd2 greets a connection that comes soon after another one left with internal-server-error.
      reconnect: { initial: true, firstDelayMs: 200, maxDelayMs: 200, maxAttempts: 200 },
      logger: false,
      ...options,
    });
    this.#brokers.push(broker);
    return { broker, recorded: trace(broker) };
  }

  async ready(server: Signable, options: Partial<BrokerOptions> = {}): Promise<Subject> {
    const subject = this.client(server, options);
    await subject.broker.connect();
    return subject;
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

/** What the last attempt published. */
export const lastAttempt = ({ short }: Trace): string[] => short.slice(short.lastIndexOf('CONNECT'));

/** Everything that was published, as a log would show it. */
export const shown = ({ payloads }: Trace): string =>
  payloads
    .map((payload) => (payload instanceof Element ? payload.toString() : inspect(payload, { depth: 6 })))
    .join('\n');
