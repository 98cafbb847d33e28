import type { Socket } from 'node:net';
import { reasonOf } from '../arguments/values.js';
import { BrokerError } from '../errors.js';
import { loadWebSockets } from '../stream/web-socket.js';
import { WEBSOCKET_FRAMING } from '../stream/websocket-framing.js';
import { NS } from '../xml/namespaces.js';
import { DEFAULT_LIMITS } from '../xml/tokenizer/limits.js';
import { serveClient } from './client-side.js';
import { serveComponent } from './component-side.js';
import { Connection } from './connection.js';
import { Listener } from './listener.js';
import type { LoopbackPort } from './options.js';
import { PeerStream } from './peer-stream.js';
import { serveRouter } from './router-side.js';
import { hasClients } from './settings.js';
import type { Site } from './site.js';
import { StreamFault, StreamOver } from './stream-fault.js';
import { acceptWebSocket } from './web-socket.js';
import { secure } from './stream-opening.js';

/** What is spoken on a port. */
interface Service {
  readonly contentNamespace: string;
  /** Whether TLS comes before everything else. */
  readonly direct: boolean;
  /** Whether it is on a WebSocket. */
  readonly websocket?: boolean;
  serve(connection: Connection, site: Site): Promise<void>;
}

const client = { contentNamespace: NS.CLIENT, serve: serveClient };
const component = { contentNamespace: NS.COMPONENT_ACCEPT, serve: serveComponent };
const router = { contentNamespace: NS.JABBERD2_COMPONENT, serve: serveRouter };

const SERVICES: Readonly<Record<LoopbackPort, Service>> = {
  client: { ...client, direct: false },
  clientDirectTls: { ...client, direct: true },
  component: { ...component, direct: false },
  componentDirectTls: { ...component, direct: true },
  router: { ...router, direct: false },
  websocket: { ...client, direct: false, websocket: true },
  websocketTls: { ...client, direct: true, websocket: true },
};

/** Opens the ports, and serves what comes in on them. */
export class Reception {
  readonly connections = new Set<Connection>();
  readonly #site: Site;
  readonly #listeners: Listener[] = [];
  readonly #ports = new Map<LoopbackPort, number>();
  readonly #served = new Set<Promise<void>>();
  #count = 0;

  constructor(site: Site) {
    this.#site = site;
  }

  /** The TCP port, once it was opened; it stays the same when it is opened again. */
  port(name: LoopbackPort): number | undefined {
    return this.#ports.get(name);
  }

  /** @throws BrokerError `LOOPBACK_LISTEN`; then none is open */
  async open(): Promise<void> {
    const { host, ports, websocket } = this.#site.settings;
    if (websocket) await loadWebSockets();
    try {
      for (const name of this.#names()) {
        const port = this.#ports.get(name) ?? ports[name] ?? 0;
        const listener = await Listener.open(host, port, (socket) => this.#accept(socket, name));
        this.#listeners.push(listener);
        this.#ports.set(name, listener.port);
      }
    } catch (error) {
      await this.close(true);
      throw error;
    }
  }

  /** Closes the ports and the connections, with a word or without. Resolves when none is left. */
  async close(abrupt: boolean): Promise<void> {
    const closing = this.#listeners.splice(0).map((listener) => listener.close());
    for (const connection of this.connections) {
      if (abrupt) connection.cut();
      else connection.kick('system-shutdown');
    }
    await Promise.all([...closing, ...this.#served]);
  }

  /** Ports of the sides that have users. */
  #names(): LoopbackPort[] {
    const { settings, tls } = this.#site;
    const names: LoopbackPort[] = [];
    if (hasClients(settings)) names.push('client', 'clientDirectTls');
    if (hasClients(settings) && settings.websocket) names.push('websocket', 'websocketTls');
    if (settings.components !== undefined) names.push('component', 'componentDirectTls');
    if (settings.routerUsers !== undefined) names.push('router');
    return names.filter((name) => tls !== null || !SERVICES[name].direct);
  }

  #accept(socket: Socket, side: LoopbackPort): void {
    const site = this.#site;
    const connection: Connection = new Connection(
      ++this.#count,
      side,
      socket,
      new PeerStream(socket, SERVICES[side].contentNamespace, site.settings.limits, {
        received: (element) => site.publish('received', { connection, element }),
        sent: (xml) => site.publish('sent', { connection, xml }),
      }),
    );
    this.connections.add(connection);
    site.publish('connection', connection);
    const served = this.#serve(connection).finally(() => this.#served.delete(served));
    this.#served.add(served);
  }

  /** @throws StreamOver when the peer wanted something else */
  async #acceptWebSocket({ stream, side }: Connection): Promise<void> {
    const { limits, domain, timeouts } = this.#site.settings;
    const port = this.#ports.get(side) ?? 0;
    const terms = {
      maxBytes: limits.stanzaBytes ?? DEFAULT_LIMITS.stanzaBytes,
      closeMs: timeouts.close,
      hostMeta: SERVICES[side].direct ? `wss://${domain}:${String(port)}/xmpp-websocket` : null,
    };
    try {
      const loaded = await loadWebSockets();
      await stream.changeFraming(WEBSOCKET_FRAMING, (socket) => acceptWebSocket(loaded, socket, terms));
    } catch {
      throw new StreamOver('the connection is closed');
    }
  }

  /** One connection, from its first byte until it is closed. Never rejects. */
  async #serve(connection: Connection): Promise<void> {
    const { stream, side } = connection;
    const { negotiation, close } = this.#site.settings.timeouts;
    const timer = setTimeout(() => connection.kick('connection-timeout'), negotiation);
    connection.negotiated = () => clearTimeout(timer);
    let fault: string | null = null;
    try {
      const { direct, websocket = false } = SERVICES[side];
      if (direct) await secure(connection, this.#site, websocket ? 'http/1.1' : 'xmpp-client');
      if (websocket) await this.#acceptWebSocket(connection);
      await SERVICES[side].serve(connection, this.#site);
    } catch (error) {
      if (error instanceof StreamFault) {
        fault = error.condition;
        stream.fail(error);
      } else if (!(error instanceof StreamOver)) {
        fault = 'internal-server-error';
        connection.error = internalError(error);
        stream.fail(new StreamFault(fault));
      }
    }
    clearTimeout(timer);
    await stream.finish(close);
    this.connections.delete(connection);
    this.#site.publish('closed', { connection, fault, error: connection.error ?? stream.closeError });
  }
}

/** A mistake in the server itself. */
function internalError(cause: unknown): BrokerError {
  return new BrokerError('LOOPBACK_INTERNAL', `the loopback server failed: ${reasonOf(cause)}; please report this`, {
    layer: 'stream',
    cause,
  });
}
