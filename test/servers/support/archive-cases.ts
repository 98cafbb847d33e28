import { afterAll, beforeAll, expect, test } from 'vitest';
import { NS, PCJ_NODERECEIVED, xml, type Broker, type Element } from 'xmpp-broker';
import type { AccountServer } from './account-cases.js';
import { Clients } from './client-site.js';

/** Reading what was said: XEP-0313. */
export function archiveCases(start: () => Promise<AccountServer>): void {
  let server: AccountServer;
  let clients: Clients;
  let alice: Broker;

  beforeAll(async () => {
    server = await start();
    clients = new Clients();
    alice = (await clients.ready(server, { username: 'alice', resource: 'r' })).broker;
    const { broker: bob } = await clients.ready(server, { username: 'bob', resource: 'r' });
    bob.output(xml('presence'));
    const say = (from: Broker, to: string, body: string) =>
      from.output(xml('message', { to, type: 'chat' }, xml('body', {}, body)));
    say(alice, 'bob@localhost', '1');
    say(alice, 'carol@localhost', '2');
    alice.output(xml('message', { to: 'bob@localhost', type: 'chat' }, xml('active', { xmlns: NS.CHAT_STATES })));
    await ping(alice);
    const arrived = alice.events.once(PCJ_NODERECEIVED, { signal: AbortSignal.timeout(10_000) });
    say(bob, 'alice@localhost/r', '3');
    expect((await arrived).getChild('stanza-id', NS.STANZA_ID)?.getAttribute('by')).toBe('alice@localhost');
    say(alice, 'bob@localhost/r', '4');
    await ping(alice);
    await bob.shutdown();
  });
  afterAll(async () => {
    await clients[Symbol.asyncDispose]();
    await server.dispose();
  });

  const ping = (broker: Broker) =>
    broker.request(xml('iq', { type: 'get', to: 'localhost' }, xml('ping', { xmlns: NS.PING })));
  let queries = 0;
  const read = async (filter: Record<string, string>, ...set: Element[]) => {
    const queryid = `q${String((queries += 1))}`;
    const results: Element[] = [];
    const matching = alice.match(`/message/m:result[@queryid="${queryid}"]`, ({ node }) => void results.push(node), {
      namespaces: { m: NS.MAM },
    });
    const all = { FORM_TYPE: NS.MAM, ...filter };
    const fields = Object.entries(all).map(([name, value]) => xml('field', { var: name }, xml('value', {}, value)));
    const form = xml('x', { xmlns: NS.DATA_FORMS, type: 'submit' }, fields);
    const page = set.length === 0 ? null : xml('set', { xmlns: NS.RSM }, set);
    const query = xml('query', { xmlns: NS.MAM, queryid }, form, page);
    const fin = (await alice.request(xml('iq', { type: 'set' }, query))).getChild('fin', NS.MAM);
    matching.cancel();
    for (const result of results) expect(alice.trusted(result, 'mam', { queryid })).not.toBeNull();
    const found = fin?.getChild('set', NS.RSM);
    return {
      bodies: results.map(bodyOf),
      complete: fin?.getAttribute('complete') === 'true',
      count: found?.getChildText('count'),
      first: found?.getChildText('first') ?? '',
      last: found?.getChildText('last') ?? '',
    };
  };
  const max = (count: number) => xml('max', {}, count);

  test('everything with a body, oldest first', async () => {
    expect(await read({})).toMatchObject({ bodies: ['1', '2', '3', '4'], complete: true, count: '4' });
  });

  test('with somebody, and from when to when', async () => {
    expect((await read({ with: 'bob@localhost' })).bodies).toEqual(['1', '3', '4']);
    expect(await read({ with: 'nobody@localhost' })).toMatchObject({ bodies: [], complete: true, count: '0' });
    expect((await read({ start: '2999-01-01T00:00:00Z' })).bodies).toEqual([]);
    expect((await read({ end: '2999-01-01T00:00:00Z' })).bodies).toHaveLength(4);
    expect((await read({ end: '1999-01-01T00:00:00Z' })).bodies).toEqual([]);
  });

  test('page by page, forwards and backwards', async () => {
    const first = await read({}, max(3));
    expect(first).toMatchObject({ bodies: ['1', '2', '3'], complete: false, count: '4' });
    expect(await read({}, max(3), xml('after', {}, first.last))).toMatchObject({ bodies: ['4'], complete: true });
    const last = await read({}, max(1), xml('before'));
    expect(last).toMatchObject({ bodies: ['4'], complete: false });
    expect(await read({}, max(2), xml('before', {}, last.first))).toMatchObject({
      bodies: ['2', '3'],
      complete: false,
    });
  });

  test('from an id that is not there, or of somebody else: refused', async () => {
    await expect(read({}, max(1), xml('after', {}, 'nonsense'))).rejects.toMatchObject({ condition: 'item-not-found' });
    const query = xml('query', { xmlns: NS.MAM, queryid: 'x' });
    const asked = alice.request(xml('iq', { type: 'set', to: 'bob@localhost' }, query));
    await expect(asked).rejects.toMatchObject({ condition: 'service-unavailable' });
  });
}

function bodyOf(result: Element): string | null | undefined {
  const forwarded = result.getChild('result', NS.MAM)?.getChild('forwarded', NS.FORWARD);
  expect(forwarded?.getChild('delay', NS.DELAY)?.getAttribute('stamp')).toBeTruthy();
  return forwarded?.getChild('message', NS.CLIENT)?.getChildText('body');
}
