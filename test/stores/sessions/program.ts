// A client that is killed while numbered messages go both ways: what it has, and what it was promised, is written at once.
import { openSync, writeSync } from 'node:fs';
import { Broker, XMPP, xml } from 'xmpp-broker';
import { sqliteStore } from 'xmpp-broker/queue/sqlite';

/** What the program is told. */
export interface Orders {
  readonly file: string;
  readonly book: string;
  readonly host: string;
  readonly port: number;
  readonly ca: string;
  readonly to: string;
  readonly from: number;
  /** The last life: it ends behind a message of that number. */
  readonly last: boolean;
}

const { file, book, host, port, ca, to, from, last } = JSON.parse(process.argv[2] ?? '') as Orders;

const pages = openSync(book, 'a');
const say = (text: string): void => void writeSync(pages, `${text}\n`);
const nobody = (): void => undefined;

const broker = new Broker({
  connectionType: XMPP,
  domain: 'localhost',
  username: 'bob',
  resource: 'bot',
  password: 'secret',
  host,
  port,
  tls: { ca },
  logger: false,
  reconnect: { initial: true, firstDelayMs: 50, maxDelayMs: 200, maxAttempts: 500 },
  queue: {
    // Many lives may end before anything is sent.
    maxStanzas: 1_000_000,
    store: sqliteStore({ file, sync: 'normal' }),
    onReady: (ticket) => {
      say(`again ${ticket.node.getAttribute('id') ?? ''} ${ticket.possibleDuplicate ? 'flagged' : 'fresh'}`);
      return 'send';
    },
  },
});

let end = nobody;
const ended = new Promise<void>((resolve) => (end = resolve));

broker.subscribe('PCJ_READY', ({ resumed }) => {
  say(`ready ${resumed ? 'resumed' : 'new'}`);
  if (!resumed) broker.output(xml('presence'));
  console.log('ready');
});
for (const event of ['PCJ_SM_FAILED', 'PCJ_SOCKETFAIL', 'PCJ_PROTOCOLERROR'] as const) {
  broker.subscribe(event, ({ code, message: text }) => say(`link ${event} ${code} ${text}`));
}
broker.subscribe('PCJ_NODERECEIVED', (node) => {
  if (node.localName !== 'message') return;
  const id = node.getAttribute('id') ?? '';
  say(node.getAttribute('type') === 'error' ? `bounced ${id}` : `in ${id}`);
  if (id === 'end') end();
});
for (const event of ['PCJ_STOREFAIL', 'PCJ_DEADLETTER', 'PCJ_QUEUEFAIL', 'PCJ_HANDLERERROR'] as const) {
  broker.subscribe(event, (fault) => say(`fault ${event} ${JSON.stringify(fault)}`));
}

// Kept out of the archive: Prosody takes longer for each the more there are.
const hint = xml('no-permanent-store', { xmlns: 'urn:xmpp:hints' });
const message = (id: string) => xml('message', { to, type: 'chat', id }, xml('body', {}, `number ${id}`), hint);

await broker.connect();
let number = from;
while (!last) {
  for (let i = number % 7; i >= 0; i -= 1) {
    const id = String(number++);
    say(`out ${id}`);
    broker.output(message(id)).stored.then(() => say(`stored ${id}`), nobody);
  }
  await new Promise((resolve) => setTimeout(resolve, number % 4));
}
await Promise.all([broker.output(message('end')).acked, ended]);
await broker.shutdown();
