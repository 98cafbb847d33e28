// The HTTP side of a console: the page, what it is told, and what it may order.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { BrokerError, usageError } from '../errors.js';
import { reasonOf } from '../arguments/values.js';
import { Feed } from './feed.js';
import { Guard, HEADERS, type Refused } from './guard.js';
import { ORDERS, refusalOf, type Body } from './orders.js';
import { PageFiles } from './page-files.js';
import { PageStream } from './page-stream.js';
import { viewOf } from './view.js';
import type { WatchedBroker } from './watched-broker.js';

/** Pages that may be open at a time. */
const MOST_PAGES = 16;
/** Connections of those pages: browsers open up to six. */
const MOST_CONNECTIONS = 128;
/** Longest body of an order, in bytes. */
const LONGEST_BODY = 4_194_304;
/** Time between two points of the history, in milliseconds. */
const POINT_MS = 1_000;

/** What a console is made of. */
export interface ConsoleParts {
  readonly brokers: readonly WatchedBroker[];
  readonly token: string;
  readonly host: string;
  readonly port: number;
  readonly readOnly: boolean;
  readonly version: string;
  /** Where the files of the page are. */
  readonly page: URL;
}

/** Serves the page of a console. It keeps no process alive. */
export class ConsoleServer {
  readonly #parts: ConsoleParts;
  readonly #guard: Guard;
  readonly #files: PageFiles;
  readonly #server: Server;
  /** What is told to each open page. */
  readonly #feeds = new Map<PageStream, Feed>();
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: ConsoleParts) {
    this.#parts = parts;
    this.#guard = new Guard(parts.token, parts.host);
    this.#files = new PageFiles(parts.page);
    this.#server = createServer({ maxHeaderSize: 16_384 }, (request, response) => {
      // What fails is a file of the page that cannot be read: whoever asks need not have the token, and is told no path.
      this.#answer(request, response).catch(() => {
        if (response.headersSent) response.destroy();
        else refuse(response, NO_PAGE);
      });
    });
    this.#server.maxConnections = MOST_CONNECTIONS;
    this.#server.on('connection', (socket) => socket.unref());
  }

  /** @throws BrokerError `CONSOLE_LISTEN` */
  async listen(): Promise<number> {
    const { host, port, brokers } = this.#parts;
    await new Promise<void>((resolve, reject) => {
      const failed = (cause: unknown): void => reject(cannotListen(host, port, cause));
      this.#server.once('error', failed);
      try {
        this.#server.listen(port, host, resolve);
      } catch (cause) {
        // Newer releases of Node throw for a name that cannot be one.
        failed(cause);
      }
    });
    // What goes wrong with one connection ends that one.
    this.#server.on('error', () => undefined);
    this.#server.unref();
    this.#timer = setInterval(() => {
      for (const broker of brokers) broker.tick();
    }, POINT_MS).unref();
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    for (const [stream, feed] of this.#feeds) {
      feed.close();
      stream.end();
    }
    this.#feeds.clear();
    for (const broker of this.#parts.brokers) broker.close();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      // Behind what was just written; who does not read it shall keep nobody waiting.
      setImmediate(() => this.#server.closeAllConnections());
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    const { headers, method = '' } = request;
    const { pathname, searchParams } = urlOf(request);
    const refused = this.#guard.refuses(headers);
    if (refused !== null) {
      refuse(response, refused);
      return;
    }
    if (!pathname.startsWith('/api/')) return this.#file(method, pathname, response);
    const isOrder = method === 'POST';
    const denied = this.#guard.refusesAccess(headers, isOrder);
    if (denied !== null) {
      refuse(response, denied);
      return;
    }
    const name = pathname.slice('/api/'.length);
    if (name === 'stream' && method === 'GET') {
      this.#stream(searchParams, response);
      return;
    }
    if (!isOrder || !Object.hasOwn(ORDERS, name)) {
      refuse(response, NOT_FOUND);
      return;
    }
    await this.#order(name, request, response);
  }

  async #file(method: string, path: string, response: ServerResponse): Promise<void> {
    const file = method === 'GET' || method === 'HEAD' ? await this.#files.at(path) : null;
    if (file === null) {
      refuse(response, NOT_FOUND);
      return;
    }
    response.writeHead(200, { 'Content-Type': file.type, 'Content-Length': file.content.length });
    response.end(method === 'HEAD' ? undefined : file.content);
  }

  #stream(query: URLSearchParams, response: ServerResponse): void {
    const { brokers, readOnly, version } = this.#parts;
    if (this.#feeds.size >= MOST_PAGES) {
      refuse(response, TOO_MANY);
      return;
    }
    const name = query.get('broker');
    const watched = name === null || name === '' ? brokers[0] : brokers.find((one) => one.name === name);
    if (watched === undefined) {
      refuse(response, NO_BROKER);
      return;
    }
    let view;
    try {
      const { xmlns, limits } = watched.broker.config;
      view = viewOf(query, xmlns, limits.filterVisits);
    } catch (error) {
      reply(response, 400, refusalOf(error));
      return;
    }
    const stream = new PageStream(response);
    const { xmlns } = watched.broker.config;
    stream.send({ kind: 'hello', version, readOnly, broker: watched.name, xmlns, facts: watched.facts });
    const feed = new Feed(watched, brokers, view, stream);
    this.#feeds.set(stream, feed);
    response.on('close', () => {
      feed.close();
      this.#feeds.delete(stream);
    });
  }

  async #order(name: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const order = ORDERS[name];
    if (order === undefined) {
      refuse(response, NOT_FOUND);
      return;
    }
    if (order.changes && this.#parts.readOnly) {
      refuse(response, READ_ONLY);
      return;
    }
    if (Number(request.headers['content-length'] ?? Infinity) > LONGEST_BODY) {
      refuse(response, TOO_LONG);
      return;
    }
    try {
      const body = await bodyOf(request);
      const watched = this.#parts.brokers.find((one) => one.name === body['broker']);
      if (watched === undefined) {
        refuse(response, NO_BROKER);
        return;
      }
      reply(response, 200, await order.run(watched.broker, body));
      if (order.changes) for (const feed of this.#feeds.values()) feed.refresh();
    } catch (error) {
      reply(response, 400, refusalOf(error));
    }
  }
}

const NOT_FOUND: Refused = { status: 404, code: 'not-found', error: 'there is nothing there' };
const NO_PAGE: Refused = { status: 500, code: 'no-page', error: 'the page is missing: npm run build makes it' };
const NO_BROKER: Refused = { status: 404, code: 'no-broker', error: 'the console has no broker of that name' };
const TOO_LONG: Refused = {
  status: 413,
  code: 'too-long',
  error: `an order has at most ${String(LONGEST_BODY)} bytes`,
};
const READ_ONLY: Refused = { status: 403, code: 'read-only', error: 'the console only reads' };
const TOO_MANY: Refused = { status: 503, code: 'too-many', error: `${String(MOST_PAGES)} pages are open already` };

function urlOf({ url = '/' }: IncomingMessage): URL {
  try {
    return new URL(url, 'http://localhost');
  } catch {
    return new URL('http://localhost/nothing');
  }
}

function refuse(response: ServerResponse, { status, code, error }: Refused): void {
  reply(response, status, { code, error, offset: null });
}

function reply(response: ServerResponse, status: number, body: object): void {
  if (response.headersSent || !response.writable) return;
  response.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8' });
  response.end(JSON.stringify(body));
}

/** Its length was looked at. @throws BrokerError `USAGE_CONSOLE` for what is no JSON object */
async function bodyOf(request: IncomingMessage): Promise<Body> {
  const pieces: Buffer[] = [];
  for await (const piece of request as AsyncIterable<Buffer>) pieces.push(piece);
  let body: unknown;
  try {
    body = JSON.parse(Buffer.concat(pieces).toString('utf8'));
  } catch {
    throw usageError('USAGE_CONSOLE', 'the body is no JSON');
  }
  if (typeof body === 'object' && body !== null) return body as Body;
  throw usageError('USAGE_CONSOLE', 'the body must be an object');
}

function cannotListen(host: string, port: number, cause: unknown): BrokerError {
  const text = `the console cannot listen on ${host}, port ${String(port)}: ${reasonOf(cause)}; give another port, or none for any that is free`;
  return new BrokerError('CONSOLE_LISTEN', text, { layer: 'tcp', origin: 'os', cause });
}
