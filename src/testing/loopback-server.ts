import type { Socket } from 'node:net';
import { BrokerError, usageError } from '../errors.js';
import { JID } from '../jid.js';
import { PubSub, type Handler, type Publication, type Subscription, type SubscribeOptions } from '../pubsub.js';
import { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';
import { Accounts } from './accounts.js';
import { Authority, type LoopbackIdentity } from './authority.js';
import { serveClient } from './client-side.js';
import { serveComponent } from './component-side.js';
import { Connection, type LoopbackConnection, type LoopbackSide } from './connection.js';
import type { LoopbackEvents } from './events.js';
import { Hub } from './hub.js';
import { LegacyAuth } from './legacy-auth.js';
import { Listener } from './listener.js';
import type { LoopbackOptions, LoopbackPort } from './options.js';
import { PeerStream } from './peer-stream.js';
import { Resumption } from './resumption.js';
import type { RouterLink } from './router-link.js';
import { serveRouter } from './router-side.js';
import { answerRequest } from './service.js';
import { settingsOf, type Settings } from './settings.js';
import type { RefusalStage, Site } from './site.js';
import { jidOf, moveInto } from './stanza.js';
import { StreamFault, StreamOver, type FaultDetails } from './stream-fault.js';
import { TlsIdentity } from './tls-identity.js';

/** Whom a command is about: a connection, or an address. An account or domain means everyone of it. */
export type LoopbackTarget = LoopbackConnection | JID | string;

/** A stream error that new client streams get. */
export interface Refusal extends FaultDetails {
  /** Such as `see-other-host`, with the other host as `content`. */
  condition: string;
  /** At which opening of a stream: the first one, the one inside TLS, or the one after authentication. Default `open`. */
  stage?: RefusalStage;
}

/** What is spoken on a port, and who serves it. */
interface Side {
  readonly contentNamespace: string;
  serve(connection: Connection, site: Site): Promise<void>;
}

const SIDES: Readonly<Record<LoopbackPort, Side>> = {
  client: { contentNamespace: NS.CLIENT, serve: serveClient },
  clientDirectTls: { contentNamespace: NS.CLIENT, serve: serveClient },
  component: { contentNamespace: NS.COMPONENT_ACCEPT, serve: serveComponent },
  router: { contentNamespace: NS.JABBERD2_COMPONENT, serve: serveRouter },
};

const EVENTS: readonly (keyof LoopbackEvents)[] = [
  'connection',
  'tls',
  'received',
  'sent',
  'authenticated',
  'session',
  'ended',
  'undeliverable',
  'closed',
];

/**
 * An XMPP server inside the test process, on the loopback: real TCP, real TLS, and nothing else real. It is for tests
 * and demonstrations. It keeps passwords in memory, trusts whoever knows them, forgets everything when it stops, and
 * shows all it sees as events.
 *
 * It serves clients (RFC 6120, with or without TLS; XEP-0198; XEP-0078), components (XEP-0114) and peers of jabberd2's
 * router, and delivers stanzas between all of them. Subscriptions are accepted and passed on, but no roster is kept, and
 * presence is seen by the other resources of the account and those it is sent to. There are no offline messages.
 */
export class LoopbackServer implements AsyncDisposable {
  /** What happens, by name. */
  readonly events: PubSub<LoopbackEvents>;
  readonly #settings: Settings;
  readonly #authority: Authority | null;
  readonly #site: Site & { refusal: Site['refusal'] };
  readonly #secrets: Map<string, string>;
  readonly #publications = new Map<string, Publication<never>>();
  readonly #listeners = new Map<LoopbackPort, Listener>();
  readonly #ports = new Map<LoopbackPort, number>();
  readonly #connections = new Set<Connection>();
  #served = new Set<Promise<void>>();
  #count = 0;
  /** Starts and stops, one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(settings: Settings, authority: Authority | null, tls: TlsIdentity | null) {
    this.#settings = settings;
    this.#authority = authority;
    this.#secrets = new Map(Object.entries(settings.components ?? {}));
    this.events = new PubSub<LoopbackEvents>({
      reserved: () => true,
      owner: (owner) => {
        for (const name of EVENTS) this.#publications.set(name, owner.publish(name));
      },
    });
    this.#site = this.#makeSite(tls);
  }

  /**
   * Starts a server on free ports of the loopback.
   * @throws BrokerError `USAGE_LOOPBACK` for wrong options, `USAGE_LOOPBACK_TLS` when a certificate is needed and the
   * package `@peculiar/x509` is not installed, `LOOPBACK_LISTEN` when a port cannot be had
   */
  static async start(options: LoopbackOptions = {}): Promise<LoopbackServer> {
    const settings = settingsOf(options);
    const [authority, tls] = await identityOf(settings);
    const server = new LoopbackServer(settings, authority, tls);
    await server.#inTurn(() => server.#listen());
    return server;
  }

  get domain(): string {
    return this.#settings.domain;
  }

  /** The address it listens on. */
  get host(): string {
    return this.#settings.host;
  }

  /** The TCP ports. Asking for one of a side that was not opened throws `USAGE_LOOPBACK`. They stay the same when the server is restarted. */
  get ports(): Readonly<Record<LoopbackPort, number>> {
    const port = (name: LoopbackPort) => this.#port(name);
    return {
      get client() {
        return port('client');
      },
      get clientDirectTls() {
        return port('clientDirectTls');
      },
      get component() {
        return port('component');
      },
      get router() {
        return port('router');
      },
    };
  }

  /** PEM of the authority that signed the server's certificate: what clients have to trust. @throws BrokerError `USAGE_LOOPBACK` if there is none */
  get ca(): string {
    return this.#theAuthority.ca;
  }

  /** Everything that is connected now. */
  get connections(): readonly LoopbackConnection[] {
    return [...this.#connections];
  }

  /** Calls `handler` for each event of that name; see {@link PubSub.subscribe}. */
  subscribe<Name extends keyof LoopbackEvents>(
    event: Name,
    handler: Handler<LoopbackEvents[Name]>,
    options?: SubscribeOptions,
  ): Subscription {
    return this.events.subscribe(event, handler, options);
  }

  /** Who is connected under an address: one full address, every resource of an account, or all links of a domain. */
  find(address: JID | string): readonly LoopbackConnection[] {
    const jid = typeof address === 'string' ? JID.parse(address) : address;
    return this.connections.filter(({ addresses }) =>
      addresses.some((own) => own.equals(jid) || (jid.resource === null && own.bare().equals(jid))),
    );
  }

  /** Hands a stanza to the routing, as if the one in its `from` had sent it. @throws BrokerError `USAGE_LOOPBACK` */
  route(stanza: Element): void {
    const known = stanza instanceof Element && ['message', 'presence', 'iq'].includes(stanza.localName);
    if (!known || jidOf(stanza.getAttribute('from')) === null || jidOf(stanza.getAttribute('to')) === null) {
      throw usageError(
        'USAGE_LOOPBACK',
        'route() wants a message, presence or iq with proper addresses in from and to',
      );
    }
    this.#site.hub.route(moveInto(NS.CLIENT, stanza.clone()));
  }

  /** Writes to everyone the target means; see {@link LoopbackConnection.inject}. Returns how many those are. */
  inject(target: LoopbackTarget, xml: Element | string): number {
    return this.#each(target, (connection) => connection.inject(xml));
  }

  /** Closes with a stream error; see {@link LoopbackConnection.kick}. Returns how many were there. */
  kick(target: LoopbackTarget, condition?: string, details?: FaultDetails): number {
    return this.#each(target, (connection) => connection.kick(condition, details));
  }

  /** Destroys TCP connections without a word; see {@link LoopbackConnection.cut}. Returns how many were there. */
  cut(target: LoopbackTarget): number {
    return this.#each(target, (connection) => connection.cut());
  }

  /** Destroys every TCP connection without a word. Returns how many there were. */
  cutAll(): number {
    const { connections } = this;
    for (const connection of connections) connection.cut();
    return connections.length;
  }

  /** Leaves a half-open link; see {@link LoopbackConnection.stall}. Returns how many were there. */
  stall(target: LoopbackTarget): number {
    return this.#each(target, (connection) => connection.stall());
  }

  /** Refuses new client streams with a stream error, until `null` is given. */
  refuse(refusal: Refusal | null): void {
    if (refusal === null) {
      this.#site.refusal = null;
      return;
    }
    const { condition, stage = 'open', ...details } = refusal;
    this.#site.refusal = { fault: new StreamFault(condition, details), stage };
  }

  /** Changes or adds an account; `null` removes it. Who is signed in stays. */
  setAccount(username: string, password: string | null): void {
    this.#site.accounts.set(username, password);
  }

  /** Changes or adds a component's secret; `null` removes it. Who is connected stays. */
  setComponent(name: string, secret: string | null): void {
    const { domain } = new JID(null, name);
    if (secret === null) this.#secrets.delete(domain);
    else this.#secrets.set(domain, secret);
  }

  /** A client certificate that the mechanism EXTERNAL takes for this account. @throws BrokerError `USAGE_LOOPBACK` if the server has no authority of its own */
  issueClientCertificate(username: string): Promise<LoopbackIdentity> {
    return this.#theAuthority.client(new JID(username, this.domain).toString());
  }

  /** Ends every session that waits for its client to resume it (XEP-0198): the client is refused, then. */
  forgetSessions(options: { readonly counts?: boolean } = {}): void {
    for (const session of this.#site.hub.everySession) if (session.connection === null) session.end();
    if (options.counts === true) this.#site.resumption.forget();
  }

  /**
   * Closes everything: streams with `system-shutdown`, then the ports. With `abrupt` nobody hears a word. Resolves when
   * no connection is left; peers that do not close are cut after the close timeout.
   */
  stop(options: { readonly abrupt?: boolean } = {}): Promise<void> {
    return this.#inTurn(() => this.#close(options.abrupt === true, false));
  }

  /**
   * Stops and starts again on the same ports; a stopped server just starts. Sessions are lost, as with a real server,
   * unless `keepSessions` says that those with stream management can be resumed.
   * @throws BrokerError `LOOPBACK_LISTEN` when somebody else took a port meanwhile
   */
  restart(options: { readonly abrupt?: boolean; readonly keepSessions?: boolean } = {}): Promise<void> {
    const { abrupt = false, keepSessions = false } = options;
    return this.#inTurn(async () => {
      await this.#close(abrupt || keepSessions, keepSessions);
      await this.#listen();
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #inTurn(action: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(action);
    this.#turn = done.catch(() => undefined);
    await done;
  }

  async #listen(): Promise<void> {
    try {
      for (const side of this.#sides) {
        const port = this.#ports.get(side) ?? this.#settings.ports[side] ?? 0;
        const listener = await Listener.open(this.host, port, (socket) => this.#accept(socket, side));
        this.#listeners.set(side, listener);
        this.#ports.set(side, listener.port);
      }
    } catch (error) {
      await this.#close(true, false);
      throw error;
    }
  }

  get #sides(): LoopbackPort[] {
    const { accounts, components, routerUsers, mechanisms } = this.#settings;
    const sides: LoopbackPort[] = [];
    if (accounts !== undefined || mechanisms?.includes('ANONYMOUS') === true) {
      sides.push('client');
      if (this.#site.tls !== null) sides.push('clientDirectTls');
    }
    if (components !== undefined) sides.push('component');
    if (routerUsers !== undefined) sides.push('router');
    return sides;
  }

  async #close(abrupt: boolean, keepSessions: boolean): Promise<void> {
    const closing = [...this.#listeners.values()].map((listener) => listener.close());
    this.#listeners.clear();
    if (!keepSessions) {
      // Nothing is given back to senders: they go as well.
      for (const session of this.#site.hub.everySession) session.end(false);
      this.#site.resumption.forget();
    }
    for (const connection of this.#connections) {
      if (abrupt) connection.cut();
      else connection.kick('system-shutdown');
    }
    await Promise.all([...closing, ...this.#served]);
  }

  #accept(socket: Socket, side: LoopbackSide): void {
    const connection: Connection = new Connection(
      ++this.#count,
      side,
      socket,
      new PeerStream(socket, SIDES[side].contentNamespace, this.#settings.limits, {
        received: (element) => this.#site.publish('received', { connection, element }),
        sent: (xml) => this.#site.publish('sent', { connection, xml }),
      }),
    );
    this.#connections.add(connection);
    this.#site.publish('connection', connection);
    const served = this.#serve(connection).finally(() => this.#served.delete(served));
    this.#served.add(served);
  }

  /** One connection, from its first byte until it is closed. Never rejects. */
  async #serve(connection: Connection): Promise<void> {
    const { stream } = connection;
    const { negotiation, close } = this.#settings.timeouts;
    const timer = setTimeout(() => connection.kick('connection-timeout'), negotiation);
    connection.negotiated = () => clearTimeout(timer);
    let fault: string | null = null;
    try {
      await SIDES[connection.side].serve(connection, this.#site);
    } catch (error) {
      if (error instanceof StreamFault) {
        fault = error.condition;
        stream.fail(error);
      } else if (!(error instanceof StreamOver)) {
        fault = 'internal-server-error';
        connection.error = internalError(error);
        stream.fail(new StreamFault('internal-server-error'));
      }
    }
    clearTimeout(timer);
    await stream.finish(close);
    this.#connections.delete(connection);
    this.#site.publish('closed', { connection, fault, error: connection.error ?? stream.closeError });
  }

  #makeSite(tls: TlsIdentity | null): Site & { refusal: Site['refusal'] } {
    const settings = this.#settings;
    const { domain, sasl } = settings;
    const publish: Site['publish'] = (event, payload) => {
      (this.#publications.get(event) as Publication<typeof payload> | undefined)?.fire(payload);
    };
    const accounts = new Accounts(domain, sasl.iterations);
    for (const [name, password] of Object.entries(settings.accounts ?? {})) accounts.set(name, password);
    const routerAccounts = new Accounts(domain, sasl.iterations);
    for (const [name, { password }] of Object.entries(settings.routerUsers ?? {})) routerAccounts.set(name, password);
    const routers = new Set<RouterLink>();
    const hub: Hub = new Hub({
      domain,
      answer: (request, to) => answerRequest(request, to, [...new Set([...hub.names, ...this.#secrets.keys()])]),
      undeliverable: (stanza, condition) => publish('undeliverable', { stanza, condition }),
      knows: (name) => this.#secrets.has(name),
      bound: (name, link) => {
        for (const router of routers) if (router !== link) router.announce(name, true);
      },
      gone: (name) => {
        for (const router of routers) router.announce(name, false);
        publish('ended', { jid: new JID(null, name) });
      },
    });
    return {
      settings,
      hub,
      accounts,
      routerAccounts,
      secrets: this.#secrets,
      resumption: new Resumption(),
      legacy: settings.legacy === null ? null : new LegacyAuth(accounts, settings.legacy),
      tls,
      routers,
      refusal: null,
      publish,
    };
  }

  #each(target: LoopbackTarget, action: (connection: LoopbackConnection) => void): number {
    const targets = typeof target === 'string' || target instanceof JID ? this.find(target) : [target];
    for (const connection of targets) action(connection);
    return targets.length;
  }

  #port(name: LoopbackPort): number {
    const port = this.#ports.get(name);
    if (port !== undefined) return port;
    const needs = {
      client: 'the option accounts',
      clientDirectTls: 'the option accounts, and TLS',
      component: 'the option components',
      router: 'the option routerUsers',
    }[name];
    throw usageError('USAGE_LOOPBACK', `the loopback server has no port for ${name}: it needs ${needs}`);
  }

  get #theAuthority(): Authority {
    if (this.#authority !== null) return this.#authority;
    throw usageError('USAGE_LOOPBACK', 'the loopback server made no certificates: it has no TLS, or was given its own');
  }
}

/** The server's certificate: the one that was given, one that is made, or none when nobody needs it. */
async function identityOf(settings: Settings): Promise<[Authority | null, TlsIdentity | null]> {
  const { tls, accounts, routerUsers, mechanisms, components, domain } = settings;
  const needed = accounts !== undefined || routerUsers !== undefined || mechanisms?.includes('ANONYMOUS') === true;
  if (tls === null || !needed) return [null, null];
  const authority = tls.cert === undefined ? await Authority.create() : null;
  const names = [domain, ...Object.keys(components ?? {}), ...tls.names, 'localhost', '127.0.0.1', '::1'];
  const made = await authority?.server([...new Set(names)]);
  const clientCa = mechanisms?.includes('EXTERNAL') === true ? (tls.clientCa ?? authority?.ca) : undefined;
  const { minVersion, maxVersion, cert = made?.cert ?? '', key = made?.key ?? '' } = tls;
  try {
    return [authority, new TlsIdentity({ cert, key, clientCa, minVersion, maxVersion })];
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw usageError('USAGE_LOOPBACK', `the certificates of the option tls cannot be used: ${why}`, { cause });
  }
}

/** A mistake in the server itself. */
function internalError(cause: unknown): BrokerError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new BrokerError('LOOPBACK_INTERNAL', `the loopback server failed: ${why}; please report this`, {
    layer: 'stream',
    cause,
  });
}
