import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { Broker, BrokerError, NS, XMPP } from 'xmpp-broker';
import { trace, type Trace } from '../support/trace.js';
import {
  BIND,
  type Conversation,
  features,
  mechanisms,
  OPENING,
  PROCEED,
  ScriptedPeer,
  SM,
  STARTTLS,
  stopClock,
  streamHeader,
} from './support/index.js';

/** How many attempts run at the same time. */
const AT_ONCE = 40;

/** What the server waits for, and what it says then; `@` stands for the id of the last iq. */
type Step = readonly [after: RegExp, bytes: string];

const bound = `<iq type='result' id='@'><bind xmlns='${NS.BIND}'><jid>x@localhost/y</jid></bind></iq>`;
const enabled = `<enabled xmlns='${NS.SM}' id='s'/>`;

/** Signing in without TLS, with the one mechanism whose transcript is always the same. */
const SIGN_IN: readonly Step[] = [
  [OPENING, streamHeader({ id: 'a' }) + features(mechanisms('ANONYMOUS'))],
  [/<\/auth>/, `<success xmlns='${NS.SASL}'/>`],
  [OPENING, streamHeader({ id: 'b' }) + features(BIND, SM)],
  [/<iq[^>]* id='[^']+'.*?<\/iq>/, bound],
  [/<enable [^>]*\/>/, enabled],
];

/** Up to the handshake. */
const TO_TLS: readonly Step[] = [
  [OPENING, streamHeader({ id: 'a' }) + features(STARTTLS, mechanisms('ANONYMOUS'))],
  [/<starttls[^>]*\/>/, PROCEED],
];

const lengthOf = (steps: readonly Step[]): number => steps.reduce((sum, [, bytes]) => sum + bytes.length, 0);

/** Sends the first bytes of the transcript, each step when we have asked for it. */
async function serve(conversation: Conversation, steps: readonly Step[], bytes: number): Promise<void> {
  let left = bytes;
  for (const [after, text] of steps) {
    const asked = await conversation.expect(after);
    const id = / id='([^']+)'/.exec(asked)?.[1] ?? '';
    // Cut first: the id is longer than what stands for it.
    await conversation.send(text.slice(0, left).replace('@', id));
    if (left < text.length) return;
    left -= text.length;
  }
}

/** Timers and sockets that are open in this process. */
function resources(): Record<string, number> {
  const counted: Record<string, number> = { Timeout: 0, TCPSocketWrap: 0, TCPConnectWrap: 0 };
  for (const name of process.getActiveResourcesInfo()) if (name in counted) counted[name] = counted[name]! + 1;
  return counted;
}

describe('A-NEG-14: FIN, RST and silence at every byte of a client’s negotiation', () => {
  const unhandled: unknown[] = [];
  const onUnhandled = (reason: unknown) => unhandled.push(reason);
  const brokers: Broker[] = [];

  beforeAll(() => {
    process.on('unhandledRejection', onUnhandled).on('uncaughtException', onUnhandled);
  });
  afterEach(() => {
    for (const broker of brokers.splice(0)) broker.halt();
  });
  afterAll(() => {
    process.off('unhandledRejection', onUnhandled).off('uncaughtException', onUnhandled);
  });

  interface Outcome {
    readonly recorded: Trace;
    readonly error: BrokerError;
    readonly said: string;
  }

  /** One attempt that is cut behind so many bytes. To `served` goes a promise that its server has said them. */
  async function attempt(
    steps: readonly Step[],
    bytes: number,
    how: 'end' | 'reset' | 'stall',
    served: Promise<void>[],
  ): Promise<Outcome> {
    let onServed: () => void;
    served.push(new Promise((resolve) => (onServed = resolve)));
    const peer = await ScriptedPeer.listen({
      script: async (conversation) => {
        await serve(conversation, steps, bytes);
        onServed();
        if (how === 'end') conversation.end();
        else if (how === 'reset') conversation.reset();
        await conversation.ended;
        conversation.end();
      },
    });
    const broker = new Broker({
      connectionType: XMPP.with({ mechanisms: ['ANONYMOUS'] }),
      host: '127.0.0.1',
      port: peer.port,
      domain: 'localhost',
      reconnect: false,
      logger: false,
      tls: { policy: steps === TO_TLS ? 'required' : 'disabled' },
    });
    brokers.push(broker);
    const recorded = trace(broker);
    const { closed } = broker;
    const error: unknown = await broker.connect().then(
      () => null,
      (caught: unknown) => caught,
    );
    expect(error, `cut at ${String(bytes)}`).toBeInstanceOf(BrokerError);
    expect(await closed).toEqual({ clean: false, error });
    expect(broker.state).toBe('disconnected');
    expect(broker.pending.size + broker.queue.size).toBe(0);
    const said = peer.conversations.map((conversation) => conversation.received.toString()).join('');
    await peer.close();
    return { recorded, error: error as BrokerError, said };
  }

  it.each(
    (['end', 'reset', 'stall'] as const).flatMap(
      (how) =>
        [
          [how, 'of the sign-in', SIGN_IN],
          [how, 'of STARTTLS', TO_TLS],
        ] as const,
    ),
  )('%s, %s', { timeout: 60_000 }, async (how, _, steps) => {
    const clock = stopClock();
    const before = resources();
    const length = lengthOf(steps) + (steps === TO_TLS ? 1 : 0);
    for (let from = 0; from < length; from += AT_ONCE) {
      const lengths = Array.from({ length: Math.min(AT_ONCE, length - from) }, (_unused, index) => from + index);
      const served: Promise<void>[] = [];
      const ended = Promise.all(
        lengths.map(async (bytes) => {
          const { recorded, error, said } = await attempt(steps, bytes, how, served);
          const where = `cut at ${String(bytes)}: ${error.message}`;
          expect(error.retryable, where).toBe(true);
          expect(error.code, where).toMatch(
            how === 'stall' ? /_TIMEOUT$|^TLS_HANDSHAKE$/ : /^(STREAM_CLOSED|TCP_RESET|TCP_FAILED|TLS_HANDSHAKE)$/,
          );
          expect(
            recorded.short.filter((name) => name.endsWith('FAIL')),
            where,
          ).toHaveLength(1);
          expect(recorded.short, where).not.toContain('READY');
          expect(recorded.short.at(-1), where).toMatch(/^(SOCKETDISCONNECT|SHUTDOWN_FINISH)$/);
          if (steps === TO_TLS) expect(said, where).not.toContain('<auth');
        }),
      );
      // Time passes only once all servers are silent.
      await Promise.race([Promise.all(served), ended]);
      await (how === 'stall' ? clock.until(ended) : ended);
    }
    await expect
      .poll(() => {
        const now = resources();
        return Object.keys(now).filter((name) => now[name]! > before[name]!);
      })
      .toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
    expect(unhandled).toEqual([]);
  });

  it('and the whole of it is a sign-in', async () => {
    const peer = await ScriptedPeer.listen({
      script: (conversation) => serve(conversation, SIGN_IN, lengthOf(SIGN_IN)),
    });
    const broker = new Broker({
      connectionType: XMPP.with({ mechanisms: ['ANONYMOUS'] }),
      host: '127.0.0.1',
      port: peer.port,
      domain: 'localhost',
      logger: false,
      tls: { policy: 'disabled' },
    });
    brokers.push(broker);
    await broker.connect();
    expect(broker.jid?.toString()).toBe('x@localhost/y');
    broker.halt();
    await peer.close();
  });
});
