import { afterAll, beforeAll, expect, test } from 'vitest';
import { NS, xml, type Broker, type Element } from 'xmpp-broker';
import type { AccountServer } from './account-cases.js';
import { Clients } from './client-site.js';
import { Witness } from './witness.js';

const SERVICE = 'pubsub.localhost';

/** Nodes at pubsub.localhost, where alice may make some, and at accounts: XEP-0060, XEP-0163. */
export function pubsubCases(start: () => Promise<AccountServer>): void {
  let server: AccountServer;
  let clients: Clients;
  let alice: Witness;
  let bob: Witness;

  beforeAll(async () => {
    server = await start();
    clients = new Clients();
    const ready = async (username: string) => {
      const witness = new Witness((await clients.ready(server, { username, resource: 'r' })).broker);
      witness.broker.output(xml('presence'));
      await witness.seen();
      return witness;
    };
    [alice, bob] = [await ready('alice'), await ready('bob')];
  });
  afterAll(async () => {
    await clients[Symbol.asyncDispose]();
    await server.dispose();
  });

  const ask = async (
    { broker }: { broker: Broker },
    type: 'get' | 'set',
    action: Element,
    { to = SERVICE, owner = false }: { to?: string | null; owner?: boolean } = {},
  ) => {
    const xmlns = owner ? NS.PUBSUB_OWNER : NS.PUBSUB;
    const answer = await broker.request(xml('iq', { type, to }, xml('pubsub', { xmlns }, action)));
    return answer.getChild('pubsub', NS.PUBSUB)?.firstElementChild ?? null;
  };
  const payload = (text: string) => xml('entry', { xmlns: 'urn:example:entry' }, text);
  const publish = (node: string, id: string | undefined, text: string) =>
    xml('publish', { node }, xml('item', { id }, payload(text)));
  const items = async (who: Witness, node: string, attributes: Record<string, string> = {}) =>
    (await ask(who, 'get', xml('items', { node, ...attributes })))?.children.map(
      (item) => `${item.getAttribute('id') ?? ''}: ${item.textContent}`,
    );

  test('a node from its beginning to its end', async () => {
    await ask(alice, 'set', xml('create', { node: 'news' }));
    await expect(ask(alice, 'set', xml('create', { node: 'news' }))).rejects.toMatchObject({ condition: 'conflict' });
    const subscribed = await ask(bob, 'set', xml('subscribe', { node: 'news', jid: 'bob@localhost' }));
    expect(subscribed?.getAttribute('subscription')).toBe('subscribed');
    const published = await ask(alice, 'set', publish('news', '1', 'one'));
    expect(published?.getChild('item')?.getAttribute('id')).toBe('1');
    expect(await bob.seen()).toEqual([`event from ${SERVICE}: items news item 1`]);
    await ask(alice, 'set', publish('news', '2', 'two'));
    const made = await ask(alice, 'set', publish('news', undefined, 'three'));
    expect(made?.getChild('item')?.getAttribute('id')).toBeTruthy();
    expect((await items(bob, 'news'))?.map((item) => item.replace(/.*: /, '')).sort()).toEqual(['one', 'three', 'two']);
    await bob.seen();
    const subscriptions = await ask(bob, 'get', xml('subscriptions'));
    expect(subscriptions?.children.map((one) => one.getAttribute('node'))).toEqual(['news']);
    await ask(alice, 'set', xml('retract', { node: 'news', notify: '1' }, xml('item', { id: '1' })));
    expect(await bob.seen()).toEqual([`event from ${SERVICE}: items news retract 1`]);
    expect(await items(bob, 'news')).not.toContain('1: one');
    await ask(alice, 'set', xml('purge', { node: 'news' }), { owner: true });
    expect(await bob.seen()).toEqual([`event from ${SERVICE}: purge news`]);
    expect(await items(bob, 'news')).toEqual([]);
    await ask(alice, 'set', xml('delete', { node: 'news' }), { owner: true });
    expect(await bob.seen()).toEqual([`event from ${SERVICE}: delete news`]);
    await expect(items(bob, 'news')).rejects.toMatchObject({ condition: 'item-not-found' });
  });

  test('whoever has unsubscribed hears nothing', async () => {
    await ask(alice, 'set', xml('create', { node: 'quiet' }));
    await ask(bob, 'set', xml('subscribe', { node: 'quiet', jid: 'bob@localhost' }));
    await ask(bob, 'set', xml('unsubscribe', { node: 'quiet', jid: 'bob@localhost' }));
    const again = ask(bob, 'set', xml('unsubscribe', { node: 'quiet', jid: 'bob@localhost' }));
    await expect(again).rejects.toMatchObject({ condition: 'unexpected-request' });
    await ask(alice, 'set', publish('quiet', '1', 'one'));
    expect(await bob.seen()).toEqual([]);
  });

  test('what is not for everybody is refused', async () => {
    await ask(alice, 'set', xml('create', { node: 'mine' }));
    const cases: readonly (readonly ['get' | 'set', Element, string, boolean?])[] = [
      ['set', publish('mine', '1', 'x'), 'forbidden'],
      ['set', xml('subscribe', { node: 'mine', jid: 'alice@localhost' }), 'forbidden'],
      ['set', xml('subscribe', { node: 'none', jid: 'bob@localhost' }), 'item-not-found'],
      ['get', xml('items', { node: 'none' }), 'item-not-found'],
      ['set', xml('delete', { node: 'mine' }), 'forbidden', true],
    ];
    for (const [type, action, condition, owner = false] of cases) {
      await expect(ask(bob, type, action, { owner }), action.toString()).rejects.toMatchObject({ condition });
    }
    const missing = ask(alice, 'set', xml('retract', { node: 'mine' }, xml('item', { id: 'none' })));
    await expect(missing).rejects.toMatchObject({ condition: 'item-not-found' });
  });

  test('an account publishes at its own address', async () => {
    const own = { to: null };
    const published = await ask(alice, 'set', publish('urn:example:mood', 'current', 'happy'), own);
    expect(published?.getChild('item')?.getAttribute('id')).toBe('current');
    const read = await ask(alice, 'get', xml('items', { node: 'urn:example:mood' }), own);
    expect(read?.firstElementChild?.textContent).toBe('happy');
    const strange = ask(bob, 'get', xml('items', { node: 'urn:example:mood' }), { to: 'alice@localhost' });
    await expect(strange).rejects.toMatchObject({ condition: 'forbidden' });
    const missing = ask(alice, 'get', xml('items', { node: 'urn:example:none' }), own);
    await expect(missing).rejects.toMatchObject({ condition: 'item-not-found' });
  });

  test('service discovery tells of the service and its nodes', async () => {
    const { broker } = alice;
    const query = async (xmlns: string) =>
      (await broker.request(xml('iq', { type: 'get', to: SERVICE }, xml('query', { xmlns })))).getChild('query', xmlns);
    const identity = (await query(NS.DISCO_INFO))?.getChild('identity');
    expect([identity?.getAttribute('category'), identity?.getAttribute('type')]).toEqual(['pubsub', 'service']);
    const nodes = (await query(NS.DISCO_ITEMS))?.children.map((item) => item.getAttribute('node'));
    expect(nodes).toContain('mine');
  });
}
