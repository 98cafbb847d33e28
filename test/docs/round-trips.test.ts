import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Broker, XMPP, type FastToken, type TokenStore, type XmppOptions } from 'xmpp-broker';
import { LoopbackServer, type LoopbackConnection } from 'xmpp-broker/testing';
import { ROOT } from './support/markdown.js';

const PAGE = readFileSync(`${ROOT}/docs/reconnecting.md`, 'utf8');

const ACCOUNT = { accounts: { juliet: 'r0m30' } };
/** A full handshake of TLS 1.3: hello, and the server's answer with its certificate. */
const HANDSHAKE = 1;

let servers: Record<'sasl' | 'sasl2', LoopbackServer>;
beforeAll(async () => {
  servers = { sasl: await LoopbackServer.start(ACCOUNT), sasl2: await LoopbackServer.start({ ...ACCOUNT, sasl2: {} }) };
});
afterAll(() => Promise.all(Object.values(servers).map((server) => server.stop({ abrupt: true }))));

/** A way of signing in: the server, the options, and whether it is the second link that counts. */
interface Way {
  readonly server: 'sasl' | 'sasl2';
  readonly options?: XmppOptions;
  readonly resumed?: boolean;
}

function inMemory(): TokenStore {
  let kept: FastToken | null = null;
  return { load: () => kept, save: (_, token) => void (kept = token) };
}

const WAYS: Readonly<Record<string, Way>> = {
  'SASL, new session': { server: 'sasl' },
  'SASL, resumed': { server: 'sasl', resumed: true },
  'SASL2, new session': { server: 'sasl2' },
  'SASL2, resumed': { server: 'sasl2', resumed: true },
  'SASL2 and Bind 2, new session': { server: 'sasl2', options: { bind2: 'on' } },
  'FAST, resumed': { server: 'sasl2', options: { fast: { store: inMemory() } }, resumed: true },
};

/** Counts on a server how often a client waits: it has said something, and goes on when the server has said something. */
class Counter {
  #connection: LoopbackConnection | null = null;
  #asked = false;
  tls = 0;
  behind = 0;

  constructor(server: LoopbackServer) {
    server.subscribe('connection', (connection) => {
      this.#connection = connection;
      this.#asked = false;
      this.tls = 0;
      this.behind = 0;
    });
    server.subscribe('tls', () => {
      this.tls = this.behind + HANDSHAKE;
      this.behind = 0;
    });
    server.subscribe('received', ({ connection }) => {
      if (connection === this.#connection) this.#asked = true;
    });
    server.subscribe('sent', ({ connection }) => {
      if (connection === this.#connection && this.#asked) this.behind += 1;
      this.#asked = false;
    });
  }
}

async function count({ server: name, options = {}, resumed = false }: Way): Promise<string[]> {
  const server = servers[name];
  const counter = new Counter(server);
  await using broker = new Broker({
    connectionType: XMPP.with(options),
    host: server.host,
    port: server.ports.client,
    domain: 'localhost',
    username: 'juliet',
    password: 'r0m30',
    tls: { ca: server.ca },
    reconnect: { resumeDelayMs: 1 },
    logger: false,
  });
  await broker.connect();
  if (resumed) {
    const ready = broker.events.once('PCJ_READY');
    server.cut(broker.jid ?? '');
    expect(await ready).toMatchObject({ resumed: true });
  }
  return [String(counter.tls), String(counter.behind)];
}

describe('docs/reconnecting.md: round trips from TCP to ready', () => {
  const [, table = ''] = /^### Round trips\n[\s\S]*?\n\| --- .*\n((?:\|.*\n)+)/m.exec(PAGE) ?? [];
  const rows = table
    .trim()
    .split('\n')
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );

  it('has a row for each way', () => {
    expect(rows.map(([name]) => name)).toEqual(Object.keys(WAYS));
  });

  it.each(rows.map(([name = '', ...printed]) => [name, printed] as const))('%s', async (name, printed) => {
    const way = WAYS[name];
    if (way === undefined) throw new Error(`nobody knows how to sign in by ${name}`);
    expect(await count(way)).toEqual(printed);
  });
});
