import fc from 'fast-check';
import { getEventListeners } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'vitest';
import { Broker, BrokerError, NS, xml, type BrokerOptions, type StatusEvent, type Subscription } from 'xmpp-broker';
import { ALL_EVENTS } from '../../support/trace.js';
import type { Conversation } from './conversation.js';
import { ScriptedPeer } from './scripted-peer.js';

/** What a program and its server may do at any time. */
export const STEPS = [
  ...['connect', 'reconnect', 'shutdown', 'abort'],
  ...['peer: FIN', 'peer: RST', 'peer: end of stream', 'peer: system-shutdown', 'peer: conflict', 'peer: stanza'],
  ...['output', 'request', 'purge', 'drop', 'turn', 'pause', 'until at rest or ready'],
  ...['when lost: connect', 'when lost: shutdown', 'when ready: shutdown', 'when ready: connect', 'when ready: throw'],
] as const;
export type WorldStep = (typeof STEPS)[number];

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
        arbitrary: fc.constantFrom<readonly WorldStep[]>(['peer: RST', 'until at rest or ready'], ['pause']),
      },
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
      timeouts: { stream: 40, auth: 40, bind: 40, close: 40 },
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
    this.#keep('closed', this.broker.closed);
  }

  async run(step: WorldStep): Promise<void> {
    const [when, what] = step.split(': ', 2) as [string, string | undefined];
    if (when === 'peer') await this.#peerDoes(what!);
    else if (when === 'when lost') this.#once('PCJ_SOCKETDISCONNECT', what!);
    else if (when === 'when ready') this.#once('PCJ_READY', what!);
    else await this.#does(step);
  }

  /** Ends everything and waits for whatever was promised. */
  async end(how: 'halt' | 'shutdown'): Promise<void> {
    for (const reaction of this.#reactions) reaction.cancel();
    const closed = this.broker.closed.then(() => 'closed');
    const now = await Promise.race([closed, new Promise((resolve) => setImmediate(resolve, 'open'))]);
    if (now === 'closed' && this.broker.state === 'ready') this.problems.push('closed is settled while ready');
    if (how === 'shutdown') {
      await within('shutdown()', this.broker.shutdown());
      if (this.broker.state !== 'idle') this.problems.push(`state ${this.broker.state} after shutdown()`);
      const events = this.events.length;
      await pause(10);
      if (this.events.length !== events) {
        this.problems.push(`after shutdown(): ${this.events.slice(events).join(' ')}`);
      }
    }
    this.broker.halt();
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
        return;
      }
      case 'shutdown':
        this.#keep(what, broker.shutdown());
        return;
      case 'abort':
        this.#signals.at(-1)?.abort();
        return;
      case 'output': {
        this.#sent += 1;
        const ticket = broker.output(xml('message', { to: 'a@b', id: `m${this.#sent}` }));
        this.#keep('ticket.sent', ticket.sent);
        this.#keep('ticket.acked', ticket.acked);
        return;
      }
      case 'request':
        this.#keep(what, broker.request(xml('iq', { type: 'get', to: 'a@b' }, xml('q', { xmlns: 'urn:x' }))));
        return;
      case 'purge':
        broker.purgeQueue();
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
      case 'until at rest or ready':
        for (
          let look = 0;
          look < 200 && ['connecting', 'negotiating', 'closing', 'waiting'].includes(broker.state);
          look++
        )
          await pause(1);
    }
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
    const reaction = this.broker.subscribe(
      event,
      () => {
        if (what === 'throw') throw new Error('a handler failed');
        void this.#does(what);
      },
      { once: true },
    );
    this.#reactions.push(reaction);
  }

  #keep(what: string, promise: Promise<unknown>): void {
    this.#promises.push({ what, promise });
  }
}

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

/** Each attempt has one outcome, each link one end, and the next attempt begins behind it. */
function orderProblems(events: readonly string[]): string[] {
  const problems: string[] = [];
  let phase: 'rest' | 'attempt' | 'failing' | 'ready' | 'closing' | 'lost' | 'closed' = 'rest';
  let connected = false;
  for (const [index, event] of events.entries()) {
    const wrong = () => problems.push(`${event} in phase ${phase}: ${events.slice(0, index + 1).join(' ')}`);
    if (phase === 'closed' && event !== 'SHUTDOWN_FINISH' && event !== 'RTS_FAIL') phase = 'rest';
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

/** Takes the steps, ends everything, and expects that nothing is wrong then. Beyond its manners the server is good. */
export async function live<Manner extends string>(
  { broker, serve }: Server<Manner | 'good'>,
  { manners, steps, reconnect, end }: Lifetime<Manner>,
): Promise<void> {
  const problems: unknown[] = [];
  const onUnhandled = (reason: unknown) => void problems.push(reason);
  process.on('unhandledRejection', onUnhandled).on('uncaughtException', onUnhandled);
  const timers = openTimers();
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
    process.off('unhandledRejection', onUnhandled).off('uncaughtException', onUnhandled);
  }
  for (let look = 0; look < 100 && openTimers() > timers; look++) await new Promise((resolve) => setImmediate(resolve));
  if (openTimers() > timers) problems.push(`${openTimers() - timers} timers are left`);
  expect([...problems, ...world.problems], world.events.join(' ')).toEqual([]);
}

/** Lets anything happen, in any order, 150 times. */
export async function liveAnyhow<Manner extends string>(server: Server<Manner | 'good'>): Promise<void> {
  const lifetimes = fc.record({
    manners: fc.array(fc.constantFrom(...server.manners), { maxLength: 8, size: 'max' }),
    steps: anySteps,
    reconnect: fc.boolean(),
    end: fc.constantFrom('halt' as const, 'shutdown' as const),
  });
  const property = fc.asyncProperty(lifetimes, (lifetime) => live(server, lifetime));
  await fc.assert(property, { numRuns: 150, endOnFailure: false });
}
