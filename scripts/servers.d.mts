/** Paths of the programs and folders of each. */
export interface ProsodyPaths {
  readonly prosody: string;
  readonly prosodyctl: string;
  /** The folder of a module that comes with the community modules. */
  readonly modules: string;
}
export interface EjabberdPaths {
  readonly erl: string;
  /** The folder `ejabberd-VERSION`, which holds `ebin`. */
  readonly application: string;
}
export interface Jabberd2Paths {
  readonly router: string;
  readonly sm: string;
  readonly c2s: string;
  readonly modules: string;
  /** `sqlite3`, or `python3` in its place. */
  readonly sqlite: string;
}

export interface NatsPaths {
  readonly server: string;
}
export interface SlixmppPaths {
  /** The interpreter that has it. */
  readonly python: string;
  readonly module: string;
}
export interface ProxiesPaths {
  readonly http: string;
  readonly socks: string;
}
export interface ChromiumPaths {
  readonly chromium: string;
}

interface Server<Paths> {
  /** Debian packages that bring it. */
  readonly packages: readonly string[];
  /** Where it is, or null when a part of it is missing. */
  find(): Paths | null;
}

export const SERVERS: {
  readonly prosody: Server<ProsodyPaths>;
  readonly ejabberd: Server<EjabberdPaths>;
  readonly jabberd2: Server<Jabberd2Paths>;
  readonly nats: Server<NatsPaths>;
  readonly slixmpp: Server<SlixmppPaths>;
  readonly proxies: Server<ProxiesPaths>;
  readonly chromium: Server<ChromiumPaths>;
};

export type ServerName = keyof typeof SERVERS;

export function missingServers(): ServerName[];
