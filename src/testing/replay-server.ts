import type { JID } from '../jid/jid.js';
import { Connection } from './connection.js';
import type { LoopbackEvents } from './events.js';
import type { LoopbackOptions } from './options.js';
import { Reception } from './reception.js';
import { Replay, type Played, type RecordedSession } from './replay.js';
import { settingsOf } from './settings.js';
import { createSite, type Site } from './site.js';

/** What a {@link ReplayServer} is started with. */
export interface ReplayOptions {
  /** Who may sign in, and how. */
  readonly server: LoopbackOptions;
  /** One for each connection that signs in, in order. */
  readonly sessions: readonly RecordedSession[];
  /** Whether the server takes as long as it took. */
  readonly paced: boolean;
  /** Somebody signed in, and the session of this number is played. */
  readonly onBegin: (index: number, jid: JID) => void;
  /** That session was played, or as much of it as could be. */
  readonly onPlayed: (index: number, played: Played) => void;
  /** That connection is over. */
  readonly onClosed: (index: number) => void;
}

/** A loopback server that does the sign-ins, and behind them says what was recorded, and nothing else. */
export class ReplayServer implements AsyncDisposable {
  readonly #options: ReplayOptions;
  readonly #site: Site;
  readonly #reception: Reception;
  readonly #replays = new Map<unknown, { readonly replay: Replay; readonly index: number }>();
  #next = 0;

  private constructor(options: ReplayOptions) {
    this.#options = options;
    this.#site = createSite(settingsOf({ ...options.server, tls: false }), null, (event, payload) => {
      if (event === 'session') this.#begin(payload as LoopbackEvents['session']);
      else if (event === 'received') this.#received(payload as LoopbackEvents['received']);
      else if (event === 'closed') this.#closed(payload as LoopbackEvents['closed']);
    });
    this.#site.script = { address: () => this.#session?.jid ?? null };
    this.#reception = new Reception(this.#site);
  }

  /** @throws BrokerError `USAGE_LOOPBACK`, `LOOPBACK_LISTEN` */
  static async start(options: ReplayOptions): Promise<ReplayServer> {
    const server = new ReplayServer(options);
    await server.#reception.open();
    return server;
  }

  /** The port that its one side listens on. */
  get port(): number {
    const { client, component, router } = {
      client: this.#reception.port('client'),
      component: this.#reception.port('component'),
      router: this.#reception.port('router'),
    };
    return client ?? component ?? router ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { replay } of this.#replays.values()) replay.end();
    for (const session of this.#site.hub.everySession) session.end(false);
    await this.#reception.close(false);
  }

  /** The session that the next connection gets. */
  get #session(): RecordedSession | undefined {
    return this.#options.sessions[this.#next];
  }

  #begin({ connection, jid }: LoopbackEvents['session']): void {
    const session = this.#session;
    // Further names of a router's link, and connections behind the last session: they hear nothing.
    if (session === undefined || this.#replays.has(connection) || !(connection instanceof Connection)) return;
    const index = this.#next++;
    const replay = new Replay(session, connection, this.#options.paced);
    this.#replays.set(connection, { replay, index });
    this.#options.onBegin(index, jid);
    void replay.run().then((played) => this.#options.onPlayed(index, played));
  }

  #received({ connection, element }: LoopbackEvents['received']): void {
    const playing = this.#replays.get(connection);
    if (playing === undefined) return;
    const isRoute = element.localName === 'route';
    playing.replay.received(isRoute ? (element.firstElementChild ?? element) : element);
  }

  #closed({ connection }: LoopbackEvents['closed']): void {
    const playing = this.#replays.get(connection);
    if (playing === undefined) return;
    playing.replay.end();
    // What was not resumed then is not resumed now: the program has to begin anew.
    if (this.#session?.resumed !== true) {
      for (const session of this.#site.hub.everySession) if (session.connection === null) session.end(false);
    }
    this.#options.onClosed(playing.index);
  }
}
