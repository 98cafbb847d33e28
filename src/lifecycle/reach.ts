// From a place to a connection: where the server is looked for, and in which order.
import { unixSocketPath } from '../arguments/unix-socket.js';
import { dialThrough, type Connector } from '../dial/connector.js';
import { dial } from '../dial/dial.js';
import { resolve, type Target } from '../dial/resolve.js';
import type { BrokerError } from '../errors.js';
import type { StatusPublisher } from '../link/status-publisher.js';
import type { BrokerConfig, Secrets } from '../options/options.js';
import { loadWebSockets } from '../stream/web-socket.js';
import { discover, insecureLinks, isUnreachable } from './discovery.js';
import { portOf, targetOf, type Dialled, type Place, type Reached, type Route } from './route.js';

/** What is reached with. */
export interface ReachParts {
  readonly config: BrokerConfig;
  readonly secrets: Secrets;
  readonly status: StatusPublisher;
  readonly connector: Connector | undefined;
}

/** The way of one attempt to the server. */
export class Reach {
  readonly #parts: ReachParts;
  readonly #signal: AbortSignal;
  /** Whether PCJ_CONNECTING was published: once an attempt, whatever has to be tried. */
  #connecting = false;

  /** @param signal aborted when the attempt is given up */
  constructor(parts: ReachParts, signal: AbortSignal) {
    this.#parts = parts;
    this.#signal = signal;
  }

  /** Connects to the server, by whichever way the options ask for. @throws the error that ends the attempt */
  async to(given: Place): Promise<Reached> {
    const signal = this.#signal;
    try {
      const { targets, websocket } = await this.#route(given);
      signal.throwIfAborted();
      return { websocket, dialled: await this.#dial(targets) };
    } catch (error) {
      signal.throwIfAborted();
      const mayDiscover =
        this.#parts.secrets.websocket === 'discover' && given.host === undefined && given.url === undefined;
      if (!mayDiscover || !isUnreachable(error)) throw error;
      return this.#discover(error);
    }
  }

  /** Takes the first WebSocket of the domain's host-meta that can be reached. */
  async #discover(failed: BrokerError): Promise<Reached> {
    const { secure, insecure } = await discover(this.#parts, failed, this.#signal);
    if (insecure > 0) this.#parts.status.publish('PCJ_PROTOCOLERROR', insecureLinks(insecure));
    const loaded = await loadWebSockets();
    let last: unknown = failed;
    for (const url of secure) {
      try {
        const dialled = await this.#dial([targetOf(url)]);
        // The file came over TLS from the domain, which vouches for what it names (XEP-0156 §2.2).
        return { dialled, websocket: { url, headers: {}, alternative: this.#parts.config.domain, package: loaded } };
      } catch (error) {
        this.#signal.throwIfAborted();
        last = error;
      }
    }
    throw last;
  }

  async #route(given: Place): Promise<Route> {
    const { websocket } = this.#parts.secrets;
    if (given.url !== undefined) return this.#elsewhere(new URL(given.url));
    if (websocket === undefined || websocket === 'discover' || given.host !== undefined) {
      return { targets: await this.#targets(given), websocket: null };
    }
    const route = { ...websocket, alternative: null, package: await loadWebSockets() };
    return { targets: [targetOf(websocket.url)], websocket: route };
  }

  /** A WebSocket that the server named. Headers are for the place that they were given for. */
  async #elsewhere(url: URL): Promise<Route> {
    const { websocket } = this.#parts.secrets;
    const isSame = websocket !== undefined && websocket !== 'discover' && websocket.url.host === url.host;
    const headers = isSame ? websocket.headers : {};
    return {
      targets: [targetOf(url)],
      websocket: { url, headers, alternative: null, package: await loadWebSockets() },
    };
  }

  async #targets(given: Place): Promise<readonly Target[]> {
    const { config } = this.#parts;
    const { connectionType: dialect } = config;
    const { policy } = config.tls;
    const tls = policy === 'direct' ? 'direct' : 'starttls';
    if (given.host !== undefined && unixSocketPath(given.host) !== null) {
      return [{ host: given.host, port: 0, tls, srv: null }];
    }
    const port = given.port ?? (tls === 'direct' ? dialect.directTlsPort : undefined) ?? dialect.defaultPort ?? 0;
    if (given.host !== undefined || this.#parts.connector !== undefined) {
      return [{ host: given.host ?? config.domain, port, tls, srv: null }];
    }
    const services = (dialect.services ?? []).filter((service) => {
      if (policy === 'direct') return service.tls === 'direct';
      return policy !== 'disabled' || service.tls !== 'direct';
    });
    return resolve(config.domain, {
      services: given.port === undefined ? services : [],
      fallbackPort: port,
      fallbackTls: tls,
      signal: this.#signal,
      timeoutMs: config.timeouts.resolve,
    });
  }

  #dial(targets: readonly Target[]): Promise<Dialled> {
    const { config, connector } = this.#parts;
    const options = {
      signal: this.#signal,
      timeoutMs: config.timeouts.connect,
      lookupTimeoutMs: config.timeouts.resolve,
      onConnecting: (to: { host: string; port: number }) => {
        if (this.#connecting) return;
        this.#connecting = true;
        this.#parts.status.publish('PCJ_CONNECTING', { host: to.host, port: portOf(to) });
      },
    };
    return connector === undefined ? dial(targets, options) : dialThrough(connector, targets, options);
  }
}
