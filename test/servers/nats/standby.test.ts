// L-1, L-2: standby pairs of examples/standby.ts, as real processes, on real servers: one is killed, or stands still, while
// stanzas come through NATS. Nothing that was stored is lost, and nothing goes out twice without a flag.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { xml } from 'xmpp-broker';
import { StanzaPublisher, type RemoteTicket } from 'xmpp-broker/nats';
import { SERVERS } from '../../../scripts/servers.mjs';
import { Child } from '../../docs/support/child.js';
import { ROOT } from '../../docs/support/markdown.js';
import { note, partsOf, portion } from '../../support/evidence.js';
import { Workshop } from '../../docs/support/workshop.js';
import {
  describeServer,
  Ejabberd,
  Jabberd2,
  Nats,
  Prosody,
  sharedServer,
  type NatsServer,
  type TestServer,
} from '../harness/index.js';
import { openSink, type Sink } from './support/sink.js';

type Server = TestServer<'starttls'>;

/** Tests that run side by side cannot poll with `expect`. */
const WAIT = { timeout: 30_000, interval: 50 };

interface Pair {
  readonly what: string;
  /** Port of the server, and what the program is told of itself. */
  readonly port: string;
  readonly env: Readonly<Record<string, string>>;
  readonly queue: string;
  /** Whether the session of the dead one is resumed. */
  readonly resumes: boolean;
  /** Whether the server lets a second one in while the first one only stands still. */
  readonly frozen: boolean;
}

const component = (domain: string, port: string, frozen: boolean, note = ''): Pair => ({
  what: `component ${domain}${note}`,
  port,
  env: { XMPP_DOMAIN: domain },
  queue: domain,
  resumes: false,
  frozen,
});

const ACCOUNT: Pair = {
  what: 'account',
  port: 'starttls',
  env: { XMPP_DOMAIN: 'localhost', XMPP_USER: 'alice' },
  queue: 'alice@localhost',
  resumes: true,
  frozen: true,
};

const SITES: readonly { name: 'prosody' | 'ejabberd' | 'jabberd2'; start: () => Promise<Server>; pairs: Pair[] }[] = [
  {
    name: 'prosody',
    start: () => Prosody.start(),
    pairs: [
      component('comp.localhost', 'component', false, ', refusing a second one'),
      component('kickold.localhost', 'component', true, ', replacing the first one'),
      ACCOUNT,
    ],
  },
  {
    name: 'ejabberd',
    start: () => Ejabberd.start(),
    pairs: [component('comp.localhost', 'component', true), ACCOUNT],
  },
  {
    name: 'jabberd2',
    start: () => Jabberd2.start(),
    pairs: [component('comp.localhost', 'router', true)],
  },
];

const workshop = new Workshop();
const program = workshop.add('examples/standby.ts', readFileSync(join(ROOT, 'examples/standby.ts'), 'utf8'));
const nats = sharedServer(() => Nats.start());
/** Takeovers that are measured of each pair, with the `ttlMs` that programs have by default. */
const MEASURED = portion(0);
const TTL_MS = MEASURED.size === 0 ? 1_500 : 3_000;
const PARTS = partsOf(['prosody', 'ejabberd', 'jabberd2']);
afterAll(() => {
  workshop[Symbol.dispose]();
});

for (const { name, start, pairs } of SITES.filter(({ name }) => PARTS.includes(name))) {
  describeServer(SERVERS.nats.find() === null ? 'nats' : name, `L-2: standby pairs on ${name}`, () => {
    let server: Server;
    let bus: NatsServer;
    let sink: Sink;
    const publishers: StanzaPublisher[] = [];

    beforeAll(async () => {
      [server, bus] = await Promise.all([start(), nats()]);
      sink = await openSink(server);
      mkdirSync(join(workshop.path, name));
    });
    afterAll(async () => {
      for (const publisher of publishers) await publisher.close({ timeoutMs: 1 });
      sink.broker.halt();
      await server.dispose();
    });

    /** Runs with processes that end with it. */
    async function together(run: (children: Child[]) => Promise<void>): Promise<void> {
      const children: Child[] = [];
      try {
        await run(children);
      } finally {
        for (const child of children) {
          child.signal('SIGCONT');
          await child[Symbol.asyncDispose]();
        }
      }
    }

    function member({ port, env }: Pair, children: Child[]): Child {
      const ports: Readonly<Record<string, number>> = server.ports;
      const surroundings = { detour: {}, folder: join(workshop.path, name) };
      const child = new Child(workshop, program, surroundings, {
        NATS_SERVERS: Nats.url(bus),
        XMPP_PORT: String(ports[port]),
        NODE_EXTRA_CA_CERTS: join(server.directory, 'tls/ca.pem'),
        TTL_MS: String(TTL_MS),
        ...env,
      });
      children.push(child);
      return child;
    }

    it.concurrent.each(pairs.map((pair) => [pair.what, pair] as const))(
      '%s: the other one takes over, and nothing is lost or repeated without a flag',
      (what, pair) =>
        together(async (children) => {
          const publisher = new StanzaPublisher({ connection: { servers: Nats.url(bus) }, queue: pair.queue });
          publishers.push(publisher);
          const tickets = new Map<string, RemoteTicket>();
          const say = (count: number): void => {
            for (let i = 0; i < count; i += 1) {
              const body = `${what} ${tickets.size + 1}`;
              const stanza = xml('message', { to: 'bob@localhost/sink', type: 'chat' }, xml('body', {}, body));
              tickets.set(body, publisher.output(stanza));
            }
          };
          const missing = (): string[] => [...tickets.keys()].filter((body) => !sink.bodies.includes(body));
          const twice = (): string[] =>
            [...tickets.keys()].filter((body) => sink.bodies.indexOf(body) !== sink.bodies.lastIndexOf(body));
          /** The holder goes in the middle of it. */
          const change = async (holder: Child, next: Child, signal: 'SIGSTOP' | 'SIGKILL'): Promise<void> => {
            say(50);
            await vi.waitFor(() => assert.ok(tickets.size - missing().length > 10), WAIT);
            say(50);
            holder.signal(signal);
            say(50);
            await next.prints('expired');
            await next.prints('ready as');
            say(50);
            await Promise.all([...tickets.values()].map(({ sent }) => sent));
            await vi.waitFor(() => assert.deepEqual(missing(), []), WAIT);
          };

          const first = member(pair, children);
          await first.prints('ready as');
          const second = member(pair, children);
          await second.prints('waiting for');
          if (pair.frozen) {
            await change(first, second, 'SIGSTOP');
            first.signal('SIGCONT');
            await first.prints('fenced');
            await first.prints('waiting for');
            first.output = '';
            await change(second, first, 'SIGKILL');
            expect(first.output.includes(', resumed')).toBe(pair.resumes);
          } else await change(first, second, 'SIGKILL');
          expect(twice().filter((body) => tickets.get(body)?.possibleDuplicate !== true)).toEqual([]);
        }),
    );

    it.runIf(MEASURED.size > 0).each(pairs.map((pair) => [pair.what, pair] as const))(
      '%s: how long until another one takes over',
      (what, given) =>
        together(async (children) => {
          const began = process.uptime();
          const pair = { ...given, env: { ...given.env, QUEUE: `measured ${what}` } };
          const publisher = new StanzaPublisher({ connection: { servers: Nats.url(bus) }, queue: pair.env['QUEUE'] });
          publishers.push(publisher);
          const held: number[] = [];
          const series: number[] = [];
          const first: number[] = [];
          let holder = member(pair, children);
          await holder.prints('ready as');
          for (let round = 0; round < MEASURED.size; round += 1) {
            const next = member(pair, children);
            await next.prints('waiting for');
            const killed = performance.now();
            holder.signal('SIGKILL');
            const body = `${what} measured ${round}`;
            const stanza = xml('message', { to: 'bob@localhost/sink', type: 'chat' }, xml('body', {}, body));
            publisher.output(stanza);
            await next.prints('expired');
            held.push(Math.round(performance.now() - killed));
            await next.prints('ready as');
            series.push(Math.round(performance.now() - killed));
            await vi.waitFor(() => assert.ok(sink.bodies.includes(body)), { timeout: 30_000, interval: 5 });
            first.push(Math.round(performance.now() - killed));
            await holder.ended();
            holder = next;
          }
          const [server, kind] = [name, what];
          note(name, MEASURED, began, { of: null, wrong: [], series, ...{ server, kind, held, first, ttlMs: TTL_MS } });
        }),
      1_800_000,
    );

    it('SIGTERM gives it to the other one at once', () =>
      together(async (children) => {
        const [given] = pairs as [Pair];
        const pair = { ...given, env: { ...given.env, QUEUE: 'another' } };
        const first = member(pair, children);
        await first.prints('ready as');
        const second = member(pair, children);
        await second.prints('waiting for');
        first.signal('SIGTERM');
        expect((await first.ended()).code).toBe(0);
        await second.prints('released');
        await second.prints('ready as');
      }));
  });
}
