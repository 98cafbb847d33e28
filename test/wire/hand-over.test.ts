import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { NS, xml, type Broker, type Element } from 'xmpp-broker';
import { CLIENT, JID, welcomeBack } from './support/client.js';
import { COMPONENT, DOMAIN } from './support/component.js';
import { useRig } from './support/index.js';

const messages = (from: number, count: number): string =>
  Array.from({ length: count }, (_, n) => `<message from='bob@localhost/x' to='${JID}' id='${from + n}'/>`).join('');

/** Places of the messages that arrive; each is handled when a test says so. */
function places(broker: Broker) {
  const seen: (readonly [id: string | null, place: string | null])[] = [];
  const ends: (() => void)[] = [];
  broker.subscribe('PCJ_NODERECEIVED', (node) => {
    if (node.localName !== 'message') return undefined;
    const place = broker.handOver.placeOf(node);
    seen.push([node.getAttribute('id'), place === null ? null : `${place.session}:${place.ordinal}`]);
    return new Promise<void>((resolve) => ends.push(resolve));
  });
  return { seen, ends };
}

describe('the place of a stanza in its session', () => {
  const rig = useRig(CLIENT);

  test.each(['settled', 'delivered'] as const)('is that by which the server counts it: %s', async (acknowledge) => {
    const { broker, server } = await rig.ready({ acknowledge });
    const { seen, ends } = places(broker);
    await server.send(messages(1, 2));
    await expect.poll(() => seen).toHaveLength(2);
    for (const end of ends) end();
    // What is no stanza has no number.
    await server.send(`<r xmlns='${NS.SM}'/>${messages(3, 1)}`);
    await expect.poll(() => seen).toHaveLength(3);
    expect(seen).toEqual([
      ['1', 'session-1:1'],
      ['2', 'session-1:2'],
      ['3', 'session-1:3'],
    ]);
  });

  test('R-1: is the same when the stanza comes again in a resumed session', async () => {
    const { broker, server, peer } = await rig.ready({
      acknowledge: 'settled',
      reconnect: { resumeDelayMs: 1, firstDelayMs: 1 },
    });
    const { seen, ends } = places(broker);
    await server.send(messages(1, 3));
    await expect.poll(() => seen).toHaveLength(3);
    ends[0]?.();
    await pause(0);
    server.reset();
    const next = await peer.accept();
    expect(await welcomeBack(next)).toContain("h='1'");
    await next.send(`<resumed xmlns='${NS.SM}' previd='session-1' h='0'/>${messages(2, 3)}`);
    await expect.poll(() => seen).toHaveLength(6);
    expect(seen.slice(3)).toEqual([
      ['2', 'session-1:2'],
      ['3', 'session-1:3'],
      ['4', 'session-1:4'],
    ]);
  });

  test('is none without a session that can be resumed, and for another stanza than the one that is delivered', async () => {
    const { broker, server } = await rig.ready({}, { enabled: '' });
    const { seen } = places(broker);
    await server.send(messages(1, 1));
    await expect.poll(() => seen).toEqual([['1', null]]);
    expect(broker.handOver.placeOf(xml('message'))).toBeNull();
    const other = await rig.ready();
    let kept: Element | undefined;
    other.broker.subscribe('PCJ_NODERECEIVED', (node) => {
      kept = node;
      expect(other.broker.handOver.placeOf(node.clone())).toBeNull();
    });
    await other.server.send(messages(1, 1));
    await expect.poll(() => kept).toBeDefined();
    expect(other.broker.handOver.placeOf(kept!)).toBeNull();
  });
});

describe('a request that is answered elsewhere', () => {
  const rig = useRig(COMPONENT);
  const ask = (id: string, payload = "<q xmlns='urn:a'/>"): string =>
    `<iq type='get' id='${id}' from='a@b' to='${DOMAIN}'>${payload}</iq>`;

  test.each([true, false])('is answered here when nobody does in time; answerRequests: %s', async (answerRequests) => {
    const { broker, server } = await rig.ready({ answerRequests });
    const unanswered: string[] = [];
    broker.subscribe('PCJ_NODERECEIVED', (iq) => {
      const within = iq.getAttribute('id') === '1' ? 1 : 60_000;
      broker.handOver.later(iq, within, () => unanswered.push(iq.getAttribute('id') ?? ''));
    });
    await server.send(ask('1') + ask('2'));
    expect(await server.expect(/<iq type='error' id='1'.*?<\/iq>/)).toContain('service-unavailable');
    broker.output(xml('iq', { type: 'result', id: '2', to: 'a@b' }));
    await server.expect("<iq type='result' id='2'");
    expect(unanswered).toEqual(['1']);
  });

  test('is told from one that the broker answers itself', async () => {
    const { broker, server } = await rig.ready();
    broker.answer('get', { namespace: 'urn:a' }, () => null);
    const seen: Record<string, boolean> = {};
    broker.subscribe('PCJ_NODERECEIVED', (iq) => {
      seen[iq.getAttribute('id') ?? ''] = broker.handOver.answers(iq);
    });
    await server.send(ask('1') + ask('2', `<ping xmlns='${NS.PING}'/>`) + ask('3', "<q xmlns='urn:b'/>"));
    await expect.poll(() => seen).toEqual({ 1: true, 2: true, 3: false });
  });

  test('the queue has a name, also without a store', async () => {
    const { broker } = await rig.ready();
    expect(broker.handOver.queue).toBe(DOMAIN);
    const named = await rig.ready({ queue: { name: 'q' } });
    expect(named.broker.handOver.queue).toBe('q');
  });
});
