import { afterEach, beforeAll } from 'vitest';
import { Broker, type BrokerOptions } from 'xmpp-broker';
import { TestAuthority, type Identity } from '../../support/certificates.js';
import { trace, type Trace } from '../../support/trace.js';
import type { Conversation } from './conversation.js';
import { ScriptedPeer } from './scripted-peer.js';

/** TLS from the first byte, or a stream that begins in clear. */
export type Transport = 'direct' | 'plain';

/** How a dialect is spoken in the tests of the wire. `Said` is what a test may tell about the server's part. */
export interface RigDialect<Said> {
  /** What the broker is given; host, port and certificate are the rig's. */
  readonly options: Pick<BrokerOptions, 'connectionType' | 'domain'> & Partial<BrokerOptions>;
  /** The transport of a test that names none. */
  readonly transport: Transport;
  /** The server's part from our opening tag until we are ready. */
  letIn(server: Conversation, said?: Said): Promise<unknown>;
}

/** What every dialect lets a test tell. */
export interface Said {
  /** Written right behind the last element of the negotiation, in the same segment. */
  readonly behind?: string;
}

/** A broker and what it publishes. */
export interface Subject {
  readonly broker: Broker;
  readonly recorded: Trace;
}

/** A broker that is connected, and the server's side of the connection. */
export interface Ready extends Subject {
  readonly server: Conversation;
  readonly peer: ScriptedPeer;
}

/** A broker that has dialled, and is not let in yet. */
export interface Dialled extends Ready {
  readonly connected: Promise<void>;
}

/** Options of a broker of this dialect that a server on a port of this machine is enough for. */
export const brokerOptions = ({ options }: RigDialect<never>, port: number): BrokerOptions => ({
  host: '127.0.0.1',
  port,
  reconnect: false,
  logger: false,
  ...options,
});

/**
 * The brokers and scripted servers of one test file, with a certificate for the names under `localhost` and `broker.test`.
 * Made by {@link useRig}, which ends after each test what that test has left.
 */
export class Rig<S = Said> {
  readonly #brokers: Broker[] = [];
  readonly #peers: ScriptedPeer[] = [];
  #made: { readonly authority: TestAuthority; readonly identity: Identity } | undefined;

  constructor(readonly dialect: RigDialect<S>) {}

  /** Whoever signed {@link identity}; every broker trusts it. */
  get authority(): TestAuthority {
    return this.#certificates.authority;
  }

  /** The servers' certificate and key. */
  get identity(): Identity {
    return this.#certificates.identity;
  }

  get #certificates() {
    if (this.#made === undefined)
      throw new Error('the rig is made before the first test, not while tests are collected');
    return this.#made;
  }

  /** Makes the certificates. */
  async make(): Promise<void> {
    const authority = await TestAuthority.create();
    this.#made = { authority, identity: await authority.issue() };
  }

  /** A server to be scripted. */
  async listen(transport = this.dialect.transport, identity = this.identity): Promise<ScriptedPeer> {
    const peer = await ScriptedPeer.listen(transport === 'direct' ? { tls: identity } : {});
    this.#peers.push(peer);
    return peer;
  }

  /** A broker that is not connected yet. */
  broker(peer: { readonly port: number }, options: Partial<BrokerOptions> = {}): Subject {
    const given = brokerOptions(this.dialect, peer.port);
    const broker = new Broker({
      ...given,
      ...options,
      // A scripted server seldom closes: nobody waits for it long, unless a test says so.
      timeouts: { close: 150, ...options.timeouts },
      tls: { ca: this.authority.ca, ...given.tls, ...options.tls },
    });
    return { broker: this.add(broker), recorded: trace(broker) };
  }

  /** Ends a broker that was made elsewhere, too. */
  add(broker: Broker): Broker {
    this.#brokers.push(broker);
    return broker;
  }

  /** A broker that is about to connect, and the server's side once it has dialled. */
  async dialled(options: Partial<BrokerOptions> = {}, transport = this.dialect.transport): Promise<Dialled> {
    const peer = await this.listen(transport);
    const direct = transport === 'direct' ? { tls: { policy: 'direct', ...options.tls } as const } : {};
    const { broker, recorded } = this.broker(peer, { ...options, ...direct });
    const connected = broker.connect();
    return { broker, recorded, peer, connected, server: await peer.accept() };
  }

  /** A broker that is let in. */
  async ready(options: Partial<BrokerOptions> = {}, said?: S): Promise<Ready> {
    const { connected, ...ready } = await this.dialled(options);
    await this.dialect.letIn(ready.server, said);
    await connected;
    return ready;
  }

  /** Ends what a test has left. */
  async clear(): Promise<void> {
    for (const broker of this.#brokers.splice(0)) broker.halt();
    for (const peer of this.#peers.splice(0)) await peer.close();
  }
}

/** The rig of a test file, or of one `describe`: made before its first test, cleared after each. */
export function useRig<S>(dialect: RigDialect<S>): Rig<S> {
  const rig = new Rig(dialect);
  beforeAll(() => rig.make());
  afterEach(() => rig.clear());
  return rig;
}
