// The program that is killed: it sends numbered messages through a queue in a file and says what it was promised. What it
// says is written at once, so it counts although the process dies right behind it.
import { openSync, writeSync } from 'node:fs';
import { Broker, COMPONENT, XMPP, xml, type OpenStore, type QueueStore, type Ticket } from 'xmpp-broker';
import { sqliteStore } from 'xmpp-broker/queue/sqlite';
import type { Orders, Step } from './orders.js';

const orders = JSON.parse(process.argv[2] ?? '') as Orders;
const { death, managed } = orders;

const book = openSync(orders.book, 'a');
const say = (text: string): void => void writeSync(book, `${text}\n`);
const die = (): void => void process.kill(process.pid, 'SIGKILL');

const seen = new Map<string, number>();

/** A step of the program: perhaps its last one. */
function step(name: Step): void {
  const times = (seen.get(name) ?? 0) + 1;
  seen.set(name, times);
  if (death?.step !== name || death.at !== times) return;
  let turns = death.turns;
  const next = (): void => {
    if (turns-- > 0) setImmediate(next);
    else die();
  };
  next();
}

/** The store, with steps around everything it does. */
function stepped(store: QueueStore): QueueStore {
  return {
    name: store.name,
    async open(owner, signal): Promise<OpenStore> {
      step('before open');
      const opening = store.open(owner, signal);
      step('while opening');
      const open = await opening;
      step('after open');
      return {
        epoch: open.epoch,
        held: open.held,
        session: open.session,
        dead: open.dead ?? [],
        async commit(changes) {
          step('before commit');
          const commit = open.commit(changes);
          step('in commit');
          await commit;
          step('after commit');
        },
        close: () => open.close(),
      };
    },
  };
}

const { host, port, file, to } = orders;
const broker = new Broker({
  ...(managed
    ? { connectionType: XMPP, username: 'bob', resource: 'bot', tls: { ca: orders.ca } }
    : { connectionType: COMPONENT }),
  domain: managed ? 'localhost' : 'comp.localhost',
  host,
  port,
  password: 'secret',
  logger: false,
  reconnect: { initial: true, firstDelayMs: 50, maxDelayMs: 200, maxAttempts: 500 },
  queue: {
    // Many lives may end before anything is sent.
    maxStanzas: 1_000_000,
    store: stepped(sqliteStore({ file, sync: 'normal' })),
    onReady: (ticket) => {
      // Whether the other side can be told that it may have had it already.
      say(`again ${ticket.node.getAttribute('id') ?? ''} ${ticket.possibleDuplicate ? 'flagged' : 'fresh'}`);
      return 'send';
    },
  },
});

broker.subscribe('PCJ_NODESENT', () => step('after write'));
broker.subscribe('PCJ_READY', ({ resumed }) => {
  say(`ready ${resumed ? 'resumed' : 'new'}`);
  console.log('ready');
});
for (const event of ['PCJ_STOREFAIL', 'PCJ_DEADLETTER', 'PCJ_QUEUEFAIL', 'PCJ_HANDLERERROR'] as const) {
  broker.subscribe(event, (fault) => say(`fault ${event} ${JSON.stringify(fault)}`));
}

// Why links ended, for whoever reads the books.
for (const event of ['PCJ_SOCKETDISCONNECT', 'PCJ_PROTOCOLERROR', 'PCJ_SM_FAILED'] as const) {
  broker.subscribe(event, (what: unknown) => {
    say(`note ${event} ${what instanceof Error ? what.message : JSON.stringify(what)}`);
  });
}

const from = managed ? {} : { from: 'bot@comp.localhost' };
// Kept out of the archive: Prosody takes longer for each the more there are, and a life would mostly wait for it.
const hint = xml('no-permanent-store', { xmlns: 'urn:xmpp:hints' });
const message = (id: string) =>
  xml('message', { to, ...from, type: 'chat', id }, xml('body', {}, `number ${id}`), hint);
const nobody = (): void => undefined;

function output(number: number): Ticket {
  say(`out ${number}`);
  const ticket = broker.output(message(String(number)));
  ticket.stored.then(() => say(`stored ${number}`), nobody);
  if (managed) {
    ticket.acked.then(() => {
      say(`acked ${number}`);
      step('after ack');
    }, nobody);
  }
  return ticket;
}

async function live(): Promise<void> {
  void broker.connect().catch((error: unknown) => {
    say(`fault connect ${String(error)}`);
    process.exit(1);
  });
  let next = orders.from;
  const end = orders.from + orders.count;
  while (next < end) {
    // From the first moment on, so that some are accepted while the store is being opened and the link is not there.
    for (let i = next % orders.burst; i >= 0 && next < end; i -= 1) output(next++);
    await new Promise((resolve) => setTimeout(resolve, next % 3));
  }
  if (!orders.last) return;
  const bye = broker.output(message('end'));
  await (managed ? bye.acked : bye.sent);
  // What is suspected of ending links goes piece by piece.
  for (let turns = 0; turns < 200 && broker.queue.size > 0; turns += 1)
    await new Promise((resolve) => setTimeout(resolve, 50));
  say(`left ${broker.queue.size}`);
  await broker.shutdown();
}

await live();
