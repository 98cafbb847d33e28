import type { CertificateOptions, Identity } from './certificates.js';
import { Child, type Program } from './child.js';
import { eventually } from './probe.js';
import { Site, type SiteCertificate } from './site.js';
import type { ServerName } from '../../../scripts/servers.mjs';

/** Longest start of a server on a busy machine, in milliseconds. */
const START_TIMEOUT_MS = 60_000;

export interface User {
  readonly user: string;
  readonly password: string;
  readonly domain: string;
}

/** Options of every server. */
export interface CommonOptions {
  /** Default alice and bob, password `secret`, at `localhost` and at `broker.test`. */
  readonly users?: readonly User[];
  /** What is special about the server's certificate. Default: a good one for SERVER_NAMES. */
  readonly certificate?: SiteCertificate;
}

export const DEFAULT_USERS: readonly User[] = ['localhost', 'broker.test'].flatMap((domain) =>
  ['alice', 'bob'].map((user) => ({ user, password: 'secret', domain })),
);

/** What differs between the servers. Everything here is given the site of one private instance. */
export interface Blueprint<Port extends string> {
  readonly name: ServerName;
  readonly ports: readonly Port[];
  /** How long an orderly stop may take before the program is killed, in milliseconds. */
  readonly stopGraceMs: number;
  /** Writes configuration and data. Runs once, before the first start. */
  prepare(site: Site<Port>): void | Promise<void>;
  /** Programs in the order they start; the next one starts when `ready` of the one before resolves. */
  programs(site: Site<Port>): readonly (Omit<Program, 'directory' | 'output'> & {
    ready(attempt: Attempt): Promise<void>;
  })[];
  /** After the very first start. */
  populate?(site: Site<Port>): Promise<void>;
  addUser(site: Site<Port>, user: User): Promise<void>;
  /** Ends a client's connection from the server's side. Absent where the server has no means. */
  kick?(site: Site<Port>, jid: { user: string; domain: string; resource: string }): Promise<void>;
  /** Whatever a start left open on purpose. */
  cleanUp?(): void;
}

/** Repeats until it works, the program dies or the start takes too long. */
export type Attempt = <T>(what: string, attempt: () => Promise<T>) => Promise<T>;

/**
 * A private instance of a real server: loopback only, its own directory, ports and certificates. It never outlives
 * the test process. Use `await using`, or call {@link dispose} in a hook.
 */
export class TestServer<Port extends string = string> implements AsyncDisposable {
  readonly host = '127.0.0.1';
  /** Everything allowed: also without TLS. */
  readonly domain = 'localhost';
  private children: Child[] = [];

  private constructor(
    private readonly blueprint: Blueprint<string>,
    private readonly site: Site,
    /** Loopback ports by purpose. They stay the same over a restart. */
    readonly ports: Readonly<Record<Port, number>>,
  ) {}

  static async start<Port extends string>(
    blueprint: Blueprint<Port>,
    options: CommonOptions,
  ): Promise<TestServer<Port>> {
    const site = await Site.create(blueprint.name, blueprint.ports, options.certificate ?? {});
    const server = new TestServer<Port>(blueprint, site, site.ports);
    try {
      await blueprint.prepare(site);
      await server.start();
      await blueprint.populate?.(site);
      return server;
    } catch (error) {
      await server.dispose();
      throw error;
    }
  }

  get name(): ServerName {
    return this.blueprint.name;
  }

  /** PEM of the authority that signed the server's certificate. */
  get ca(): string {
    return this.site.ca;
  }

  /** A certificate for a client, signed by the same authority. */
  async certify(certificate: CertificateOptions): Promise<Identity> {
    if (this.site.authority === null) throw new Error('nobody signed the certificate of this server');
    return await this.site.authority.issue(certificate);
  }

  get directory(): string {
    return this.site.directory;
  }

  get running(): boolean {
    return this.children.length > 0 && this.children.every((child) => child.running);
  }

  /** Process ids by program name. */
  get pids(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.children.map((child) => [child.name, child.pid]));
  }

  /** Starts it after {@link stop} or {@link kill}: same directory, same ports. Resolves when it serves. */
  async start(): Promise<void> {
    if (this.children.some((child) => child.running)) throw new Error(`${this.name} is running already`);
    this.children = [];
    try {
      for (const program of this.blueprint.programs(this.site)) {
        const output = this.site.path('log', `${program.name}.log`);
        this.children.push(await Child.start({ ...program, directory: this.site.directory, output }));
        await program.ready((what, attempt) => eventually(what, START_TIMEOUT_MS, attempt, () => this.checkAlive()));
      }
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const log = this.logTail();
      await this.kill();
      throw new Error(`${this.name} did not start: ${reason}\n${log}`, { cause: error });
    }
  }

  /** An orderly stop. Directory and ports are kept. */
  async stop(): Promise<void> {
    await Promise.all(this.children.map((child) => child.idle()));
    for (const child of this.children.toReversed()) await child.stop(this.blueprint.stopGraceMs);
    this.blueprint.cleanUp?.();
  }

  /** SIGKILL, as a crash would do it. Directory and ports are kept. */
  async kill(): Promise<void> {
    await Promise.all(this.children.map((child) => child.kill()));
    this.blueprint.cleanUp?.();
  }

  /** Stops it, in order unless it is down already, and starts it again. */
  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** Stops the processes where they stand: TCP is there, nobody answers. */
  freeze(): void {
    for (const child of this.children) child.freeze(true);
  }

  thaw(): void {
    for (const child of this.children) child.freeze(false);
  }

  async addUser(user: string, password: string, domain = 'localhost'): Promise<void> {
    await this.blueprint.addUser(this.site, { user, password, domain });
  }

  /** Ends a client's connection from the server's side. jabberd2 has no means for it and rejects. */
  async kick(jid: string): Promise<void> {
    const [, user = '', domain = '', resource = ''] = /^([^@]+)@([^/]+)(?:\/(.*))?$/.exec(jid) ?? [];
    if (user === '') throw new Error(`kick wants user@domain/resource, not "${jid}"`);
    if (this.blueprint.kick === undefined) throw new Error(`${this.name} offers no way to kick a client`);
    await this.blueprint.kick(this.site, { user, domain, resource });
  }

  /** The last lines of every log, for a failed test's message. */
  logTail(lines = 40): string {
    return this.site.logTail(lines);
  }

  /** Kills it and deletes its directory. */
  async dispose(): Promise<void> {
    await this.kill();
    this.site.remove();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }

  private checkAlive(): void {
    const dead = this.children.find((child) => !child.running);
    if (dead !== undefined) throw new Error(`${dead.name} ${dead.outcome}`);
  }
}
