// A service that any number of processes share, and somebody who gives it work. A process of the service may be killed at
// any time: what it was given and did not answer is asked again, so nothing is lost.
//
//   node router-service.js worker        as often as you like
//   node router-service.js sender 100    has 100 jobs done
//
// XMPP_KIND=jabberd2 (default) uses the router of jabberd2, whose `multi` lets connections share a name: it chooses one of
// them by the bare address a stanza is for. XMPP_KIND=component is for ejabberd without `domain_balancing`, which gives
// each stanza to any connection of the name. Elsewhere: XMPP_HOST, XMPP_PORT, XMPP_SECRET, for jabberd2 XMPP_USER and
// XMPP_SERVERNAME (the name in the router's certificate), XMPP_SERVICE (the shared name) and XMPP_SENDER (the sender's).
import { setTimeout as pause } from 'node:timers/promises';
import {
  Broker,
  BrokerError,
  COMPONENT,
  ROUTER,
  reply,
  xml,
  type BrokerOptions,
  type Element,
  type FilterMatch,
} from 'xmpp-broker';

const JOB = 'urn:example:job';
const SERVICE = process.env['XMPP_SERVICE'] ?? 'squares.example.org';
const SENDER = process.env['XMPP_SENDER'] ?? 'sender.example.org';
const me = String(process.pid);

function connection(domain: string, shared: boolean): BrokerOptions {
  const { XMPP_KIND: kind = 'jabberd2', XMPP_SERVERNAME: servername } = process.env;
  const native = kind === 'jabberd2';
  return {
    connectionType: native ? ROUTER.with({ multi: shared }) : COMPONENT,
    host: process.env['XMPP_HOST'] ?? '127.0.0.1',
    port: Number(process.env['XMPP_PORT'] ?? 5347),
    domain,
    ...(native ? { username: process.env['XMPP_USER'] ?? 'jabberd' } : {}),
    password: () => process.env['XMPP_SECRET'] ?? 'secret',
    ...(servername === undefined ? {} : { tls: { servername } }),
    reconnect: { initial: true, firstDelayMs: 1_000, maxDelayMs: 10_000 },
    // What is asked and answered here stays true, so what a lost link left behind is sent on the next one.
    queue: { onReady: 'send' },
    // A job that is not answered in that time, counted from when it was written, is asked again.
    timeouts: { request: 2_000 },
    answerRequests: true,
  };
}

/** Does jobs, one after the other. A job that comes twice is done twice: that must do no harm. */
async function work(): Promise<void> {
  const broker = new Broker<{ job: FilterMatch }>(connection(SERVICE, true));
  broker.filters.add('job', '/iq[@type="set"]/j:job', { namespaces: { j: JOB } });
  let before = Promise.resolve();
  broker.subscribe('job', ({ node }) => {
    before = before.then(() => pause(5)).then(() => void broker.output(reply(node, done(node))));
    return before;
  });
  broker.subscribe('PCJ_READY', () => console.log(`worker ${me} is ready`));
  broker.subscribe('PCJ_SOCKETFAIL', (error) => console.log(`worker ${me} lost its link: ${error.code}`));
  broker.shutdownOn('SIGTERM', 'SIGINT');
  await broker.connect();
  await broker.closed;
}

function done(iq: Element): Element {
  const number = Number(iq.getChild('job', JOB)?.getAttribute('number'));
  return xml('job', { xmlns: JOB, number, square: number * number, by: me });
}

/** Has jobs done, all of them, however many workers come and go. */
async function send(count: number): Promise<void> {
  await using broker = new Broker(connection(SENDER, false));
  broker.shutdownOn('SIGTERM', 'SIGINT');
  await broker.connect();
  const workers = new Set<string>();
  let unanswered = 0;
  broker.subscribe('PCJ_RTS_FAIL', () => void (unanswered += 1));
  await Promise.all(
    Array.from({ length: count }, async (_, number) => {
      const job = await haveDone(broker, number);
      workers.add(job.getAttribute('by') ?? '');
      console.log(`${String(number)} squared is ${job.getAttribute('square') ?? ''}`);
    }),
  );
  console.log(`${String(count)} jobs done by ${String(workers.size)} workers, ${String(unanswered)} were asked again`);
}

async function haveDone(broker: Broker, number: number): Promise<Element> {
  // jabberd2 chooses a worker by the address without resource: each job has its own.
  const job = xml('iq', { type: 'set', to: `job${String(number)}@${SERVICE}` }, xml('job', { xmlns: JOB, number }));
  for (;;) {
    try {
      const result = (await broker.request(job)).getChild('job', JOB);
      if (result !== null) return result;
    } catch (error) {
      // No answer in time, the link was lost, or nobody is there to work: the same again. Anything else is a mistake.
      if (!(error instanceof BrokerError) || !/^RTS_|^STANZA_ERROR$/.test(error.code)) throw error;
      await pause(200);
    }
  }
}

const [role, count = '100'] = process.argv.slice(2);
try {
  if (role === 'worker') await work();
  else if (role === 'sender') await send(Number(count));
  else throw new Error('say what to be: worker, or sender and a number of jobs');
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
