// Forwards alerts to a chat, each at least once: what was answered with 202 arrives, also when this program or the machine
// dies in between. On Node 20, `npm install better-sqlite3@12` first.
//
//   XMPP_DOMAIN=example.org XMPP_USER=juliet XMPP_PASSWORD=secret XMPP_TO=romeo@example.org node forwarder.js
//   curl --data 'the disk is full' -H 'idempotency-key: disk-1' http://127.0.0.1:8080/
//
// XMPP_HOST and XMPP_PORT say where to connect, if not to where the domain's DNS records lead.
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Broker, BrokerError, XMPP, xml } from 'xmpp-broker';
import { sqliteStore } from 'xmpp-broker/queue/sqlite';

const {
  XMPP_HOST: host,
  XMPP_PORT: port,
  XMPP_PASSWORD: password = 'secret',
  XMPP_TO: to = 'romeo@example.org',
} = process.env;
const MOST_CHARACTERS = 10_000;

const broker = new Broker({
  connectionType: XMPP,
  domain: process.env['XMPP_DOMAIN'] ?? 'example.org',
  ...(host === undefined ? {} : { host, port: Number(port ?? 5222) }),
  username: process.env['XMPP_USER'] ?? 'juliet',
  password: () => password,
  reconnect: { initial: true, firstDelayMs: 1_000, maxDelayMs: 60_000 },
  queue: {
    store: sqliteStore({ file: process.env['QUEUE_FILE'] ?? 'alerts.db' }),
    // What was held, and what may have arrived already: an alert twice is better than none.
    onReady: 'send',
  },
});

/** The text of an alert, or null when it is too long. */
async function textOf(request: IncomingMessage): Promise<string | null> {
  let text = '';
  request.setEncoding('utf8');
  for await (const piece of request) {
    text += piece as string;
    if (text.length > MOST_CHARACTERS) return null;
  }
  return text;
}

/** Takes an alert. What it resolves with is the status of the answer. */
async function take(request: IncomingMessage): Promise<number> {
  if (request.method !== 'POST') return 405;
  const text = await textOf(request);
  if (text === null || text === '') return text === null ? 413 : 400;
  // Who gets no answer asks again with the same key. While the first one is here, that is the same alert.
  const { 'idempotency-key': given } = request.headers;
  const key = typeof given === 'string' ? given : randomUUID();
  try {
    const ticket = broker.output(xml('message', { to, type: 'chat', id: key }, xml('body', {}, text)), { key });
    await ticket.stored;
    return 202;
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    console.error(`not taken: ${error.message}`);
    // A bad key or text stays bad; a full queue or disk does not.
    return error.layer === 'queue' ? 503 : 400;
  }
}

const server = createServer((request, response) => {
  take(request).then(
    (status) => response.writeHead(status).end(),
    () => response.writeHead(500).end(),
  );
});

broker.subscribe('PCJ_READY', ({ jid, resumed }) => {
  console.log(`${resumed ? 'resumed' : 'ready'} as ${jid.toString()}`);
});
broker.subscribe('PCJ_RECONNECTING', ({ delayMs, error }) => {
  console.log(`lost (${error.code}), trying again in ${delayMs} ms`);
});
broker.subscribe('PCJ_DEADLETTER', ({ key, error }) => console.error(`alert ${key} was given up: ${error.message}`));

// No more alerts are taken then; those that were go out now, or with the next process.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => server.close());
broker.shutdownOn('SIGTERM', 'SIGINT');

try {
  // A file that cannot be used is told before the first alert is taken.
  const { held } = await broker.openQueue();
  if (held > 0) console.log(`${held} alerts of earlier`);
  server.listen(Number(process.env['PORT'] ?? 8080), '127.0.0.1');
  await once(server, 'listening');
  console.log(`listening on port ${(server.address() as AddressInfo).port}`);
  // Alerts are taken from here on. They wait for the server.
  await broker.connect();
  await broker.closed;
  console.log('closed');
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  server.close();
  process.exitCode = 1;
}
