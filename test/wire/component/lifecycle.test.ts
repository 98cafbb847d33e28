import { describe, expect, it } from 'vitest';
import type { StatusEvent } from 'xmpp-broker';
import { COMPONENT, header } from '../support/component.js';
import { OPENING, ScriptedPeer, streamError, type Conversation } from '../support/index.js';
import { live, liveAnyhow, REACTIONS, World, type WorldStep } from '../support/world.js';

/** What the server does with one connection. */
const MANNERS = ['good', 'good', 'good', 'deaf', 'refuses', 'silent', 'closes', 'resets', 'breaks'] as const;
type Manner = (typeof MANNERS)[number];

async function serve(conversation: Conversation, manner: Manner): Promise<void> {
  if (manner === 'resets') {
    conversation.reset();
    return;
  }
  await conversation.expect(OPENING);
  if (manner === 'silent') return conversation.ended;
  await conversation.send(header());
  if (manner === 'closes') {
    conversation.end();
    return;
  }
  await conversation.expect('</handshake>');
  if (manner === 'refuses') {
    await conversation.send(`${streamError('not-authorized')}</stream:stream>`);
    conversation.end();
    return;
  }
  await conversation.send(manner === 'breaks' ? '<handshake/><a></b>' : '<handshake/>');
  await conversation.expect('</stream:stream>');
  if (manner === 'deaf') return conversation.ended;
  await conversation.send('</stream:stream>');
  conversation.end();
}

const SERVER = { broker: COMPONENT.options, manners: MANNERS, serve };

describe('G10 S-CONN-8 S-CONN-13: whatever happens, in whatever order', () => {
  /** Steps that once went wrong. */
  it.each<[string, Manner[], WorldStep[], boolean, 'halt' | 'shutdown']>([
    ['connect behind a shutdown that is going on', [], ['connect', 'shutdown', 'connect'], false, 'halt'],
    ['shutdown behind that', [], ['connect', 'shutdown', 'connect', 'shutdown'], false, 'shutdown'],
    [
      'shutdown while a lost link is being closed',
      [],
      ['connect', 'until at rest or ready', 'peer: system-shutdown', 'turn', 'turn', 'shutdown'],
      true,
      'shutdown',
    ],
    [
      'the same behind broken XML',
      ['breaks'],
      ['connect', 'until at rest or ready', 'turn', 'shutdown'],
      true,
      'shutdown',
    ],
    [
      'shutdown in PCJ_CONNECT, then connect',
      [],
      ['in PCJ_CONNECT: shutdown', 'connect', 'until at rest or ready', 'connect', 'until at rest or ready'],
      false,
      'halt',
    ],
    [
      'halt in a purge, then connect',
      [],
      ['output', 'output', 'output', 'connect', 'until at rest or ready', 'in PCJ_NODESENT: halt', 'purge', 'connect'],
      false,
      'halt',
    ],
    [
      'connect and shutdown by a handler',
      [],
      ['when ready: shutdown', 'when lost: connect', 'connect'],
      true,
      'shutdown',
    ],
  ])('%s', async (_, manners, steps, reconnect, end) => {
    await live(SERVER, ...Array.from({ length: 5 }, () => ({ manners, steps, reconnect, end })));
  });

  /** A life that publishes each event of a link, and what a handler does in the middle of it. */
  const LIVES: readonly (readonly [event: StatusEvent, manner: Manner, behind: readonly WorldStep[]])[] = [
    ['PCJ_CONNECT', 'good', []],
    ['PCJ_CONNECTING', 'good', []],
    ['PCJ_CONNECTED', 'good', []],
    ['PCJ_STREAMSTART', 'good', []],
    ['PCJ_AUTHNEGOTIATE', 'good', []],
    ['PCJ_AUTHSUCCESS', 'good', []],
    ['PCJ_AUTHFAIL', 'refuses', []],
    ['PCJ_CONNECTFAIL', 'silent', []],
    ['PCJ_SOCKETFAIL', 'resets', []],
    ['PCJ_SOCKETDISCONNECT', 'refuses', []],
    ['PCJ_RECONNECTING', 'refuses', []],
    ['PCJ_READY', 'good', []],
    ['PCJ_SOCKETFAIL', 'good', ['peer: RST']],
    ['PCJ_SOCKETDISCONNECT', 'good', ['peer: RST']],
    ['PCJ_RECONNECTING', 'good', ['peer: RST']],
    ['PCJ_SOCKETFAIL', 'good', ['peer: system-shutdown']],
    ['PCJ_STREAMEND', 'good', ['peer: end of stream']],
    ['PCJ_SOCKETDISCONNECT', 'good', ['peer: end of stream']],
    ['PCJ_SHUTDOWN_START', 'good', ['shutdown']],
    ['PCJ_STREAMEND', 'good', ['shutdown']],
    ['PCJ_SOCKETDISCONNECT', 'good', ['shutdown']],
    ['PCJ_SHUTDOWN_FINISH', 'good', ['shutdown']],
  ];

  it.each(LIVES)('faults B: in the middle of %s (%s, %j) whatever a handler does', async (event, manner, behind) => {
    const lives = REACTIONS.flatMap((what) => {
      const steps: WorldStep[] = ['output', `in ${event}: ${what}`, 'connect', 'until at rest or ready', ...behind];
      steps.push('until lost', 'until at rest or ready');
      return [true, false].map((reconnect) => ({ manners: [manner], steps, reconnect, end: 'shutdown' as const }));
    });
    await live(SERVER, ...lives);
  });

  it('connect, shutdown, connect: the last word counts', async () => {
    await using peer = await ScriptedPeer.listen({ script: (conversation) => serve(conversation, 'good') });
    const world = new World(peer, { broker: COMPONENT.options, reconnect: false });
    const { broker } = world;
    const first = broker.connect();
    const down = broker.shutdown();
    const second = broker.connect();
    await expect(first).rejects.toMatchObject({ code: 'CONNECT_SUPERSEDED' });
    await down;
    await second;
    expect(broker.state).toBe('ready');
    const { closed } = broker;
    await broker.shutdown();
    expect(await closed).toEqual({ clean: true });
    await world.end('halt');
    expect(world.problems).toEqual([]);
  });

  it('connect, shutdown, connect, shutdown: nothing is dialled any more', async () => {
    await using peer = await ScriptedPeer.listen({ script: (conversation) => serve(conversation, 'good') });
    const world = new World(peer, { broker: COMPONENT.options, reconnect: false });
    const { broker } = world;
    const first = broker.connect();
    const downs = [broker.shutdown()];
    const second = broker.connect();
    downs.push(broker.shutdown());
    await expect(first).rejects.toMatchObject({ code: 'CONNECT_SUPERSEDED' });
    await expect(second).rejects.toMatchObject({ code: 'CONNECT_ABORTED' });
    await Promise.all(downs);
    expect(broker.state).toBe('idle');
    expect(await broker.closed).toMatchObject({ clean: true });
    await world.end('shutdown');
    expect(world.problems).toEqual([]);
  });

  it(
    'one socket at a time, one outcome for each attempt, every promise settles, nothing is left',
    { timeout: 120_000 },
    () => liveAnyhow(SERVER),
  );
});
