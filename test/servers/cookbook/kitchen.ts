import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { get } from 'node:https';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll } from 'vitest';
import { Broker, XMPP, xml, type BrokerOptions, type Element } from 'xmpp-broker';
import { Child } from '../../docs/support/child.js';
import { openProgramFolder } from '../../docs/support/project.js';
import { readPages } from '../../docs/support/markdown.js';
import { RECIPE } from '../../docs/support/programs.js';
import { Prosody, SERVER_NAMES, type ProsodyPort, type TestServer } from '../harness/index.js';

/** The passwords of the accounts at `example.org`. */
const ACCOUNTS: Readonly<Record<string, string>> = {
  juliet: 'r0m30',
  romeo: 'j0l13t',
  sensor1: 'secret',
  sensor200: 'secret',
};

/** What the recipes find at `example.org`. Room and node are there already, so that nothing has to be set up. */
const EXTRA = `
VirtualHost "example.org"
  disco_items = { { "upload.example.org" }, { "rooms.example.org" } }
Component "rooms.example.org" "muc"
  muc_room_locking = false
Component "pubsub.example.org" "pubsub"
  admins = { "romeo@example.org" }
Component "upload.example.org" "http_file_share"
  http_external_url = "https://upload.example.org/"
  http_host = "upload.example.org"
  http_file_share_size_limit = 100000
Component "gateway.example.org"
Component "desk.example.org"
`;

/** The recipes: the programs of the pages in docs/cookbook, by page and number, such as `proxy.md` and `proxy.md 2`. */
export function recipes(): Map<string, string> {
  const cookbook = readPages().filter(({ path }) => path.startsWith('docs/cookbook/'));
  return new Map(
    cookbook.flatMap(({ path, blocks }) =>
      blocks
        .filter(({ notes }) => notes === RECIPE)
        .map(({ text }, i) => [`${path.replace('docs/cookbook/', '')}${i === 0 ? '' : ` ${String(i + 1)}`}`, text]),
    ),
  );
}

/** The server that the cookbook tells of, and a place to run its programs. */
export class Kitchen implements AsyncDisposable {
  readonly server: TestServer<ProsodyPort>;
  readonly #workshop = openProgramFolder();
  readonly #folder: string;
  readonly #brokers: Broker[] = [];
  readonly #detour: Record<string, number>;
  readonly #recipes = recipes();

  private constructor(server: TestServer<ProsodyPort>) {
    this.server = server;
    const { starttls, directTls, component, https } = server.ports;
    this.#detour = { 5222: starttls, 5223: directTls, 5347: component, 443: https };
    this.#folder = mkdtempSync(join(this.#workshop.path, 'place-'));
    writeFileSync(join(this.#folder, 'ca.pem'), server.ca);
  }

  static async open(): Promise<Kitchen> {
    const server = await Prosody.start({
      certificate: { names: [{ dns: 'example.org' }, { dns: '*.example.org' }, ...SERVER_NAMES] },
      users: Object.entries(ACCOUNTS).map(([user, password]) => ({ user, password, domain: 'example.org' })),
      extra: EXTRA,
    });
    return new Kitchen(server);
  }

  /** Starts a recipe, as juliet, or as whatever component it is. */
  start(name: string, env: Readonly<Record<string, string>> = {}, args: readonly string[] = []): Child {
    const source = this.#recipes.get(name);
    if (source === undefined) throw new Error(`there is no recipe ${name}`);
    const program = this.#workshop.add(`${name.replaceAll(/\W/g, '-')}.ts`, source);
    const secrets = { XMPP_PASSWORD: 'r0m30', XMPP_SECRET: 'secret' };
    return new Child(
      this.#workshop,
      program,
      { folder: this.#folder, detour: this.#detour },
      { ...secrets, ...env },
      args,
    );
  }

  /** Puts a file where the recipes run. @returns its path */
  file(name: string, text: string): string {
    writeFileSync(join(this.#folder, name), text);
    return join(this.#folder, name);
  }

  /** A port on which nobody listens. */
  async freePort(): Promise<number> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    return port;
  }

  /** What the server's HTTPS gives for a path of the service for files. */
  async download(path: string): Promise<string> {
    const { https } = this.server.ports;
    const options = { host: '127.0.0.1', port: https, path, ca: this.server.ca, servername: 'upload.example.org' };
    const request = get({ ...options, headers: { host: 'upload.example.org' } });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    return text(response);
  }

  /** Somebody with an account, who is online. */
  async friend(username = 'romeo', resource = 'phone'): Promise<Broker> {
    const port = this.server.ports.starttls;
    const broker = await this.#connected({ connectionType: XMPP, port, username, resource });
    broker.output(xml('presence'));
    return broker;
  }

  async #connected(options: BrokerOptions): Promise<Broker> {
    const broker = new Broker({
      host: this.server.host,
      domain: 'example.org',
      password: ACCOUNTS[options.username ?? ''],
      tls: { ca: this.server.ca },
      logger: false,
      ...options,
    });
    this.#brokers.push(broker);
    await broker.connect();
    return broker;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#brokers.map((broker) => broker[Symbol.asyncDispose]()));
    this.#workshop[Symbol.dispose]();
    await this.server.dispose();
  }
}

/** The kitchen of a describe, and romeo, who is online in it. Both are there in its tests. */
export function useKitchen(): { kitchen: () => Kitchen; romeo: () => Broker } {
  let kitchen: Kitchen;
  let romeo: Broker;
  beforeAll(async () => {
    kitchen = await Kitchen.open();
    romeo = await kitchen.friend();
  });
  afterAll(() => kitchen[Symbol.asyncDispose]());
  return { kitchen: () => kitchen, romeo: () => romeo };
}

/** Resolves with the next stanza that fits. Listen first, then make it happen. */
export function arrives(broker: Broker, fits: (stanza: Element) => boolean): Promise<Element> {
  return new Promise((resolve) => {
    const subscription = broker.subscribe('PCJ_NODERECEIVED', (stanza) => {
      if (!fits(stanza)) return;
      subscription.cancel();
      resolve(stanza);
    });
  });
}
