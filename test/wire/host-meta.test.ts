import { createServer, type Server } from 'node:https';
import type { RequestListener } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Broker, XMPP, xml, type BrokerOptions, type Connector } from 'xmpp-broker';
import { LoopbackServer } from 'xmpp-broker/testing';
import { TestAuthority } from '../support/certificates.js';
import { trace } from '../support/trace.js';
import { failure } from './support/index.js';

const REL = 'urn:xmpp:alt-connections:websocket';

let server: LoopbackServer;
let authority: TestAuthority;
let site: Server;
let answer: RequestListener;
const asked: string[] = [];
const brokers: Broker[] = [];

beforeAll(async () => {
  server = await LoopbackServer.start({ accounts: { juliet: 'r0m30', romeo: 'j0l13t' }, websocket: true });
  authority = await TestAuthority.create();
  site = createServer({ ...(await authority.issue()) }, (request, response) => {
    asked.push(`${request.headers.host ?? ''}${request.url ?? ''}`);
    response.setHeader('Connection', 'close');
    answer(request, response);
  });
  site.listen(0, '127.0.0.1');
  await new Promise((resolve) => site.once('listening', resolve));
});
afterEach(() => {
  for (const broker of brokers.splice(0)) broker.halt();
  asked.length = 0;
});
afterAll(async () => {
  site.close();
  await server.stop();
});

/** Where each port leads; a port that is not there is one that nobody listens on. */
type Ways = Readonly<Record<number, () => number>>;

function client(ways: Ways, options: Partial<BrokerOptions> = {}) {
  const dialled: string[] = [];
  const connector: Connector = ({ host, port }, { signal }) => {
    dialled.push(`${host}:${String(port)}`);
    const way = ways[port]?.();
    if (way === undefined) throw new Error('nobody listens there');
    return connect({ port: way, host: '127.0.0.1', signal });
  };
  const broker = new Broker({
    connectionType: XMPP,
    domain: 'localhost',
    username: 'juliet',
    password: 'r0m30',
    websocket: 'discover',
    connector,
    tls: { ca: [server.ca, authority.ca] },
    reconnect: false,
    logger: false,
    ...options,
  });
  brokers.push(broker);
  return { broker, recorded: trace(broker), dialled };
}

/** What host-meta may lead to: the loopback server, which a client may find at this port. */
const WSS = 7443;
const URL_OF = `wss://localhost:${String(WSS)}/xmpp-websocket`;
const ways = (more: Ways = {}): Ways => ({
  443: () => (site.address() as AddressInfo).port,
  [WSS]: () => server.ports.websocketTls,
  ...more,
});

const json = (...links: unknown[]) => JSON.stringify({ links });
const xrd = (...hrefs: string[]) =>
  `<?xml version='1.0' encoding='utf-8'?>\n<XRD xmlns='http://docs.oasis-open.org/ns/xri/xrd-1.0'>` +
  `<Link rel='lrdd' href='https://x/'/>${hrefs.map((href) => `<Link rel='${REL}' href='${href}'/>`).join('')}</XRD>`;

/** Serves files by their ending. */
const files =
  (json: string | null, xrd: string | null = null): RequestListener =>
  ({ url = '' }, response) => {
    const file = url.endsWith('.json') ? json : xrd;
    if (file === null) response.writeHead(404);
    response.end(file ?? '');
  };

describe('modern 6: host-meta (XEP-0156)', () => {
  it('is read only where nothing else can be reached', async () => {
    answer = files(json({ rel: REL, href: URL_OF }));
    const { broker, recorded, dialled } = client(ways({ 5222: () => server.ports.client }));
    await broker.connect();
    expect(dialled).toEqual(['localhost:5222']);
    expect(asked).toEqual([]);
    expect(recorded.short).toContain('NODESENT(starttls)');
  });

  it.each([
    ['JSON', files(json({ rel: 'lrdd', href: 'https://x/' }, { rel: REL, href: URL_OF })), 1],
    ['XRD', files(null, xrd(URL_OF)), 2],
    ['JSON of something else, and XRD', files('{"subject":"acct:x"}', xrd(URL_OF)), 2],
    ['garbage, and XRD', files('<html>', xrd(URL_OF)), 2],
  ] as const)('names a WebSocket in %s', async (_, file, requests) => {
    answer = file;
    const { broker, recorded, dialled } = client(ways());
    await broker.connect();
    expect(recorded.short.slice(0, 6)).toEqual(['CONNECT', 'CONNECTING', 'CONNECTED', 'SSLNEGOTIATE', 'SSLSUCCESS', 'STREAMSTART']); // prettier-ignore
    expect(recorded.last('PCJ_STREAMSTART')).toHaveProperty('localName', 'open');
    expect(dialled.at(-1)).toBe(`localhost:${String(WSS)}`);
    expect(asked).toHaveLength(requests);
    expect(asked[0]).toBe('localhost/.well-known/host-meta.json');
  });

  it('modern 5.11: a session that began over TCP goes on over WebSocket, and back', async () => {
    answer = files(json({ rel: REL, href: URL_OF }));
    let tcp = true;
    const options = { reconnect: { resumeDelayMs: 1 }, resource: 'balcony' };
    const { broker, recorded } = client(
      ways({ 5222: () => (tcp ? server.ports.client : 1) }), // nobody listens on port 1
      options,
    );
    const { broker: romeo } = client(ways({ 5222: () => server.ports.client }), {
      username: 'romeo',
      password: 'j0l13t',
    });
    await Promise.all([broker.connect(), romeo.connect()]);
    for (const next of [false, true, false]) {
      tcp = next;
      const ready = broker.events.once('PCJ_READY');
      server.cut('juliet@localhost/balcony');
      await broker.events.once('PCJ_SOCKETDISCONNECT');
      const arrived = broker.events.once('PCJ_NODERECEIVED');
      const ticket = broker.output(xml('message', { to: romeo.jid?.toString(), id: 'held' }));
      romeo.output(xml('message', { to: 'juliet@localhost/balcony', id: String(next) }));
      expect(await ready).toMatchObject({ resumed: true });
      expect((await arrived).getAttribute('id')).toBe(String(next));
      expect(recorded.last('PCJ_STREAMSTART')).toHaveProperty('localName', next ? 'stream' : 'open');
      broker.queue.drop((held) => held === ticket);
    }
    expect(recorded.short).not.toContain('SM_FAILED');
  });

  it('the certificate of a link may name the domain in place of its host', async () => {
    const href = `wss://elsewhere.example:${String(WSS)}/`;
    answer = files(json({ rel: REL, href }));
    const { broker, recorded, dialled } = client(ways());
    await broker.connect();
    expect(dialled.at(-1)).toBe(`elsewhere.example:${String(WSS)}`);
    expect(recorded.last('PCJ_SSLSUCCESS')).toMatchObject({ verified: true, verifiedBy: 'DNS:localhost' });
  });

  it('the certificate of the file has to be for the domain', async () => {
    answer = files(json({ rel: REL, href: URL_OF }));
    const { broker } = client(ways(), { domain: 'other.example' });
    const error = await failure(broker.connect());
    expect(error.code).toBe('RESOLVE_HOST_META');
    expect(error.message).toContain('not for other.example');
    expect(asked).toEqual([]);
  });

  it('links without TLS are dropped with a warning, and are not enough alone', async () => {
    answer = files(json({ rel: REL, href: 'ws://localhost/' }, { rel: REL, href: URL_OF }));
    const first = client(ways());
    await first.broker.connect();
    expect(first.recorded.last('PCJ_PROTOCOLERROR')).toMatchObject({ code: 'RESOLVE_HOST_META' });
    answer = files(json({ rel: REL, href: 'ws://localhost/' }));
    const second = client(ways());
    expect((await failure(second.broker.connect())).message).toContain('without TLS only');
  });

  it('at most four links are tried, in random order, until one can be reached', async () => {
    answer = files(json(...Array.from({ length: 50 }, (_, i) => ({ rel: REL, href: `wss://h${String(i)}.example/` }))));
    const { broker, dialled } = client(ways({ 443: () => (site.address() as AddressInfo).port }));
    // Every link is at the port of the file, whose server is no XMPP server: dialling succeeds at the first one.
    await failure(broker.connect());
    expect(dialled.filter((to) => to.startsWith('h'))).toHaveLength(1);
    answer = files(
      json(...Array.from({ length: 50 }, (_, i) => ({ rel: REL, href: `wss://h${String(i)}.example:9/` }))),
    );
    const other = client(ways());
    await failure(other.broker.connect());
    expect(new Set(other.dialled.filter((to) => to.startsWith('h'))).size).toBe(4);
  });

  const nothing: [string, RequestListener, RegExp][] = [
    ['that is not there', files(null), /host-meta\.json: the answer is 404; .*host-meta: the answer is 404/],
    ['of something else', files('{"links":[{"rel":"x"},null,7,{"rel":"' + REL + '","href":9}]}', '<XRD/>'), /names none/], // prettier-ignore
    ['with a document type', files(null, `<!DOCTYPE XRD>${xrd(URL_OF)}`), /host-meta: /],
    ['with credentials in its link', files(json({ rel: REL, href: 'wss://a:b@localhost/' })), /names none/],
    ['without end', (_request, response) => { const write = () => { while (!response.destroyed && response.write('x'.repeat(16_384))); response.once('drain', write); }; write(); }, /more than 65536 bytes/], // prettier-ignore
    ['that leads out of TLS', (_request, response) => response.writeHead(302, { Location: 'http://localhost/' }).end(), /out of TLS/], // prettier-ignore
    ['that leads in a circle', ({ url = '' }, response) => response.writeHead(301, { Location: url }).end(), /leads on and on/], // prettier-ignore
    ['that leads nowhere', (_request, response) => response.writeHead(302).end(), /the answer is 302/],
    ['that breaks off', (_request, response) => { response.writeHead(200, { 'Content-Length': '99' }); response.write('{'); response.destroy(); }, /host-meta\.json: /], // prettier-ignore
  ];

  it.each(nothing)('a file %s is nothing found, and all reasons are told', async (_, file, said) => {
    answer = file;
    const { broker, recorded } = client(ways());
    const error = await failure(broker.connect());
    expect(error).toMatchObject({ code: 'RESOLVE_HOST_META', layer: 'dns', retryable: true, phase: 'connect' });
    expect(error.message).toMatch(/could not connect to the server; tried localhost:5222: .*nobody listens there/);
    expect(error.message).toMatch(said);
    expect((error.cause as AggregateError).errors).toHaveLength(2);
    expect(recorded.short).toEqual(['CONNECT', 'CONNECTING', 'CONNECTFAIL']);
  });

  it('redirects are followed inside TLS, also to another host', async () => {
    answer = ({ headers, url }, response) => {
      if (headers.host === 'localhost')
        response.writeHead(307, { Location: `https://meta.broker.test${url ?? ''}` }).end();
      else response.end(json({ rel: REL, href: URL_OF }));
    };
    const { broker } = client(ways());
    await broker.connect();
    expect(asked).toEqual(['localhost/.well-known/host-meta.json', 'meta.broker.test/.well-known/host-meta.json']);
  });

  it('an answer that never comes is waited for timeouts.resolve', async () => {
    answer = () => undefined;
    const { broker } = client(ways(), { timeouts: { resolve: 150 } });
    const error = await failure(broker.connect());
    expect(error).toMatchObject({ code: 'RESOLVE_HOST_META' });
    expect(error.message).toContain('no answer within 150 ms');
  });

  it('an abort ends it', async () => {
    const { broker } = client(ways());
    answer = () => void broker.shutdown();
    expect(await failure(broker.connect())).toMatchObject({ code: 'CONNECT_ABORTED' });
  });
});
