import { flag, oneOf, string } from '../arguments/checks.js';
import { readOptions, type OptionTable } from '../arguments/options.js';
import { usageError } from '../errors.js';
import { JID } from '../jid/jid.js';
import { PubSub, type Handler, type Rights, type Subscription, type SubscribeOptions } from '../pubsub/pubsub.js';
import { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';
import { serialize } from '../xml/serializer.js';
import { Arrivals, type ExpectOptions } from './arrivals.js';
import type { Authority, LoopbackIdentity } from './authority.js';
import type { LoopbackConnection } from './connection.js';
import type { LoopbackEvents } from './events.js';
import type { LoopbackOptions, LoopbackPort } from './options.js';
import { Reception } from './reception.js';
import { settingsOf } from './settings.js';
import { createSite, type RefusalStage, type Site } from './site.js';
import { isStanza, jidOf, moveInto } from './stanza.js';
import { FAULT_DETAILS, StreamFault, type FaultDetails } from './stream-fault.js';
import { identityOf, type TlsIdentity } from './tls-identity.js';
import type { Settings } from './settings.js';

/** Whom a command is about: a connection, or an address. An account or domain means everyone of it. */
export type LoopbackTarget = LoopbackConnection | JID | string;

/** A stream error that new client streams get. */
export interface Refusal extends FaultDetails {
  /** Such as `see-other-host`, with the other host as `content`. Needed. */
  condition: string;
  /** At which opening of a stream: the first one, the one inside TLS, or the one after authentication. Default `open`. */
  stage?: RefusalStage | undefined;
}

/** How a server stops. */
interface StopOptions {
  /** Whether nobody hears a word. Default false. */
  readonly abrupt?: boolean | undefined;
}

/** How a server starts again. */
interface RestartOptions extends StopOptions {
  /** Whether sessions with stream management can be resumed. Default false. */
  readonly keepSessions?: boolean | undefined;
}

/** What is forgotten of the sessions that were cut. */
interface ForgetOptions {
  /** Whether their counts are, too. Default false. */
  readonly counts?: boolean | undefined;
}

const STOP: OptionTable<StopOptions> = { checks: { abrupt: flag } };
const RESTART: OptionTable<RestartOptions> = { checks: { abrupt: flag, keepSessions: flag } };
const FORGET: OptionTable<ForgetOptions> = { checks: { counts: flag } };
const REFUSAL: OptionTable<Refusal> = {
  checks: { condition: string, stage: oneOf('open', 'tls', 'authenticated'), ...FAULT_DETAILS.checks },
  rule: (_right, given) => (given.has('condition') ? [] : ['condition is missing: pass one of RFC 6120 §4.9.3']),
};

/** What a port needs to be open. */
const NEEDS: Readonly<Record<LoopbackPort, string>> = {
  client: 'the option accounts',
  clientDirectTls: 'the option accounts, and TLS',
  component: 'the option components',
  componentDirectTls: 'the options components and tls',
  router: 'the option routerUsers',
  websocket: 'the options accounts and websocket',
  websocketTls: 'the options accounts and websocket, and TLS',
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
 * It serves clients (RFC 6120, with or without TLS; XEP-0198; XEP-0078; with the option `sasl2` XEP-0388, XEP-0386 and XEP-0484), components (XEP-0114) and peers of jabberd2's
 * router, and delivers stanzas between all of them. What it has beside that says the option `services`.
 */
export class LoopbackServer implements AsyncDisposable {
  /** What happens, by name. */
  readonly events: PubSub<LoopbackEvents>;
  readonly #site: Site;
  readonly #authority: Authority | null;
  readonly #reception: Reception;
  readonly #arrivals = new Arrivals('USAGE_LOOPBACK', 'expect()');
  /** Starts and stops, one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(settings: Settings, authority: Authority | null, tls: TlsIdentity | null) {
    let owner!: Rights<LoopbackEvents>;
    this.events = new PubSub<LoopbackEvents>({
      onHandlerError: settings.onHandlerError,
      reserved: () => true,
      own: EVENTS,
      owner: (rights) => {
        owner = rights;
      },
    });
    this.#authority = authority;
    this.#site = createSite(settings, tls, (event, payload) => {
      if (event === 'received') this.#arrived(payload as LoopbackEvents['received']);
      owner.fire(event, payload);
    });
    this.#reception = new Reception(this.#site);
  }

  /**
   * Starts a server on free ports of the loopback.
   * @throws BrokerError `USAGE_LOOPBACK` for wrong options, `USAGE_LOOPBACK_TLS` when a certificate is needed and the
   * package `@peculiar/x509` is not installed, `LOOPBACK_LISTEN` when a port cannot be had
   */
  static async start(options: LoopbackOptions = {}): Promise<LoopbackServer> {
    const settings = settingsOf(options);
    const { authority, tls } = await identityOf(settings);
    const server = new LoopbackServer(settings, authority, tls);
    await server.#inTurn(() => server.#reception.open());
    return server;
  }

  get domain(): string {
    return this.#site.settings.domain;
  }

  /** The address it listens on. */
  get host(): string {
    return this.#site.settings.host;
  }

  /** The TCP ports. Asking for one of a side that was not opened throws `USAGE_LOOPBACK`. They stay the same when the server is restarted. */
  get ports(): Readonly<Record<LoopbackPort, number>> {
    const ports = {};
    for (const name of Object.keys(NEEDS) as LoopbackPort[]) {
      // What is not open is not listed, but whoever asks for it is told why.
      const enumerable = this.#reception.port(name) !== undefined;
      Object.defineProperty(ports, name, { enumerable, get: () => this.#port(name) });
    }
    return ports as Record<LoopbackPort, number>;
  }

  /** PEM of the authority that signed the server's certificate: what clients have to trust. @throws BrokerError `USAGE_LOOPBACK` if there is none */
  get ca(): string {
    return this.#theAuthority.ca;
  }

  /** Everything that is connected now. */
  get connections(): readonly LoopbackConnection[] {
    return [...this.#reception.connections];
  }

  /** Calls `handler` for each event of that name; see {@link PubSub.subscribe}. */
  subscribe<Name extends keyof LoopbackEvents>(
    event: Name,
    handler: Handler<LoopbackEvents[Name]>,
    options?: SubscribeOptions,
  ): Subscription {
    return this.events.subscribe(event, handler, options);
  }

  /**
   * Waits for a stanza that somebody who is signed in sends to the server. Each stanza is given once, to the first who
   * expects it, also when it arrived before: the last 500 that nobody has expected are kept. So `expect()` may be called
   * behind what causes the stanza, and the order of calls is that of your test.
   * @param xpath as for `broker.match`
   * @returns a promise of the stanza; rejects with a BrokerError `EXPECT_FAILED` that lists what did arrive, and as
   * `filters.add` for a wrong expression
   */
  expect(xpath: string, options: ExpectOptions = {}): Promise<Element> {
    return this.#arrivals.expect(xpath, options);
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
    const known = stanza instanceof Element && isStanza(stanza, stanza.namespaceURI ?? '');
    if (!known || jidOf(stanza.getAttribute('from')) === null || jidOf(stanza.getAttribute('to')) === null) {
      throw usageError(
        'USAGE_LOOPBACK',
        'route() wants a message, presence or iq with proper addresses in from and to',
      );
    }
    serialize(stanza); // what cannot be written is the caller's mistake
    this.#site.hub.route(moveInto(NS.CLIENT, stanza.clone()));
  }

  /** Writes to everyone the target means; see {@link LoopbackConnection.inject}. Returns how many those are. */
  inject(target: LoopbackTarget, xml: Element | string): number {
    return this.#each(target, (connection) => connection.inject(xml));
  }

  /** Closes with a stream error; see {@link LoopbackConnection.kick}. Returns how many were there. */
  kick(target: LoopbackTarget, condition?: string, details: FaultDetails = {}): number {
    const given = readOptions('USAGE_LOOPBACK', 'kick()', details, FAULT_DETAILS);
    return this.#each(target, (connection) => connection.kick(condition, given));
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
    const { condition, stage = 'open', ...details } = readOptions('USAGE_LOOPBACK', 'refuse()', refusal, REFUSAL);
    this.#site.refusal = { fault: new StreamFault(condition, details), stage };
  }

  /**
   * Changes or adds an account; `null` removes it, with its roster and what waits for it. Who is signed in stays; tokens of
   * the account are forgotten.
   * @throws BrokerError `USAGE_JID`, `USAGE_LOOPBACK`
   */
  setAccount(username: string, password: string | null): void {
    const account = this.#site.accounts.set(username, password);
    this.#site.tokens?.forget(account);
    if (password === null) this.#site.services.forget(account);
  }

  /**
   * Changes or adds a component's secret; `null` removes it. Who is connected stays.
   * @throws BrokerError `USAGE_JID`, `USAGE_LOOPBACK`
   */
  setComponent(name: string, secret: string | null): void {
    const { domain } = new JID(null, name);
    if (secret === null) {
      this.#site.secrets.delete(domain);
    } else if (typeof secret === 'string' && secret !== '' && domain !== this.domain) {
      this.#site.secrets.set(domain, secret);
    } else {
      throw usageError('USAGE_LOOPBACK', 'a component has a name of its own, and a secret that is not empty');
    }
  }

  /** A client certificate that the mechanism EXTERNAL takes for this account. @throws BrokerError `USAGE_LOOPBACK` if the server has no authority of its own */
  issueClientCertificate(username: string): Promise<LoopbackIdentity> {
    return this.#theAuthority.client(new JID(username, this.domain).toString());
  }

  /** Ends every session that waits for its client to resume it (XEP-0198): the client is refused, then. */
  forgetSessions(options: ForgetOptions = {}): void {
    const { counts = false } = readOptions('USAGE_LOOPBACK', 'forgetSessions()', options, FORGET);
    for (const session of this.#site.hub.everySession) if (session.connection === null) session.end();
    if (counts) this.#site.resumption.forget();
  }

  /**
   * Closes everything: streams with `system-shutdown`, then the ports. With `abrupt` nobody hears a word. Resolves when
   * no connection is left; peers that do not close are cut after the close timeout.
   */
  stop(options: StopOptions = {}): Promise<void> {
    return this.#inTurn(() => {
      const { abrupt = false } = readOptions('USAGE_LOOPBACK', 'stop()', options, STOP);
      return this.#close(abrupt, false);
    });
  }

  /**
   * Stops and starts again on the same ports; a stopped server just starts. Sessions are lost, as with a real server,
   * unless `keepSessions` says that those with stream management can be resumed.
   * @throws BrokerError `LOOPBACK_LISTEN` when somebody else took a port meanwhile
   */
  restart(options: RestartOptions = {}): Promise<void> {
    return this.#inTurn(async () => {
      const { abrupt = false, keepSessions = false } = readOptions('USAGE_LOOPBACK', 'restart()', options, RESTART);
      await this.#close(abrupt || keepSessions, keepSessions);
      await this.#reception.open();
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

  #arrived({ connection, element }: LoopbackEvents['received']): void {
    // Before that, what arrives are sign-ins.
    if (connection.addresses.length === 0) return;
    // A router's stanzas are wrapped (jabberd2).
    const stanza = element.is('route', NS.JABBERD2_COMPONENT) ? element.firstElementChild : element;
    if (stanza !== null && isStanza(stanza, stanza.namespaceURI ?? '')) this.#arrivals.add(stanza);
  }

  #close(abrupt: boolean, keepSessions: boolean): Promise<void> {
    if (!keepSessions) this.#arrivals.end('before the server stopped');
    if (!keepSessions) {
      // Nothing is given back to senders: they go as well.
      for (const session of this.#site.hub.everySession) session.end(false);
      this.#site.services.reset();
      this.#site.resumption.forget();
    }
    return this.#reception.close(abrupt);
  }

  #each(target: LoopbackTarget, action: (connection: LoopbackConnection) => void): number {
    const targets = typeof target === 'string' || target instanceof JID ? this.find(target) : [target];
    for (const connection of targets) action(connection);
    return targets.length;
  }

  #port(name: LoopbackPort): number {
    const port = this.#reception.port(name);
    if (port !== undefined) return port;
    throw usageError('USAGE_LOOPBACK', `the loopback server has no port ${name}: it needs ${NEEDS[name]}`);
  }

  get #theAuthority(): Authority {
    if (this.#authority !== null) return this.#authority;
    throw usageError('USAGE_LOOPBACK', 'the loopback server made no certificates: it has no TLS, or was given its own');
  }
}
