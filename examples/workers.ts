// A help desk of many processes. One has the link to the XMPP server and hands what arrives to groups of workers; start as many
// of those as there is work, on as many machines as you like. A second process with the link waits, and takes over.
//
//   NATS_SERVERS=nats://127.0.0.1:4222 XMPP_HOST=127.0.0.1 XMPP_DOMAIN=desk.localhost XMPP_SECRET=secret node workers.js link
//   NATS_SERVERS=nats://127.0.0.1:4222 XMPP_DOMAIN=desk.localhost node workers.js answers
//   NATS_SERVERS=nats://127.0.0.1:4222 XMPP_DOMAIN=desk.localhost node workers.js minutes
import { setTimeout as pause } from 'node:timers/promises';
import { Broker, COMPONENT, StanzaError, xml } from 'xmpp-broker';
import { fanOut, natsStore, Worker, type Work } from 'xmpp-broker/nats';

const { XMPP_DOMAIN: desk = 'desk.localhost', NATS_SERVERS: servers = 'nats://127.0.0.1:4222' } = process.env;
const connection = { servers };
/** How long an answer takes: what workers are for. */
const thinkingMs = Number(process.env['WORK_MS'] ?? 0);

/** The process with the link. */
async function link(): Promise<void> {
  const broker = new Broker({
    connectionType: COMPONENT,
    host: process.env['XMPP_HOST'] ?? '127.0.0.1',
    port: Number(process.env['XMPP_PORT'] ?? 5347),
    jid: desk,
    password: () => process.env['XMPP_SECRET'] ?? 'secret',
    // A stanza counts as handled when NATS has it. NATS takes 1 MiB, with what goes along.
    acknowledge: 'settled',
    limits: { stanzaBytes: 512 * 1024 },
    reconnect: { initial: true, firstDelayMs: 500, maxDelayMs: 10_000 },
    // What workers output goes through this queue. Who waits for an answer rather gets it twice than never.
    queue: { store: natsStore({ connection }), onReady: 'send' },
  });
  broker.filters.add('question', '/message[body and not(@type="error" or @type="groupchat")]');
  broker.filters.add('ticket', '/iq[@type="get"]/t:ticket', { namespaces: { t: 'urn:example:desk' } });

  const handedOn = await fanOut(broker, {
    connection,
    groups: {
      // Answers to one person come in the order of the questions.
      answers: { events: ['question', 'ticket'], ordered: true },
      minutes: ['question'],
    },
    answerWithinMs: 20_000,
  });
  handedOn.subscribe('fail', (error) => console.error(`${error.code}: ${error.message}`));

  broker.subscribe('PCJ_STANDBY', () => console.log('another process has the link; waiting'));
  broker.subscribe('PCJ_READY', ({ jid }) => console.log(`ready as ${jid.toString()}`));
  broker.subscribe('PCJ_INTAKE', ({ paused }) =>
    console.log(paused ? 'NATS is slow: reading pauses' : 'reading again'),
  );

  broker.shutdownOn('SIGTERM', 'SIGINT');
  await broker.connect();
  await broker.closed;
  await handedOn.close();
  console.log('closed');
}

/** Answers questions and requests. */
async function answer(work: Work): Promise<void> {
  const { node, event, signal } = work;
  const from = node.getAttribute('from') ?? '';
  if (event === 'ticket') {
    const id = node.firstElementChild?.getAttribute('id') ?? '';
    // An error for who asked; whatever else is thrown means: again, later.
    if (id === '') throw new StanzaError('bad-request', { text: 'which ticket?' });
    work.reply(xml('ticket', { xmlns: 'urn:example:desk', id, state: 'open' }));
    return;
  }
  const question = node.getChildText('body') ?? '';
  console.log(`thinking about "${question}"${work.possibleDuplicate ? ', perhaps not for the first time' : ''}`);
  await pause(thinkingMs, undefined, { signal });
  work.reply(xml('body', {}, `You asked: ${question}`));
  console.log(`answered ${from}`);
}

/** Keeps the minutes. */
function note({ node }: Work): void {
  console.log(`${node.getAttribute('from') ?? ''} said: ${node.getChildText('body') ?? ''}`);
}

/** One worker of a group. */
async function work(group: string, handler: (work: Work) => unknown): Promise<void> {
  const worker = new Worker({ connection, queue: desk, group, handler });
  worker.subscribe('fail', (error) => console.error(`${error.code}: ${error.message}`));
  worker.subscribe('retry', ({ error, delayMs }) => console.error(`again in ${delayMs} ms:`, error));
  worker.subscribe('dead', ({ xml: stanza, error }) => console.error(`given up: ${error.message}\n${stanza}`));
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void worker.close());
  await worker.ready;
  console.log(`at work for ${group}`);
  await worker.closed;
  console.log('closed');
}

const roles: Record<string, () => Promise<void>> = {
  link,
  answers: () => work('answers', answer),
  minutes: () => work('minutes', note),
};

try {
  const role = roles[process.argv[2] ?? ''];
  if (role === undefined) throw new Error('say what this process is: link, answers or minutes');
  await role();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
