import fc from 'fast-check';
import { getEventListeners } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'vitest';
import {
  Broker,
  BrokerError,
  NS,
  xml,
  type BrokerOptions,
  type Element,
  type StatusEvent,
  type Subscription,
  type Ticket,
} from 'xmpp-broker';
import { ALL_EVENTS } from '../../support/trace.js';
import type { Conversation } from './conversation.js';
import { ScriptedPeer } from './scripted-peer.js';

/** What a program and its server may do at any time. */
export const STEPS = [
  ...['connect', 'reconnect', 'shutdown', 'abort'],
  ...['peer: FIN', 'peer: RST', 'peer: end of stream', 'peer: system-shutdown', 'peer: conflict', 'peer: stanza'],
  ...['output', 'request', 'purge', 'drop', 'turn', 'pause', 'until lost', 'until at rest or ready'],
  ...['when lost: connect', 'when lost: shutdown', 'when ready: shutdown', 'when ready: connect', 'when ready: throw'],
] as const;

/** What a handler of any event may do, in the middle of whatever publishes it. */
export const REACTIONS = [
  ...['halt', 'shutdown', 'connect', 'abort', 'abort requests', 'output', 'request', 'purge', 'drop', 'throw'],
] as const;

export type WorldStep = (typeof STEPS)[number] | 'abort requests' | `in ${StatusEvent}: ${(typeof REACTIONS)[number]}`;

const anyReaction: fc.Arbitrary<WorldStep> = fc
  .tuple(fc.constantFrom(...ALL_EVENTS), fc.constantFrom(...REACTIONS))
  .map(([event, what]) => `in ${event}: ${what}` as const);

const GO: readonly WorldStep[] = ['connect', 'until at rest or ready'];
const LOST: readonly WorldStep[] = ['peer: RST', 'until lost', 'until at rest or ready'];

/** An event in the middle of a change, and how to get there: before its handler is there, and behind. */
const SCENES: readonly (readonly [event: StatusEvent, before: readonly WorldStep[], behind: readonly WorldStep[]])[] = [
  ['PCJ_NODESENT', ['output', 'output', 'output', ...GO], ['purge']],
  ['PCJ_NODESENT', GO, ['request']],
  ['PCJ_RTS_START', GO, ['request']],
  ['PCJ_RTS_START', [], ['request']],
  ['PCJ_NODEQUEUED', [], ['request']],
  ['PCJ_RTS_FAIL', ['request'], ['abort requests']],
  ['PCJ_READY', ['output', 'request'], GO],
  ['PCJ_SOCKETFAIL', [...GO, 'output', 'request'], LOST],
  ['PCJ_SOCKETDISCONNECT', [...GO, 'output', 'request'], LOST],
];

const anyScene: fc.Arbitrary<readonly WorldStep[]> = fc
  .tuple(fc.constantFrom(...SCENES), fc.constantFrom(...REACTIONS))
  .map(([[event, before, behind], what]) => [...before, `in ${event}: ${what}` as const, ...behind]);

/** Sequences that often get somewhere: to a ready link, and through its loss. */
const anySteps: fc.Arbitrary<readonly WorldStep[]> = fc
  .array(
    fc.oneof(
      {
        weight: 4,
        arbitrary: fc.constantFrom<readonly WorldStep[]>(['connect', 'until at rest or ready'], ['output']),
      },
      {
        weight: 2,
        arbitrary: fc.constantFrom<readonly WorldStep[]>(LOST, ['pause']),
      },
      { weight: 1, arbitrary: fc.constantFrom<readonly WorldStep[]>(['request', 'peer: RST']) },
      { weight: 6, arbitrary: anyScene },
      { weight: 3, arbitrary: anyReaction.map((step): readonly WorldStep[] => [step]) },
      { weight: 8, arbitrary: fc.constantFrom(...STEPS).map((step): readonly WorldStep[] => [step]) },
    ),
    { minLength: 1, maxLength: 14, size: 'max' },
  )
  .map((groups) => groups.flat());

/** How a world is made. */
export interface WorldOptions {
  readonly broker: Pick<BrokerOptions, 'connectionType' | 'domain'> & Partial<BrokerOptions>;
  readonly reconnect: boolean;
}

/** One broker, one server, and everything that was promised. */
export class World {
  readonly events: string[] = [];
  readonly problems: string[] = [];
  readonly broker: Broker;
  readonly #sockets: Socket[] = [];
  readonly #promises: { what: string; promise: Promise<unknown> }[] = [];
  readonly #signals: AbortController[] = [];
  readonly #reactions: Subscription[] = [];
  readonly #requestSignals: AbortController[] = [];
  readonly #tickets: { readonly ticket: Ticket; isOver: boolean }[] = [];
  readonly #requests: { readonly promise: Promise<unknown>; readonly ready: boolean; readonly signal: AbortSignal }[] =
    [];
  /** Ids of what was handed to the socket, for each link. */
  readonly #written: string[][] = [[]];
  /** What was output inside of a purge, and what that purge sent. */
  readonly #purges: { readonly purged: readonly string[]; readonly inside: readonly string[] }[] = [];
  #inside: string[] | null = null;
  #sent = 0;

  constructor(
    readonly peer: ScriptedPeer,
    { reconnect, broker: options }: WorldOptions,
  ) {
    this.broker = new Broker({
      host: '127.0.0.1',
      port: peer.port,
      logger: false,
      reconnect: reconnect && { initial: true, firstDelayMs: 3, maxDelayMs: 3, resumeDelayMs: 3, maxAttempts: 5 },
      timeouts: { stream: 40, auth: 40, bind: 40, close: 40, request: REQUEST_MS },
      ...options,
      connector: ({ host, port }) => {
        const open = this.#sockets.filter((socket) => !socket.destroyed).length;
        if (open > 0) this.problems.push(`dialled while ${open} sockets were open`);
        const socket = connect(port, host);
        this.#sockets.push(socket);
        return socket;
      },
    });
    for (const name of ALL_EVENTS) {
      this.broker.subscribe(name, () => {
        if (this.broker.state === 'halted') this.problems.push(`${name} after halt()`);
        this.events.push(name.slice('PCJ_'.length));
      });
    }
    this.broker.subscribe('PCJ_CONNECT', () => void this.#written.push([]));
    this.broker.subscribe('PCJ_NODESENT', (node: Element) => void this.#written.at(-1)?.push(idOf(node)));
    this.#live();
  }

  async run(step: WorldStep): Promise<void> {
    const [when, what] = step.split(': ', 2) as [string, string | undefined];
    if (when === 'peer') await this.#peerDoes(what!);
    else if (when === 'when lost') this.#once('PCJ_SOCKETDISCONNECT', what!);
    else if (when === 'when ready') this.#once('PCJ_READY', what!);
    else if (when.startsWith('in ')) this.#once(when.slice('in '.length) as StatusEvent, what!);
    else await this.#does(step).catch((error: unknown) => this.#refused(error));
  }

  /** A broker that is halted refuses everything. */
  #refused(error: unknown): void {
    if (this.#isHalted() && error instanceof BrokerError && error.code === 'BROKER_HALTED') return;
    throw error;
  }

  #isHalted(): boolean {
    return this.broker.state === 'halted';
  }

  /** From a `connect` to its rest: then everything has an outcome. */
  #live(): void {
    const { closed } = this.broker;
    this.#keep('closed', closed);
    void closed.then(() => setImmediate(() => this.#checkRest()));
  }

  /** At rest a stanza is held, or through, or has failed; a request is over, or its stanza is held. */
  #checkRest(): void {
    const { broker } = this;
    if (!['idle', 'disconnected', 'halted'].includes(broker.state)) return;
    const held = new Set<Ticket>(broker.queue);
    // Who reconnects by himself may resume the session with his next connect().
    const mayResume = broker.state === 'disconnected' && broker.config.reconnect === false;
    for (const { ticket, isOver } of this.#tickets) {
      if (isOver || held.has(ticket) || mayResume) continue;
      this.problems.push(`at rest, ${broker.state}: a ticket is ${ticket.state} and not held`);
    }
    for (const { id, ticket } of broker.pending.values()) {
      if (held.has(ticket) || mayResume) continue;
      this.problems.push(`at rest, ${broker.state}: request ${id} is pending, and its stanza ${ticket.state}`);
    }
  }

  /** What a purge sends goes out in front of what was output within it. */
  #checkPurges(): void {
    for (const { purged, inside } of this.#purges) {
      for (const written of this.#written) {
        const last = Math.max(-1, ...purged.map((id) => written.indexOf(id)));
        const first = Math.min(...inside.map((id) => written.indexOf(id)).filter((at) => at >= 0));
        if (first < last)
          this.problems.push(`${inside.join(' ')} within a purge of ${purged.join(' ')}: ${written.join(' ')}`);
      }
    }
  }

  /** Ends everything and waits for whatever was promised. */
  async end(how: 'halt' | 'shutdown'): Promise<void> {
    for (const reaction of this.#reactions) reaction.cancel();
    const closed = this.broker.closed.then(() => 'closed');
    const now = await Promise.race([closed, new Promise((resolve) => setImmediate(resolve, 'open'))]);
    if (now === 'closed' && this.broker.state === 'ready') this.problems.push('closed is settled while ready');
    // A request that was made while ready has its deadline from the call, whatever happens; an abort ends it at once.
    for (const { promise, ready, signal } of this.#requests) {
      const settled = promise.catch(() => undefined);
      if (signal.aborted) await within('a request that was aborted', settled);
      else if (ready) await within('a request made while ready', settled);
    }
    if (how === 'shutdown' && !this.#isHalted()) {
      await within('shutdown()', this.broker.shutdown());
      if (!this.#isHalted() && this.broker.state !== 'idle')
        this.problems.push(`state ${this.broker.state} after shutdown()`);
      const events = this.events.length;
      await pause(10);
      if (this.events.length !== events) {
        this.problems.push(`after shutdown(): ${this.events.slice(events).join(' ')}`);
      }
    }
    this.#checkRest();
    this.broker.halt();
    this.#checkPurges();
    for (const { what, promise } of this.#promises) {
      const outcome: unknown = await within(
        what,
        promise.then(
          () => null,
          (reason: unknown) => reason,
        ),
      );
      if (outcome !== null && !(outcome instanceof BrokerError))
        this.problems.push(`${what} gave something that is no BrokerError`);
    }
    const { pending, queue } = this.broker;
    if (pending.size + queue.size > 0)
      this.problems.push(`${pending.size} requests and ${queue.size} stanzas are left`);
    const listeners = this.#signals.reduce((sum, { signal }) => sum + getEventListeners(signal, 'abort').length, 0);
    if (listeners > 0) this.problems.push(`${listeners} listeners of signals are left`);
    const open = this.#sockets.filter((socket) => !socket.destroyed).length;
    if (open > 0) this.problems.push(`${open} sockets are left open`);
    this.problems.push(...orderProblems(this.events));
  }

  async #does(what: string): Promise<void> {
    const { broker } = this;
    switch (what) {
      case 'connect':
      case 'reconnect': {
        const controller = new AbortController();
        this.#signals.push(controller);
        const from = this.events.length;
        const connected = broker[what]({ signal: controller.signal }).then(
          () => {
            if (!this.events.includes('READY', from)) this.problems.push(`${what}() resolved without READY`);
          },
          (reason: unknown) => {
            if (broker.state === 'ready') this.problems.push(`${what}() rejected while ready: ${shown(reason)}`);
            throw reason;
          },
        );
        connected.catch(() => undefined); // the one we made, not the one we were given
        this.#keep(what, connected);
        this.#live();
        return;
      }
      case 'shutdown':
        this.#keep(what, broker.shutdown());
        return;
      case 'abort':
        this.#signals.at(-1)?.abort();
        return;
      case 'abort requests':
        for (const controller of this.#requestSignals.splice(0)) controller.abort();
        return;
      case 'halt':
        broker.halt();
        return;
      case 'output':
        this.#output();
        return;
      case 'request':
        this.#request();
        return;
      case 'purge':
        this.#purge();
        return;
      case 'drop':
        broker.queue.drop();
        return;
      case 'turn':
        await new Promise((resolve) => setImmediate(resolve));
        return;
      case 'pause':
        await pause(4);
        return;
      case 'until lost':
        for (let look = 0; look < 50 && broker.state === 'ready'; look++) await pause(1);
        return;
      case 'until at rest or ready':
        for (
          let look = 0;
          look < 200 && ['connecting', 'negotiating', 'closing', 'waiting'].includes(broker.state);
          look++
        )
          await pause(1);
    }
  }

  #output(): void {
    const id = this.#nextId();
    const ticket = this.broker.output(xml('message', { to: 'a@b', id }));
    this.#keep('ticket.sent', ticket.sent);
    this.#keep('ticket.acked', ticket.acked);
    const entry = { ticket, isOver: false };
    this.#tickets.push(entry);
    const over = (): void => void (entry.isOver = true);
    ticket.acked.then(over, over);
  }

  #request(): void {
    const id = this.#nextId();
    const controller = new AbortController();
    this.#signals.push(controller);
    this.#requestSignals.push(controller);
    const ready = this.broker.state === 'ready';
    const payload = xml('q', { xmlns: 'urn:x' });
    const promise = this.broker.request(xml('iq', { type: 'get', to: 'a@b', id }, payload), {
      signal: controller.signal,
    });
    this.#keep('request', promise);
    this.#requests.push({ promise, ready, signal: controller.signal });
  }

  #purge(): void {
    const outer = this.#inside;
    const inside: string[] = [];
    this.#inside = inside;
    const purged = this.broker.purgeQueue().map(({ node }) => idOf(node));
    this.#inside = outer;
    this.#purges.push({ purged, inside });
  }

  #nextId(): string {
    this.#sent += 1;
    const id = `m${this.#sent}`;
    this.#inside?.push(id);
    return id;
  }

  async #peerDoes(what: string): Promise<void> {
    for (const conversation of this.peer.conversations) {
      if (what === 'FIN') conversation.end();
      else if (what === 'RST') conversation.reset();
      else if (what === 'end of stream') await conversation.send('</stream:stream>');
      else if (what === 'stanza') await conversation.send(`<message from='a@b' to='${this.broker.config.domain}'/>`);
      else await conversation.send(streamErrorOf(what));
    }
  }

  #once(event: StatusEvent, what: string): void {
    if (this.#isHalted()) return;
    const reaction = this.broker.subscribe(
      event,
      () => {
        if (what === 'throw') throw new Error('a handler failed');
        this.#does(what).catch((error: unknown) => this.#refused(error));
      },
      { once: true },
    );
    this.#reactions.push(reaction);
  }

  #keep(what: string, promise: Promise<unknown>): void {
    this.#promises.push({ what, promise });
  }
}

/** The time limit of a request, in milliseconds. */
const REQUEST_MS = 50;

const idOf = (node: Element): string => node.getAttribute('id') ?? '';

function shown(reason: unknown): string {
  return reason instanceof BrokerError ? `${reason.code}: ${reason.message}` : typeof reason;
}

/** Rejects when a promise does not settle: nothing here takes seconds. */
async function within<T>(what: string, promise: Promise<T>): Promise<T> {
  const late = new AbortController();
  const tooLate = pause(5_000, undefined, { signal: late.signal }).then(() =>
    Promise.reject(new Error(`${what} hangs`)),
  );
  tooLate.catch(() => undefined);
  try {
    return await Promise.race([promise, tooLate]);
  } finally {
    late.abort();
  }
}

const streamErrorOf = (condition: string) =>
  `<stream:error><${condition} xmlns='${NS.STREAMS}'/></stream:error></stream:stream>`;

const NEGOTIATING = [
  ...['CONNECTING', 'CONNECTED', 'STREAMSTART', 'AUTHNEGOTIATE', 'AUTHSUCCESS', 'BINDNEGOTIATE', 'BINDSUCCESS'],
  ...['SM_ENABLED', 'SM_RESUMED', 'SM_FAILED'],
];

/** What handlers of the end bring about before it is told to all. */
const OF_HANDLERS = ['RTS_START', 'RTS_FAIL', 'NODEQUEUED', 'QUEUEFAIL', 'HANDLERERROR'];

/** Each attempt has one outcome, each link one end, and the next attempt begins behind it. */
function orderProblems(events: readonly string[]): string[] {
  const problems: string[] = [];
  let phase: 'rest' | 'attempt' | 'failing' | 'ready' | 'closing' | 'lost' | 'closed' = 'rest';
  let connected = false;
  for (const [index, event] of events.entries()) {
    const wrong = () => problems.push(`${event} in phase ${phase}: ${events.slice(0, index + 1).join(' ')}`);
    if (phase === 'closed' && event !== 'SHUTDOWN_FINISH' && !OF_HANDLERS.includes(event)) phase = 'rest';
    if (event === 'CONNECT') {
      if (phase !== 'rest') wrong();
      phase = 'attempt';
      connected = false;
    } else if (NEGOTIATING.includes(event)) {
      if (phase !== 'attempt') wrong();
      connected ||= event === 'CONNECTED';
    } else if (event === 'READY') {
      if (phase !== 'attempt') wrong();
      phase = 'ready';
    } else if (['CONNECTFAIL', 'AUTHFAIL', 'BINDFAIL'].includes(event)) {
      if (phase !== 'attempt') wrong();
      phase = connected ? 'failing' : 'rest';
    } else if (event === 'SOCKETFAIL') {
      if (phase !== 'attempt' && phase !== 'ready') wrong();
      phase = 'lost';
    } else if (event === 'STREAMEND' || event === 'SHUTDOWN_START') {
      if (phase !== 'failing' && phase !== 'ready' && phase !== 'closing') wrong();
      if (phase === 'ready') phase = 'closing';
    } else if (event === 'SOCKETDISCONNECT') {
      if (!['failing', 'ready', 'closing', 'lost'].includes(phase)) wrong();
      phase = phase === 'lost' ? 'rest' : 'closed';
    } else if (event === 'SHUTDOWN_FINISH') {
      if (phase !== 'closed') wrong();
      phase = 'rest';
    } else if (event === 'NODERECEIVED' && phase !== 'ready' && phase !== 'closing') wrong();
  }
  return problems;
}

/** Timers of this process that are open. */
function openTimers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
}

/** One sequence: what the server does with each connection, the steps, and the end. */
export interface Lifetime<Manner> {
  readonly manners: readonly Manner[];
  readonly steps: readonly WorldStep[];
  readonly reconnect: boolean;
  readonly end: 'halt' | 'shutdown';
}

/** A kind of server, with the broker that is meant for it. */
export interface Server<Manner extends string> {
  readonly broker: WorldOptions['broker'];
  readonly manners: readonly Manner[];
  serve(conversation: Conversation, manner: Manner): Promise<void>;
}

/** Lives side by side, most of which wait. Takes the steps, ends everything, and expects that nothing is wrong then. */
export async function live<Manner extends string>(
  server: Server<Manner | 'good'>,
  ...lifetimes: readonly Lifetime<Manner>[]
): Promise<void> {
  const problems: unknown[] = [];
  const onUnhandled = (reason: unknown) => void problems.push(reason);
  process.on('unhandledRejection', onUnhandled).on('uncaughtException', onUnhandled);
  const timers = openTimers();
  const ended = await Promise.allSettled(lifetimes.map((lifetime) => liveOnce(server, lifetime)));
  process.off('unhandledRejection', onUnhandled).off('uncaughtException', onUnhandled);
  for (let look = 0; look < 100 && openTimers() > timers; look++) await new Promise((resolve) => setImmediate(resolve));
  if (openTimers() > timers) problems.push(`${openTimers() - timers} timers are left`);
  const failed = ended.find((one) => one.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  expect(problems).toEqual([]);
}

async function liveOnce<Manner extends string>(
  { broker, serve }: Server<Manner | 'good'>,
  { manners, steps, reconnect, end }: Lifetime<Manner>,
): Promise<void> {
  const peer = await ScriptedPeer.listen({
    script: (conversation, index) => serve(conversation, manners[index] ?? 'good').catch(() => undefined),
  });
  const world = new World(peer, { broker, reconnect });
  try {
    for (const step of steps) await world.run(step);
    await world.end(end);
  } finally {
    world.broker.halt();
    await peer.close();
  }
  expect(world.problems, world.events.join(' ')).toEqual([]);
}

/** Lives that go on at a time. */
const AT_ONCE = 10;

/** Lets anything happen, in any order, many times. */
export async function liveAnyhow<Manner extends string>(server: Server<Manner | 'good'>, lives = 150): Promise<void> {
  const lifetimes = fc.record({
    manners: fc.array(fc.constantFrom(...server.manners), { maxLength: 8, size: 'max' }),
    steps: anySteps,
    reconnect: fc.boolean(),
    end: fc.constantFrom('halt' as const, 'shutdown' as const),
  });
  const together = fc.array(lifetimes, { minLength: AT_ONCE, maxLength: AT_ONCE, size: 'max' });
  const property = fc.asyncProperty(together, (some) => live(server, ...some));
  // What fails is made smaller for a while only: each try may wait for what hangs.
  await fc.assert(property, { numRuns: Math.ceil(lives / AT_ONCE), plugins: [fc.interruptAfterTimeLimit(60_000)] });
}
