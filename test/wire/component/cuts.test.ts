import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { Broker, BrokerError, type BrokerOptions } from 'xmpp-broker';
import {
  brokerOptions,
  OPEN,
  OPENING,
  ScriptedPeer,
  stopClock,
  TAIL,
  trace,
  type Conversation,
  type StoppedClock,
  type Trace,
} from '../support/index.js';
import { COMPONENT, header, SUCCESS } from '../support/component.js';

const HEADER = header();
const TRANSCRIPT = Buffer.from(`${HEADER}<handshake/>`);
/** How many attempts run at the same time. */
const AT_ONCE = 20;

const ASKED = SUCCESS.slice(0, 7);

type Cut = 'end' | 'reset' | 'stall';

const component = (port: number, options: Partial<BrokerOptions> = {}) =>
  new Broker({ ...brokerOptions(COMPONENT, port), ...options });

/** Sends the first bytes of the transcript, the handshake's answer only when we were asked. */
async function serve(conversation: Conversation, bytes: number): Promise<void> {
  await conversation.expect(OPENING);
  await conversation.sendBytes(TRANSCRIPT.subarray(0, Math.min(bytes, HEADER.length)));
  if (bytes < HEADER.length) return;
  await conversation.expect('</handshake>');
  await conversation.sendBytes(TRANSCRIPT.subarray(HEADER.length, bytes));
}

/** Timers and sockets that are open in this process. */
function resources(): Record<string, number> {
  const counted: Record<string, number> = { Timeout: 0, TCPSocketWrap: 0, TCPConnectWrap: 0 };
  for (const name of process.getActiveResourcesInfo()) if (name in counted) counted[name] = counted[name]! + 1;
  return counted;
}

/** What is open now and was not before. What else was open then may be gone. */
function leftOver(before: Record<string, number>): string[] {
  const now = resources();
  return Object.keys(now).filter((name) => now[name]! > before[name]!);
}

describe('A-NEG-14: FIN, RST and silence at every byte of the negotiation', () => {
  let peer: ScriptedPeer;
  let cut: Cut = 'end';
  const lengths = Array.from({ length: TRANSCRIPT.length }, (_, index) => index);
  const unhandled: unknown[] = [];
  const onUnhandled = (reason: unknown) => unhandled.push(reason);

  beforeAll(() => {
    process.on('unhandledRejection', onUnhandled).on('uncaughtException', onUnhandled);
  });
  afterAll(() => {
    process.off('unhandledRejection', onUnhandled).off('uncaughtException', onUnhandled);
  });
  afterEach(async () => {
    await peer.close();
  });

  /** One attempt that is cut behind so many bytes. To `served` goes a promise that its server has said them. */
  async function attempt(
    bytes: number,
    served: Promise<void>[],
  ): Promise<{ recorded: Trace; error: BrokerError; broker: Broker }> {
    let onServed: () => void;
    served.push(new Promise((resolve) => (onServed = resolve)));
    const one = await ScriptedPeer.listen({
      script: async (conversation) => {
        await serve(conversation, bytes);
        onServed();
        if (cut === 'end') conversation.end();
        else if (cut === 'reset') conversation.reset();
        else await conversation.ended;
        conversation.end();
      },
    });
    const broker = component(one.port);
    const recorded = trace(broker);
    const { closed } = broker;
    const error: unknown = await broker.connect().then(
      () => null,
      (caught: unknown) => caught,
    );
    expect(error, `cut at ${bytes}`).toBeInstanceOf(BrokerError);
    expect(await closed).toEqual({ clean: false, error });
    expect(broker.state).toBe('disconnected');
    await one.close();
    return { recorded, error: error as BrokerError, broker };
  }

  /** Every attempt. Time passes only once all servers are silent. */
  async function attempts(clock: StoppedClock): Promise<Map<number, Awaited<ReturnType<typeof attempt>>>> {
    const results = new Map<number, Awaited<ReturnType<typeof attempt>>>();
    for (let from = 0; from < lengths.length; from += AT_ONCE) {
      const served: Promise<void>[] = [];
      const ended = lengths.slice(from, from + AT_ONCE).map(async (bytes) => {
        results.set(bytes, await attempt(bytes, served));
      });
      await Promise.all(served);
      await (cut === 'stall' ? clock.until(Promise.all(ended)) : Promise.all(ended));
    }
    return results;
  }

  it.each(['end', 'reset', 'stall'] as const)('%s', { timeout: 60_000 }, async (how) => {
    cut = how;
    peer = await ScriptedPeer.listen({ script: (conversation) => serve(conversation, TRANSCRIPT.length) });
    const before = resources();
    const results = await attempts(stopClock());
    for (const [bytes, { recorded, error, broker }] of results) {
      const begun = bytes < HEADER.length ? OPEN : ASKED;
      const where = `cut at ${bytes}`;
      if (how === 'stall') {
        const [code, event] = bytes < HEADER.length ? ['STREAM_TIMEOUT', 'CONNECTFAIL'] : ['SASL_TIMEOUT', 'AUTHFAIL'];
        expect(error, where).toMatchObject({
          code,
          phase: bytes < HEADER.length ? 'pre-tls' : 'auth',
          retryable: true,
        });
        expect(recorded.short, where).toEqual([...begun, event, ...TAIL]);
      } else {
        expect(error, where).toMatchObject({ layer: 'tcp', retryable: true });
        expect(error.code, where).toMatch(how === 'end' ? /^STREAM_CLOSED$/ : /^(TCP_RESET|STREAM_CLOSED)$/);
        expect(error.phase, where).toBe(bytes < HEADER.length ? 'pre-tls' : 'auth');
        expect(recorded.short, where).toEqual([...begun, 'SOCKETFAIL', 'SOCKETDISCONNECT']);
      }
      expect(broker.pending.size + broker.queue.size).toBe(0);
    }
    // The same broker connects as if nothing had been.
    const last = results.get(TRANSCRIPT.length - 1)!;
    await last.broker.connect({ port: peer.port });
    expect(last.broker.state).toBe('ready');
    expect(last.recorded.short.slice(-SUCCESS.length)).toEqual(SUCCESS);
    for (const { broker } of results.values()) broker.halt();
    for (const conversation of peer.conversations) conversation.destroy();
    await expect.poll(() => leftOver(before)).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
    expect(unhandled).toEqual([]);
  });

  it('before the first byte: a server that accepts and closes at once', async () => {
    peer = await ScriptedPeer.listen({
      script: (conversation, index) => {
        if (index === 0) conversation.end();
        else conversation.reset();
        return Promise.resolve();
      },
    });
    for (const round of [0, 1]) {
      const broker = component(peer.port);
      const recorded = trace(broker);
      const error: unknown = await broker.connect().catch((caught: unknown) => caught);
      expect(error).toMatchObject({ layer: 'tcp' });
      expect(
        recorded.short.filter((name) => name.endsWith('FAIL')),
        `round ${round}`,
      ).toHaveLength(1);
      expect(recorded.short.at(-1)).toMatch(/^(SOCKETDISCONNECT|CONNECTFAIL)$/);
    }
  });
});
