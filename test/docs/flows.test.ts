// What the pictures of the documentation show (scripts/flows.mjs), tried with brokers.
import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Broker, XMPP, xml, type BrokerOptions, type Ticket } from 'xmpp-broker';
import { LoopbackServer } from 'xmpp-broker/testing';
import { pictures } from '../../scripts/flow-pictures.mjs';
import { CHANGES, LIFE, PARTS, STATES, STREAMS } from '../../scripts/flows.mjs';
import { ROOT } from './support/markdown.js';

let server: LoopbackServer;
beforeAll(async () => {
  server = await LoopbackServer.start({ accounts: { juliet: 'r0m30' } });
});
afterAll(() => server.stop({ abrupt: true }));

function client(options: Partial<BrokerOptions> = {}): Broker {
  return new Broker({
    connectionType: XMPP,
    jid: 'juliet@localhost/balcony',
    password: 'r0m30',
    host: '127.0.0.1',
    port: server.ports.client,
    tls: { ca: server.ca },
    reconnect: { firstDelayMs: 1, resumeDelayMs: 1 },
    logger: false,
    ...options,
  });
}
/** To ourselves: it comes back. */
const message = () => xml('message', { to: 'juliet@localhost/balcony' }, xml('body', {}, 'Good night'));

/** The server says that it has the first stanza (XEP-0198): by itself it waits until it is asked. */
const acknowledge = () => {
  server.inject('juliet@localhost/balcony', "<a xmlns='urn:xmpp:sm:3' h='1'/>");
};

/** A message that was written, and that the server has not read. */
async function sent(broker: Broker): Promise<Ticket> {
  await broker.connect();
  server.stall('juliet@localhost/balcony');
  const ticket = broker.output(message());
  await ticket.sent;
  return ticket;
}

/** Brings a ticket into a state, and changes it as the picture says. */
const CHANGED: Readonly<Record<string, (broker: Broker, was: (state: string) => void) => Promise<Ticket>>> = {
  'queued sent': async (broker, was) => {
    const ticket = broker.output(message());
    was(ticket.state);
    await broker.connect();
    server.stall('juliet@localhost/balcony');
    broker.queue.send();
    await ticket.sent;
    return ticket;
  },
  'sent acked': async (broker, was) => {
    await broker.connect();
    const ticket = broker.output(message());
    await ticket.sent;
    was(ticket.state);
    acknowledge();
    await ticket.acked;
    return ticket;
  },
  'sent queued': async (broker, was) => {
    const ticket = await sent(broker);
    was(ticket.state);
    const back = broker.events.once('PCJ_READY');
    await server.restart({ abrupt: true, keepSessions: false });
    expect((await back).resumed).toBe(false);
    expect(ticket.possibleDuplicate).toBe(true);
    return ticket;
  },
  'queued dropped': (broker, was) => {
    const ticket = broker.output(message());
    was(ticket.state);
    broker.queue.drop();
    return Promise.resolve(ticket);
  },
  'queued failed': (broker, was) => {
    const ticket = broker.output(message());
    was(ticket.state);
    broker.halt();
    return Promise.resolve(ticket);
  },
  'sent failed': async (broker, was) => {
    const ticket = await sent(broker);
    was(ticket.state);
    broker.halt();
    return ticket;
  },
};

describe('the states of a ticket', () => {
  it.each(CHANGES)('$from becomes $to: $when', async ({ from, to }) => {
    const broker = client();
    try {
      const ticket = await CHANGED[`${from} ${to}`]?.(broker, (state) => {
        expect(state).toBe(from);
      });
      expect(ticket?.state).toBe(to);
    } finally {
      broker.halt();
    }
  });

  it('are those of the code', () => {
    const [, states = ''] =
      /type TicketState = ([^;]+);/.exec(readFileSync(`${ROOT}/src/queue/ticket.ts`, 'utf8')) ?? [];
    const inCode = [...states.matchAll(/'(\w+)'/g)].map(([, state]) => state);
    expect(STATES.map(({ id }) => id).sort()).toEqual(inCode.sort());
  });
});

it("a stanza's life", async () => {
  await using broker = client();
  const steps: { event: string | null; ticket: string }[] = [];
  const tickets: Ticket[] = [];
  // An event is published before output() returns.
  const note = (event: string | null) => steps.push({ event, ticket: tickets[0]?.state ?? 'queued' });
  const isOurs = (node: { localName: string }) => node.localName === 'message';
  broker.subscribe('PCJ_NODEQUEUED', () => note('NODEQUEUED'));
  broker.subscribe('PCJ_READY', () => note('READY'));
  broker.subscribe('PCJ_NODESENT', (node) => isOurs(node) && note('NODESENT'));
  broker.match('/message', () => note('match'));
  broker.subscribe('PCJ_NODERECEIVED', (node) => isOurs(node) && note('NODERECEIVED'));
  const ticket = broker.output(message());
  tickets.push(ticket);
  const settled = [ticket.sent.then(() => note(null)), ticket.acked.then(() => note(null))];
  await broker.connect();
  const answer = broker.events.once('PCJ_NODERECEIVED');
  broker.queue.send();
  await answer;
  acknowledge();
  await Promise.all(settled);
  // When an answer comes has nothing to do with when the server acknowledges.
  const isOut = ({ event }: { event: string | null }) => event !== 'match' && event !== 'NODERECEIVED';
  const drawn = LIFE.map(({ event, ticket: state }) => ({ event, ticket: state }));
  expect(steps.filter(isOut)).toEqual(drawn.filter(isOut));
  expect(steps.filter((step) => !isOut(step)).map(({ event }) => event)).toEqual(
    drawn.filter((step) => !isOut(step)).map(({ event }) => event),
  );
});

describe('how data flows', () => {
  it('goes through parts that are there', () => {
    const paths = PARTS.flatMap(({ path }) => path ?? []);
    expect(paths.filter((path) => !existsSync(`${ROOT}/src/${path}`))).toEqual([]);
    const ids = new Set(PARTS.map(({ id }) => id));
    expect(STREAMS.flat().filter((id) => !ids.has(id))).toEqual([]);
  });
});

it.each(Object.entries(pictures()))(
  'docs/pictures/%s.svg is drawn from it (node scripts/flow-pictures.mjs)',
  (name, svg) => {
    expect(readFileSync(`${ROOT}/docs/pictures/${name}.svg`, 'utf8')).toBe(svg);
  },
);
