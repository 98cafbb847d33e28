// WebSockets that a domain names in its host-meta: XEP-0156, RFC 6415.
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import type { Duplex } from 'node:stream';
import { BrokerError, printable } from '../errors.js';
import type { Element } from '../xml/element.js';
import { parse } from '../xml/tokenizer/parse.js';

/** How a host is reached: by a connection that is inside TLS, with a certificate that names it. */
export type SecureConnector = (host: string, port: number) => Promise<Duplex>;

/** What is there. */
export interface HostMeta {
  /** WebSockets inside TLS, in no order. */
  readonly secure: readonly URL[];
  /** How many there were that are not protected. */
  readonly insecure: number;
}

const REL = 'urn:xmpp:alt-connections:websocket';
const XRD = 'http://docs.oasis-open.org/ns/xri/xrd-1.0';
const MOST_BYTES = 64 * 1024;
const MOST_REDIRECTS = 5;

/** The two forms of the file (XEP-0156 §3), the simple one first. */
const FORMS: readonly { readonly path: string; readonly links: (text: string) => unknown[] }[] = [
  { path: '/.well-known/host-meta.json', links: linksOfJson },
  { path: '/.well-known/host-meta', links: linksOfXrd },
];

/**
 * Reads what a domain names. Files that belong to something else are like none.
 * @throws BrokerError `RESOLVE_HOST_META` with the reasons
 */
export async function readHostMeta(domain: string, connect: SecureConnector, signal: AbortSignal): Promise<HostMeta> {
  const reasons: string[] = [];
  for (const { path, links } of FORMS) {
    try {
      const found = webSocketsOf(links(await read(new URL(`https://${domain}${path}`), connect, signal)));
      if (found.secure.length > 0 || found.insecure > 0) return found;
      reasons.push(`${path} names none`);
    } catch (error) {
      signal.throwIfAborted();
      reasons.push(`${path}: ${error instanceof Error ? printable(error.message, 200) : 'it cannot be read'}`);
    }
  }
  throw new BrokerError('RESOLVE_HOST_META', `the host-meta of ${domain} names no WebSocket: ${reasons.join('; ')}`, {
    layer: 'dns',
    phase: 'connect',
    origin: 'peer',
    retryable: true,
  });
}

function webSocketsOf(links: readonly unknown[]): HostMeta {
  const hrefs = links.flatMap((link) => {
    const { rel, href } = (link ?? {}) as Record<string, unknown>;
    return rel === REL && typeof href === 'string' && URL.canParse(href) ? [new URL(href)] : [];
  });
  const usable = hrefs.filter(({ username, password, hash }) => username === '' && password === '' && hash === '');
  const secure = usable.filter(({ protocol }) => protocol === 'wss:');
  return { secure, insecure: usable.filter(({ protocol }) => protocol === 'ws:').length };
}

function linksOfJson(text: string): unknown[] {
  const { links } = (JSON.parse(text) ?? {}) as { links?: unknown };
  return Array.isArray(links) ? links : [];
}

/** A declaration may be in front; whatever else is no element is refused by the parser. */
function linksOfXrd(text: string): unknown[] {
  const root: Element = parse(text.replace(/^\ufeff?<\?xml [^>]*\?>/, ''));
  if (!root.is('XRD', XRD)) return [];
  return root.children
    .filter((child) => child.is('Link', XRD))
    .map((link) => ({ rel: link.getAttribute('rel'), href: link.getAttribute('href') }));
}

/** Gets a file over HTTPS. Redirects are followed to other hosts, too, but never out of TLS. */
async function read(url: URL, connect: SecureConnector, signal: AbortSignal, redirects = 0): Promise<string> {
  const response = await get(url, connect, signal);
  const { statusCode = 0, headers } = response;
  if (statusCode === 200) return body(response);
  response.destroy();
  const { location } = headers;
  if (statusCode < 300 || statusCode >= 400 || location === undefined || !URL.canParse(location, url.href)) {
    throw new Error(`the answer is ${String(statusCode)}`);
  }
  const target = new URL(location, url.href);
  if (target.protocol !== 'https:') throw new Error('it leads out of TLS');
  if (redirects === MOST_REDIRECTS) throw new Error('it leads on and on');
  return read(target, connect, signal, redirects + 1);
}

async function get(url: URL, connect: SecureConnector, signal: AbortSignal): Promise<IncomingMessage> {
  const connection = await connect(url.hostname, url.port === '' ? 443 : Number(url.port));
  return new Promise((resolve, reject) => {
    const headers = { Connection: 'close' };
    // Without an agent the default port is that of HTTP.
    const asked = request(url, { createConnection: () => connection, defaultPort: 443, signal, headers });
    asked.on('response', resolve).on('error', (error) => {
      connection.destroy();
      reject(error);
    });
    asked.end();
    // HTTP does not set a connection flowing that was paused.
    connection.resume();
  });
}

function body(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  return new Promise((resolve, reject) => {
    response
      .on('data', (chunk: Buffer) => {
        length += chunk.length;
        if (length > MOST_BYTES) response.destroy(new Error(`it has more than ${String(MOST_BYTES)} bytes`));
        else chunks.push(chunk);
      })
      .on('end', () => {
        resolve(Buffer.concat(chunks).toString('utf8'));
      })
      .on('error', reject)
      .on('close', () => {
        reject(new Error('the connection was closed'));
      });
  });
}
