// What a dialect reads behind the pause between the opening of the stream and signing in.
import { expect, it } from 'vitest';
import type { StreamHeader } from 'xmpp-broker';
import { Gate, inTwoSteps } from '../../../src/jabber-connection/paused-negotiation.js';
import type { Dialect, Negotiation } from '../../../src/protocols/dialect.js';
import type { Element } from '../../../src/xml/element.js';
import { parse } from '../../../src/xml/tokenizer/parse.js';
import { failure } from '../../support/failure.js';

const HEADER = { id: 's' } as unknown as StreamHeader;
const iq = (id: string, type = 'result') => parse(`<iq xmlns='jabber:client' id='${id}' type='${type}'/>`);

/**
 * What a dialect does behind the gate, with a stream that brings these elements: `early` ones while it is closed. The read that
 * waits then takes what comes first of `late`, or its time runs out when there is nothing.
 */
async function behind<T>(
  { early = [], late = [] }: { early?: Element[]; late?: (Element | Error)[] },
  negotiate: (session: Negotiation) => Promise<T>,
): Promise<{ result: T; did: string[] }> {
  const did: string[] = [];
  const waiting = [...early];
  let take: ((element: Element) => boolean) | undefined;
  let answer: (element: Element) => void = () => undefined;
  let fail: (error: unknown) => void = () => undefined;
  const session = {
    config: { username: undefined, resource: undefined },
    open: () => Promise.resolve((did.push('open'), HEADER)),
    restart: () => Promise.resolve((did.push('restart'), HEADER)),
    send: () => void did.push('send'),
    request: () => Promise.resolve((did.push('request'), iq('session'))),
    next: (match?: (element: Element) => boolean) => {
      did.push('next');
      const next = waiting.shift();
      if (next !== undefined) return Promise.resolve(next);
      take = match;
      return new Promise<Element>((resolve, reject) => ([answer, fail] = [resolve, reject]));
    },
  } as unknown as Negotiation;
  const gate = new Gate();
  let result: unknown;
  const dialect = {
    name: 'x',
    negotiate: async (paused: Negotiation) => (result = await negotiate(paused)),
  } as unknown as Dialect;
  const running = Promise.resolve(inTwoSteps(dialect, () => gate).negotiate(session));
  running.catch(() => undefined);
  await gate.reached.promise;
  gate.credentials.resolve({ username: 'u', password: 'p', resource: 'r' });
  await new Promise(setImmediate);
  for (const one of late) {
    if (one instanceof Error) fail(one);
    else if (take?.(one) !== false) answer(one);
    else did.push('left');
    await new Promise(setImmediate);
  }
  await running;
  return { result: result as T, did };
}

const features = parse('<features xmlns="http://etherx.jabber.org/streams"/>');

it('has who signs in, and the header that was read', async () => {
  const { result, did } = await behind({}, async (session) => {
    const { username, resource } = session.config;
    return [username, resource, await session.password(), await session.open(), await session.open()];
  });
  expect(result).toEqual(['u', 'r', 'p', HEADER, HEADER]);
  // The second one is a stream of its own.
  expect(did.filter((what) => what === 'open')).toHaveLength(2);
});

it('reads what came early first, and leaves out what is not wanted', async () => {
  const early = [iq('1'), features, iq('2')];
  const { result } = await behind({ early }, async (session) => [
    await session.next(({ localName }) => localName === 'features'),
    await session.next(),
  ]);
  expect(result).toEqual([features, early[2]]);
});

it('goes on with the read that was waiting, which takes what is wanted now', async () => {
  const { result, did } = await behind({ late: [iq('1'), iq('2')] }, (session) =>
    session.next((element) => element.getAttribute('id') === '2'),
  );
  expect(result.getAttribute('id')).toBe('2');
  expect(did.filter((what) => what === 'left')).toHaveLength(1);
});

it.each([
  ['its id', undefined, [iq('other'), iq('r')], 'r'],
  [
    'what the dialect says',
    (element: Element) => element.getAttribute('type') === 'error',
    [iq('r'), iq('x', 'error')],
    'x',
  ],
])('finds the answer to a request by %s', async (_, isAnswer, late, found) => {
  const { result, did } = await behind({ late }, (session) => session.request(iq('r', 'get'), isAnswer));
  expect(result.getAttribute('id')).toBe(found);
  expect(did).toContain('send');
  expect(did).not.toContain('request');
});

it('takes an answer that came early, and no message for one', async () => {
  const early = [parse('<message xmlns="jabber:client" id="r"/>'), iq('r')];
  const { result } = await behind({ early }, (session) => session.request(iq('r', 'get')));
  expect(result).toBe(early[1]);
});

it('asks as ever once nothing waits any more', async () => {
  const { result, did } = await behind({ late: [features] }, async (session) => {
    await session.next();
    return session.request(iq('r', 'get'));
  });
  expect(result.getAttribute('id')).toBe('session');
  expect(did.at(-1)).toBe('request');
});

it('hands on what the waiting read fails with', async () => {
  const error = Object.assign(new Error('gone'), { code: 'TCP_RESET' });
  expect(await failure(behind({ late: [error] }, (session) => session.next()))).toBe(error);
});
