import { Broker } from '../../broker/broker.js';
import { printable, usageError } from '../../errors.js';
import type { BrokerOptions } from '../../options/options.js';
import { JABBERD14_COMPONENT } from '../../protocols/jabberd14.js';
import type { Ticket } from '../../queue/ticket.js';
import { ACCOUNT, accountOf } from '../account.js';
import type { Command, Given, Terminal } from '../command.js';
import { readQueueFile, type QueueRow } from '../queue-file.js';

type Action = (file: string, given: Given, terminal: Terminal) => Promise<number>;

const ACTIONS: Readonly<Record<string, Action>> = {
  list: (file, given, terminal) => Promise.resolve(show(readQueueFile(file, 'list'), given, terminal)),
  dead: (file, given, terminal) => Promise.resolve(show(readQueueFile(file, 'dead'), given, terminal)),
  send,
  drop,
};

/** What a durable queue holds, and what becomes of it. */
export const queue: Command = {
  name: 'queue',
  summary: 'shows, sends or drops what the file of a durable queue holds',
  operands: 'list|send|drop|dead FILE',
  count: [2, 2],
  details: [
    'list shows what is left to be sent, dead what was given up, and why. Only one process may have the file open: end the',
    'program first. send signs in, and sends what is chosen; drop forgets it. Without --key, --all says that all are meant.',
  ],
  options: {
    queue: { value: 'NAME', help: 'the queue in the file; not needed if there is one only' },
    key: { value: 'KEY', help: 'only the stanza with this key; may be given more than once', multiple: true },
    all: { help: 'send, drop: everything that is held' },
    ...ACCOUNT,
  },
  async run(given, terminal) {
    const [action = '', file = ''] = given.positionals;
    const known = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined;
    if (known === undefined) {
      throw usageError('USAGE_ARGUMENT', `queue takes list, send, drop or dead, not ${JSON.stringify(action)}`);
    }
    return known(file, given, terminal);
  },
};

function show(rows: readonly QueueRow[], given: Given, { out }: Terminal): number {
  const name = given.text('queue');
  const keys = given.texts('key');
  for (const row of rows) {
    if ((name !== undefined && row.queue !== name) || (keys.length > 0 && !keys.includes(row.key))) continue;
    if (given.has('json')) {
      out(printable(JSON.stringify(row), Infinity));
      continue;
    }
    const state = row.code ?? (row.mayBeSent === true ? 'may be sent' : 'held');
    out(printable(`${row.queue}  ${row.key}  ${row.accepted ?? 'at a time unknown'}  ${state}  ${row.xml}`, Infinity));
  }
  return 0;
}

async function drop(file: string, given: Given, terminal: Terminal): Promise<number> {
  const name = nameIn(file, given);
  const select = selection(given);
  await using broker = new Broker({
    // It never connects.
    connectionType: JABBERD14_COMPONENT,
    domain: 'localhost',
    host: '127.0.0.1',
    port: 1,
    password: 'none',
    logger: false,
    queue: await queueOptions(file, name),
  });
  await broker.openQueue();
  return tell('dropped', broker.queue.drop(select), given, terminal);
}

async function send(file: string, given: Given, terminal: Terminal): Promise<number> {
  const name = nameIn(file, given);
  const select = selection(given);
  const account = await accountOf(given, terminal);
  await using broker = new Broker({ ...account, reconnect: false, queue: await queueOptions(file, name) });
  await broker.connect({ signal: terminal.signal });
  const tickets = broker.queue.send(select);
  await Promise.all(tickets.map(({ sent }) => sent));
  // A component's server never acknowledges.
  if (broker.stats().unacknowledged > 0) await Promise.all(tickets.map(({ acked }) => acked));
  return tell('sent', tickets, given, terminal);
}

function tell(what: string, tickets: readonly Ticket[], given: Given, { out }: Terminal): number {
  const keys = tickets.map(({ key }) => key);
  out(given.has('json') ? JSON.stringify({ [what]: keys }) : `${what}: ${String(keys.length)}`);
  return 0;
}

/** @throws BrokerError `USAGE_ARGUMENT`: nothing is sent or dropped by leaving an option out */
function selection(given: Given): (ticket: Ticket) => boolean {
  const keys = given.texts('key');
  if (given.has('all') === keys.length > 0) {
    throw usageError('USAGE_ARGUMENT', 'say which ones are meant: --key KEY for each, or --all');
  }
  return ({ key }) => keys.length === 0 || keys.includes(key);
}

/** The name that is meant. @throws BrokerError `USAGE_ARGUMENT`, and as {@link readQueueFile} */
function nameIn(file: string, given: Given): string {
  const names = [...new Set(readQueueFile(file, 'list').map((row) => row.queue))];
  const wanted = given.text('queue');
  const [name] = wanted === undefined ? names : names.filter((one) => one === wanted);
  if (name !== undefined && (wanted !== undefined || names.length === 1)) return name;
  const list = names.map((one) => JSON.stringify(one)).join(', ') || 'none';
  throw usageError('USAGE_ARGUMENT', `--queue has to name a queue with stanzas in ${file}; those are: ${list}`);
}

async function queueOptions(file: string, name: string): Promise<NonNullable<BrokerOptions['queue']>> {
  // Nobody else needs it. It has to stay a file of its own, beside the one of its thread: scripts/bundle.mjs.
  const { sqliteStore } = await import('../../stores/sqlite.js');
  return { store: sqliteStore({ file }), name, onReady: 'hold' };
}
