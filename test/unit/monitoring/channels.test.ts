import { channel, subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel';
import { describe, expect, test } from 'vitest';
import EVENTS from '../../../src/events.js';
import { Life } from './life.js';

/** Collects the messages of channels while a function runs. */
async function heard(names: readonly string[], run: () => Promise<void>): Promise<{ name: string; message: never }[]> {
  const all: { name: string; message: never }[] = [];
  const listen = (message: unknown, name: string | symbol) =>
    all.push({ name: String(name), message: message as never });
  for (const name of names) subscribe(name, listen);
  try {
    await run();
  } finally {
    for (const name of names) unsubscribe(name, listen);
  }
  return all;
}

const steps = (name: string) =>
  ['start', 'end', 'asyncStart', 'asyncEnd', 'error'].map((step) => `tracing:xmpp-broker:${name}:${step}`);

describe('channels', () => {
  test('there is one for each status event, with the broker and what subscribers get', async () => {
    await using life = await Life.begin();
    const seen: { event: string; payload: unknown }[] = [];
    for (const event of Object.keys(EVENTS)) {
      life.peer.subscribe(event as never, (payload: unknown) => seen.push({ event, payload }));
    }
    const names = Object.keys(EVENTS).map((name) => `xmpp-broker:${name}`);
    const all = await heard(names, () => life.live());
    const mine = all.filter(({ message }: { message: { broker: unknown } }) => message.broker === life.peer);
    expect(
      mine.map(({ message: { event, payload } }: { message: { event: string; payload: unknown } }) => ({
        event,
        payload,
      })),
    ).toEqual(seen);
    expect(mine.map(({ name }) => name)).toContain('xmpp-broker:PCJ_READY');
    expect(mine.map(({ name }) => name)).toContain('xmpp-broker:PCJ_NODESENT');
  });

  test('what is sent is shown when nobody but a channel hears it', async () => {
    await using life = await Life.begin();
    const all = await heard(['xmpp-broker:PCJ_NODESENT'], () => life.live());
    const sent = all.map(({ message }: { message: { payload: unknown } }) => String(message.payload));
    expect(sent.some((text) => text.includes('hello'))).toBe(true);
    // What signs in is not shown, as in the events.
    expect(sent.join()).not.toMatch(/<handshake[^>]*>[0-9a-f]+/);
  });

  test('attempts, requests and handlers are traced to their end, with their error', async () => {
    await using life = await Life.begin();
    const all = await heard(['connect', 'request', 'handler'].flatMap(steps), () => life.live());
    const count = (name: string) => all.filter((one) => one.name === `tracing:xmpp-broker:${name}`).length;
    expect(['connect:start', 'connect:end', 'connect:asyncEnd', 'connect:error'].map(count)).toEqual([2, 2, 2, 0]);
    expect(['request:start', 'request:asyncEnd', 'request:error'].map(count)).toEqual([2, 2, 1]);
    const requests = all.filter(({ name }) => name.endsWith('request:start')).map(({ message }) => message);
    expect(requests).toMatchObject([
      { broker: life.peer, name: 'iq', payload: 'query', namespace: 'urn:test', to: 'echo.localhost', event: null },
      { namespace: 'urn:unknown', error: { code: 'STANZA_ERROR', condition: 'service-unavailable' } },
    ]);
    const failed = all.filter(({ name }) => name.endsWith('handler:error')).map(({ message }) => message);
    expect(failed).toMatchObject([{ broker: life.echo, error: new Error('a bug') }]);
    // Every call of a handler that begins ends.
    const begun = all.filter(({ name }) => name.endsWith('handler:start')).map(({ message }) => message);
    const ended = all
      .filter(
        ({ name, message }) =>
          name.endsWith(':asyncEnd') || (name.endsWith(':end') && (message as { goesOn?: boolean }).goesOn !== true),
      )
      .map(({ message }) => message);
    for (const one of begun) expect(ended).toContain(one);
  });

  test('an attempt that fails says why', async () => {
    await using life = await Life.begin();
    await life.server.stop();
    const all = await heard(steps('connect'), async () => {
      await life.peer.connect().catch(() => undefined);
    });
    expect(all.map(({ name }) => name.replace('tracing:xmpp-broker:connect:', ''))).toEqual([
      'start',
      'end',
      'error',
      'asyncStart',
      'asyncEnd',
    ]);
    expect(all[0]?.message).toMatchObject({
      domain: 'peer.localhost',
      host: '127.0.0.1',
      error: { code: 'TCP_REFUSED' },
    });
  });

  test('nobody listens by default', () => {
    for (const event of Object.keys(EVENTS)) expect(channel(`xmpp-broker:${event}`).hasSubscribers).toBe(false);
    for (const name of ['connect', 'request', 'handler']) {
      expect(tracingChannel(`xmpp-broker:${name}`).start.hasSubscribers).toBe(false);
    }
  });
});
