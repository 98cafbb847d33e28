// G6, G7, in small: what this process keeps does not grow. `npm run evidence -- --only growth` does a hundred times as much.
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Broker, BrokerError, xml, type RequestOptions } from 'xmpp-broker';
import { TestAuthority } from '../support/certificates.js';
import { note, partsOf, portion } from '../support/evidence.js';
import { keptMiB, MIB, rise, rounded } from '../support/kept.js';
import { Cable } from './cuts/cable.js';
import { brokerOf, type World } from './cuts/play.js';
import { VARIANTS } from './cuts/variants.js';
import { COMPONENT, DOMAIN, handshake } from './support/component.js';
import { brokerOptions, Conversation, failure } from './support/index.js';

/** How often it is looked at what is kept. */
const SAMPLES = 30;
/** By how many MiB it may rise over the last two thirds of a run with all samples. */
const RISE = 1;

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

let world: World;
const brokers: Broker[] = [];
beforeAll(async () => {
  const authority = await TestAuthority.create();
  world = { ca: authority.ca, identity: await authority.issue() };
});
afterEach(() => {
  for (const broker of brokers.splice(0)) broker.halt();
});

interface Ready {
  readonly broker: Broker;
  readonly cable: Cable;
  /** Says something to the component. */
  say(text: string): void;
}

/** A component that is let in over a connection in memory. */
async function ready(): Promise<Ready> {
  const cable = new Cable();
  const server = new Conversation(cable.far);
  const broker = new Broker({
    ...brokerOptions(COMPONENT, 1),
    tls: { policy: 'disabled' },
    connector: () => cable.near,
  });
  brokers.push(broker);
  const connected = broker.connect();
  await handshake(server);
  await connected;
  // A conversation remembers all that was said.
  cable.far.removeAllListeners('data').resume();
  return { broker, cable, say: (text) => void cable.far.write(text) };
}

/** Outputs a MiB in stanzas of so many bytes for each step; the peer takes nothing. */
async function neverReading(bytes: number): Promise<(step: number) => Promise<void>> {
  const { broker, cable } = await ready();
  cable.near._write = () => undefined;
  const body = 'x'.repeat(Math.max(0, bytes - 100));
  return async () => {
    for (let offered = 0; offered < MIB; offered += bytes) {
      try {
        broker.output(xml('message', { to: 'a@b' }, bytes > 100 ? xml('body', {}, body) : null));
      } catch (error) {
        // Comparing it as tests do would take longer than all else.
        if ((error as BrokerError).code !== 'QUEUE_FULL') throw error;
      }
      if (offered % (64 * bytes) === 0) await turn();
    }
  };
}

/** Asks a thousand times at each step, and nothing comes of it. */
async function unanswered(
  ask: (asked: (options: RequestOptions) => void) => void,
  code: string,
): Promise<(step: number) => Promise<void>> {
  const { broker } = await ready();
  return async () => {
    const asked: Promise<unknown>[] = [];
    const query = () => xml('iq', { type: 'get', to: 'a@b' }, xml('q'));
    for (let times = 0; times < 1_000; times += 1)
      ask((options) => asked.push(failure(broker.request(query(), options))));
    for (const error of await Promise.all(asked)) expect(error).toMatchObject({ code });
    expect(broker.pending.size).toBe(0);
  };
}

/** What is done at each step, and how many MiB may be kept of it at most. */
const PARTS: Readonly<Record<string, { readonly bound: number; begin(): Promise<(step: number) => Promise<void>> }>> = {
  'a peer that never reads, 4 KiB each': { bound: 64, begin: () => neverReading(4_096) },
  'a peer that never reads, the smallest': { bound: 64, begin: () => neverReading(32) },
  'a thousand stanzas arrive': {
    bound: 8,
    async begin() {
      const { broker, say } = await ready();
      let seen = 0;
      broker.subscribe('PCJ_NODERECEIVED', () => void (seen += 1));
      return async (step) => {
        const stanza = `<message from='a@b' to='${DOMAIN}' id='${step}'><body>x</body><n${step} xmlns='urn:${step}'/></message>`;
        say(stanza.repeat(1_000));
        while (seen < (step + 1) * 1_000) await turn();
      };
    },
  },
  'a thousand requests are answered': {
    bound: 8,
    async begin() {
      const { broker, say } = await ready();
      return async () => {
        const asked = Array.from({ length: 1_000 }, () =>
          broker.request(xml('iq', { type: 'get', to: 'a@b' }, xml('q'))),
        );
        const ids = [...broker.pending.keys()];
        say(ids.map((id) => `<iq type='result' id='${id}' from='a@b' to='${DOMAIN}'/>`).join(''));
        await Promise.all(asked);
      };
    },
  },
  'a thousand requests run out of time': {
    bound: 8,
    begin: () => unanswered((asked) => asked({ timeout: 1 }), 'RTS_TIMEOUT'),
  },
  'a thousand requests are cancelled': {
    bound: 8,
    begin: () =>
      unanswered((asked) => {
        const controller = new AbortController();
        asked({ signal: controller.signal });
        setImmediate(() => controller.abort());
      }, 'RTS_ABORTED'),
  },
  'a hundred filters come and go': {
    bound: 8,
    async begin() {
      const { broker } = await ready();
      return async (step) => {
        const filters = Array.from({ length: 100 }, (_, i) =>
          broker.filters.add(`f${step}`, `//body[. = '${step} ${i}']`),
        );
        for (const filter of filters) filter.remove();
        await turn();
      };
    },
  },
  'ten connections are lost': {
    bound: 8,
    begin() {
      const broker = brokerOf(VARIANTS.component, world, () => ({ cut: { direction: 'down', at: 120, how: 'reset' } }), () => undefined); // prettier-ignore
      brokers.push(broker);
      return Promise.resolve(async () => {
        for (let time = 0; time < 10; time += 1) {
          await broker.connect().catch((error: unknown) => expect(error).toBeInstanceOf(BrokerError));
          await broker.closed;
        }
      });
    },
  },
};

describe('G6, G7, A-FLOW-1, A-STZ-13, S-API-8: what is kept does not grow', () => {
  it.each(partsOf(Object.keys(PARTS)))('%s, again and again', { timeout: 3_600_000 }, async (part) => {
    const { bound, begin } = PARTS[part]!;
    const cases = portion(1);
    // Where an error was made takes longer to find out than all else.
    if (cases.isWhole) Error.stackTraceLimit = 0;
    const began = process.uptime();
    const step = await begin();
    await step(0); // what is made once
    const before = await keptMiB();
    const kept: number[] = [];
    for (let done = 1; done <= cases.size; done += 1) {
      await step(done);
      if (done % Math.max(1, Math.floor(cases.size / SAMPLES)) === 0) kept.push(rounded((await keptMiB()) - before));
    }
    const most = Math.max(...kept);
    const wrong = most > bound ? [`${most} MiB are kept`] : [];
    const risen = rounded(Math.max(0, rise(kept)));
    if (kept.length >= SAMPLES && bound < 64 && risen > RISE) wrong.push(`${risen} MiB more are kept`);
    note(part, cases, began, { of: null, counts: { most, bound, risen }, wrong, series: kept });
    expect(wrong).toEqual([]);
  });
});
