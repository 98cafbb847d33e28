import { join } from 'node:path';
import { SERVERS } from '../../../scripts/servers.mjs';
import { Child } from '../harness/child.js';
import { PortBlock } from '../harness/ports.js';
import { eventually, portAnswers } from '../harness/probe.js';
import { Site } from '../harness/site.js';

const STARTS_MS = 30_000;

/** tinyproxy and microsocks on the loopback. Both want the user `proxy` with the password `secret`. */
export class RealProxies implements AsyncDisposable {
  readonly http: string;
  readonly socks: string;
  readonly #block: PortBlock;
  readonly #site: Site;
  readonly #children: Child[] = [];

  private constructor(block: PortBlock, site: Site) {
    this.#block = block;
    this.#site = site;
    const [http, socks] = block.ports;
    this.http = `http://proxy:secret@127.0.0.1:${String(http)}`;
    this.socks = `socks5://proxy:secret@127.0.0.1:${String(socks)}`;
  }

  /** @param port the only one that CONNECT is allowed to */
  static async start(port: number): Promise<RealProxies> {
    const block = await PortBlock.reserve(2);
    const proxies = new RealProxies(block, await Site.create('proxies', [], {}));
    await proxies.#start(port);
    return proxies;
  }

  async #start(port: number): Promise<void> {
    const [http = 0, socks = 0] = this.#block.ports;
    const found = SERVERS.proxies.find();
    if (found === null) throw new Error('the proxies are not installed');
    this.#site.write(
      'tinyproxy.conf',
      `Port ${String(http)}\nListen 127.0.0.1\nBasicAuth proxy secret\nConnectPort ${String(port)}\nTimeout 60\nMaxClients 10\n`,
    );
    const login = ['-u', 'proxy', '-P', 'secret'];
    await this.#run('tinyproxy', found.http, ['-d', '-c', this.#site.path('tinyproxy.conf')]);
    await this.#run('microsocks', found.socks, ['-i', '127.0.0.1', '-p', String(socks), ...login]);
    for (const each of [http, socks]) await eventually('a proxy answers', STARTS_MS, () => portAnswers(each));
  }

  async #run(name: string, command: string, args: readonly string[]): Promise<void> {
    const output = join(this.#site.path('log'), `${name}.log`);
    this.#children.push(await Child.start({ name, command, args, directory: this.#site.directory, output }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#children.map((child) => child.kill()));
    this.#site.remove();
    this.#block.release();
  }
}
