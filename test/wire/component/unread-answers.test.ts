// A-FLOW-1, A-STZ-13: whoever asks and does not read the answers.
import { afterEach, expect, it } from 'vitest';
import { Broker, xml } from 'xmpp-broker';
import { keptMiB } from '../../support/kept.js';
import { Cable } from '../cuts/cable.js';
import { COMPONENT, DOMAIN, handshake } from '../support/component.js';
import { brokerOptions, Conversation } from '../support/index.js';

const KIB = 1_024;
const brokers: Broker[] = [];
afterEach(() => {
  for (const broker of brokers.splice(0)) broker.halt();
});

interface Ready {
  readonly broker: Broker;
  /** Questions with these numbers; done when they were handled. */
  ask(from: number, to: number, more?: string): Promise<void>;
  /** Whether the peer takes what it is sent. */
  reads(reading: boolean): void;
}

/** A component that answers what nobody handles, and what its peer does with it. */
async function ready(maxBytes?: number): Promise<Ready> {
  const cable = new Cable();
  const server = new Conversation(cable.far);
  const broker = new Broker({
    ...brokerOptions(COMPONENT, 1),
    tls: { policy: 'disabled' },
    answerRequests: true,
    ...(maxBytes === undefined ? {} : { queue: { maxBytes } }),
    connector: () => cable.near,
  });
  brokers.push(broker);
  const connected = broker.connect();
  await handshake(server);
  await connected;
  cable.far.removeAllListeners('data').resume();
  let seen = 0;
  broker.subscribe('PCJ_NODERECEIVED', () => void (seen += 1));
  const write = cable.near._write.bind(cable.near);
  let waiting: (() => void) | null = null;
  return {
    broker,
    async ask(from, to, more = '') {
      const goal = seen + to - from;
      for (let n = from; n < to; n += 1) {
        const id = `a question with a name of its own, number ${n}`;
        cable.far.write(`<iq type='get' id='${id}' from='a@b' to='${DOMAIN}'><q xmlns='urn:x'>${more}</q></iq>`);
      }
      while (seen < goal) await new Promise((resolve) => setImmediate(resolve));
    },
    reads(reading) {
      cable.near._write = reading ? write : (chunk, encoding, done) => (waiting = () => write(chunk, encoding, done));
      if (reading) waiting?.();
    },
  };
}

it('A-FLOW-1: answers that nobody wrote leave the queue to the program', async () => {
  const { broker, ask, reads } = await ready(64 * KIB);
  reads(false);
  await ask(0, 1_000);
  // A quarter of the queue is theirs; the program has the rest.
  const message = xml('message', { to: 'a@b' }, xml('body', {}, 'x'.repeat(KIB)));
  const tickets = Array.from({ length: 30 }, () => broker.output(message));
  reads(true);
  await Promise.all(tickets.map(({ sent }) => sent));
  // What was read makes room again.
  const answered = broker.stats().stanzas.out.iq;
  expect(answered).toBeLessThan(100);
  await ask(1_000, 1_010);
  await expect.poll(() => broker.stats().stanzas.out.iq).toBe(answered + 10);
});

it('A-STZ-13: what is remembered of a question is not what came with it', async () => {
  const { ask } = await ready();
  await ask(0, 100, 'x'.repeat(16 * KIB));
  const before = await keptMiB();
  await ask(100, 1_100, 'x'.repeat(16 * KIB));
  expect((await keptMiB()) - before).toBeLessThan(4);
});
