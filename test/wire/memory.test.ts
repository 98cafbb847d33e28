// faults C1: what is kept is counted, so that the bound of the queue bounds the process.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it, vi } from 'vitest';
import { Broker, xml, type BrokerOptions, type Element } from 'xmpp-broker';
import { CLIENT, welcome } from './support/client.js';
import { COMPONENT, DOMAIN } from './support/component.js';
import { BIND, features } from './support/elements.js';
import { brokerOptions, useRig, type RigDialect, type Said } from './support/rig.js';
import { SERVICE } from './support/service.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const MIB = 1024 * 1024;
const BOUND = 16 * MIB;
const QUEUE = { maxBytes: BOUND, maxStanzas: 10_000_000 } satisfies BrokerOptions['queue'];

/** What this process keeps. */
async function used(): Promise<number> {
  for (let times = 0; times < 3; times += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    collect();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** A text that shares its characters with no other. */
const text = (length: number, character: string, k: number): string =>
  Buffer.from(`${String(k)} ${character.repeat(length)}`).toString();

const STANZAS: readonly (readonly [string, (k: number) => Element])[] = [
  ['the smallest', () => xml('presence', { to: 'a@b' })],
  ['small ones with many parts', (k) => xml('message', { to: 'a@b', id: `m${String(k)}` }, xml('x'), xml('y'), 'z')],
  ['1 KB of text each', (k) => xml('message', { to: 'a@b' }, xml('body', {}, text(1_000, 'x', k)))],
  ['100 KB each', (k) => xml('message', { to: 'a@b' }, xml('body', {}, text(100_000, 'x', k)))],
  ['5 MB each', (k) => xml('message', { to: 'a@b' }, xml('body', {}, text(5_000_000, 'x', k)))],
  ['one wide character in 1 KB', (k) => xml('message', { to: 'a@b' }, xml('body', {}, `${text(1_000, 'x', k)}€`))],
  ['1 KB of wide characters', (k) => xml('message', { to: 'a@b' }, xml('body', {}, text(1_000, '€', k)))],
];

/** Outputs until the queue is full. @returns how many were accepted */
async function fill(broker: Broker, make: (k: number) => Element): Promise<number> {
  for (let k = 0; ; k += 1) {
    try {
      broker.output(make(k));
    } catch (error) {
      expect(error).toMatchObject({ code: 'QUEUE_FULL' });
      return k;
    }
    if (k % 1_000 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A broker whose events nobody keeps. */
const plain = (port: number, dialect: RigDialect<never>, ca: string): Broker => {
  const given = brokerOptions(dialect, port);
  const direct = dialect.transport === 'direct' ? ({ policy: 'direct' } as const) : {};
  return new Broker({ ...given, queue: QUEUE, tls: { ca, ...given.tls, ...direct } });
};

/** A client of a server without stream management. */
const UNMANAGED: RigDialect<Said> = {
  ...CLIENT,
  letIn: (server, said) => welcome(server, { ...said, after: features(BIND), enabled: null }),
};

const DIALECTS: readonly (readonly [string, RigDialect<Said>])[] = [
  ['a client', UNMANAGED],
  ['a client with stream management', CLIENT],
  ['a component', COMPONENT],
  ['the router, which wraps', SERVICE],
];

describe.each(DIALECTS)('faults C1: %s', (_, dialect) => {
  const rig = useRig(dialect);

  it.each(STANZAS)(
    'fills the bound with %s for a peer that never reads: at most twice the bound',
    async (_name, make) => {
      const peer = await rig.listen();
      const broker = rig.add(plain(peer.port, dialect, rig.authority.ca));
      const connected = broker.connect();
      const server = await peer.accept();
      await dialect.letIn(server);
      await connected;
      server.pause();
      const before = await used();
      await fill(broker, make);
      const kept = (await used()) - before;
      expect(kept).toBeLessThan(2 * BOUND);
    },
  );
});

describe('faults C1: what is held', () => {
  const rig = useRig(COMPONENT);

  it.each(STANZAS)('fills the bound with %s while nobody is connected', async (_name, make) => {
    const broker = rig.add(plain(1, COMPONENT, rig.authority.ca));
    const before = await used();
    const count = await fill(broker, make);
    // Whoever looks at all of it does not make it larger for good.
    broker.queue.drop(({ node }) => node.localName === 'none');
    const kept = (await used()) - before;
    expect(broker.queue.size).toBe(count);
    expect(kept).toBeLessThan(2 * BOUND);
  });
});

describe('faults C1: what else is kept', () => {
  const rig = useRig(COMPONENT);
  const small = (k: number) => xml('message', { to: 'a@b', id: `m${String(k)}` });

  it('counts what is output inside a purge, which lines up behind it', async () => {
    const peer = await rig.listen();
    const { broker } = rig.broker(peer, { queue: { maxBytes: 100_000 } });
    for (let k = 0; k < 100; k += 1) broker.output(small(k));
    const connected = broker.connect();
    const server = await peer.accept();
    await COMPONENT.letIn(server);
    await connected;
    let accepted = 0;
    const refused = new Set<unknown>();
    broker.subscribe('PCJ_NODESENT', () => {
      for (let k = 0; k < 20 && accepted < 10_000; k += 1) {
        try {
          broker.output(small(k));
          accepted += 1;
        } catch (error) {
          refused.add((error as { code: string }).code);
        }
      }
    });
    broker.purgeQueue();
    expect([...refused]).toEqual(['QUEUE_FULL']);
    // A hundred stanzas hold a third of the bound, and each that goes makes room for one.
    expect(accepted).toBeLessThan(1_000);
  });

  it('counts what waits for an answer, and no more once it is there', async () => {
    const { broker, server } = await rig.ready({ queue: { maxBytes: 100_000 } });
    const big = text(60_000, 'x', 0);
    const asked = broker.request(xml('iq', { type: 'set', to: 'a@b', id: 'q' }, xml('q', { xmlns: 'urn:a' }, big)));
    await server.expect('</iq>');
    await new Promise((resolve) => setImmediate(resolve));
    const message = xml('message', { to: 'a@b' }, xml('body', {}, big));
    expect(() => broker.output(message)).toThrow(expect.objectContaining({ code: 'QUEUE_FULL' }));
    await server.send(`<iq type='result' id='q' from='a@b' to='${DOMAIN}'/>`);
    await asked;
    expect(broker.output(message).state).toBe('queued');
  });

  it('reads back a held stanza of any size', () => {
    const { broker } = rig.broker({ port: 1 });
    const ticket = broker.output(xml('message', { to: 'a@b' }, xml('body', {}, 'x'.repeat(3_000_000))));
    expect(ticket.node.textContent).toHaveLength(3_000_000);
  });
});

describe('faults C3', () => {
  const rig = useRig(COMPONENT);

  it('a large stanza in flight is counted once, however much is output behind it', async () => {
    const { broker, server } = await rig.ready();
    server.pause();
    broker.output(xml('message', { to: 'a@b' }, xml('body', {}, 'x'.repeat(20 * MIB))));
    const counted = vi.spyOn(Buffer, 'byteLength');
    try {
      for (let k = 0; k < 1_000; k += 1) {
        broker.output(xml('message', { to: 'a@b' }, xml('body', {}, 'x')));
        if (k % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      expect(
        counted.mock.calls.filter(([counting]) => typeof counting === 'string' && counting.length > MIB).length,
      ).toBeLessThanOrEqual(1);
    } finally {
      counted.mockRestore();
    }
  });
});
