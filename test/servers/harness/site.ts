import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type CertificateOptions, selfSigned, TestAuthority } from './certificates.js';
import { serverAccount } from './account.js';
import { PortBlock } from './ports.js';

const sites = new Set<Site>();
process.on('exit', () => {
  for (const site of sites) site.remove();
});

/** A server's certificate; with `selfSigned` nobody but itself vouches for it, and it is the `ca` of the site. */
export interface SiteCertificate extends CertificateOptions {
  readonly selfSigned?: boolean;
}

/** What one private server owns: a directory below the temporary folder, loopback ports, a certificate. */
export class Site<Port extends string = string> {
  private readonly account = serverAccount();

  private constructor(
    readonly directory: string,
    readonly ports: Readonly<Record<Port, number>>,
    private readonly block: PortBlock,
    /** PEM of the authority that signed the server's certificate. */
    readonly ca: string,
    /** That authority; null when nobody signed it. */
    readonly authority: TestAuthority | null,
  ) {
    this.give(directory);
    sites.add(this);
  }

  static async create<Port extends string>(
    name: string,
    portNames: readonly Port[],
    certificate: SiteCertificate,
  ): Promise<Site<Port>> {
    const authority = certificate.selfSigned === true ? null : await TestAuthority.create();
    const identity = await (authority?.issue(certificate) ?? selfSigned(certificate));
    const ca = authority?.ca ?? identity.cert;
    const block = await PortBlock.reserve(portNames.length);
    const ports = Object.fromEntries(portNames.map((port, i) => [port, block.ports[i]])) as Record<Port, number>;
    const directory = mkdtempSync(join(tmpdir(), `xmpp-broker-${name}-`));
    const site = new Site(directory, ports, block, ca, authority);
    site.write('tls/ca.pem', ca);
    site.write('tls/server.crt', identity.cert);
    site.write('tls/server.key', identity.key);
    site.write('tls/server.pem', identity.cert + identity.key + (authority?.ca ?? '')); // jabberd2 and ejabberd: all in one
    site.folder('log');
    return site;
  }

  path(...names: readonly string[]): string {
    return join(this.directory, ...names);
  }

  folder(name: string): void {
    const path = this.path(name);
    if (dirname(name) !== '.') this.folder(dirname(name));
    mkdirSync(path, { recursive: true, mode: 0o700 });
    this.give(path);
  }

  write(name: string, text: string): void {
    if (dirname(name) !== '.') this.folder(dirname(name));
    writeFileSync(this.path(name), text, { mode: 0o600 });
    this.give(this.path(name));
  }

  /** The last lines of every log. */
  logTail(lines: number): string {
    return readdirSync(this.path('log'))
      .sort()
      .map((name) => {
        const text = readFileSync(this.path('log', name), 'utf8').trimEnd().split('\n');
        return `--- ${name}\n${text.slice(-lines).join('\n')}`;
      })
      .join('\n');
  }

  /** Deletes the directory, unless XMPP_BROKER_KEEP_SERVERS=1, and gives the ports back. */
  remove(): void {
    sites.delete(this);
    this.block.release();
    if (process.env['XMPP_BROKER_KEEP_SERVERS'] !== '1') rmSync(this.directory, { recursive: true, force: true });
  }

  private give(path: string): void {
    if (path === this.directory) chmodSync(path, 0o700);
    if (this.account !== null) chownSync(path, this.account.uid, this.account.gid);
  }
}
