import { expect, test } from 'vitest';
import { NS, xml, type Broker, type Element } from 'xmpp-broker';
import { useCaseSite } from './case-site.js';
import type { Signable } from './client-site.js';
import { contact, Witness } from './witness.js';

/** A server for alice and bob, who know nobody. */
export interface AccountServer extends Signable {
  dispose(): Promise<void>;
}

/** What each of two saw of a step; what begins with `?` may be missing. */
type Seen = Readonly<Partial<Record<'alice' | 'bob', readonly string[]>>>;

/** What an account has beside its stream: rosters, presence, and messages that wait. */
export function accountCases(start: () => Promise<AccountServer>): void {
  const { server, clients } = useCaseSite(start);

  const present = async (username: string, presence: Element | null = xml('presence')) => {
    const { broker } = await clients.ready(server(), { username, resource: 'r' });
    const witness = new Witness(broker);
    if (presence !== null) broker.output(presence);
    return witness;
  };
  const roster = (broker: Broker, type: 'get' | 'set', item?: Element) =>
    broker.request(xml('iq', { type }, xml('query', { xmlns: NS.IQ_ROSTER }, item)));
  const listed = async (broker: Broker) =>
    (await roster(broker, 'get')).getChild('query', NS.IQ_ROSTER)?.children.map(contact);
  const subscription = (type: string, to: 'alice' | 'bob') => xml('presence', { type, to: `${to}@localhost` });
  /** Both, with their rosters, available and seen by themselves only. */
  const both = async () => {
    const [alice, bob] = [await present('alice'), await present('bob')];
    for (const { broker } of [alice, bob]) await roster(broker, 'get');
    await Promise.all([alice.seen(), bob.seen()]);
    return { alice, bob };
  };
  const clear = async (broker: Broker, jid: string) => {
    await roster(broker, 'set', xml('item', { jid, subscription: 'remove' })).catch(() => undefined);
  };

  test('a contact is kept, shown and removed', async () => {
    const { alice } = await both();
    const item = xml('item', { jid: 'carol@localhost', name: 'Carol' }, xml('group', {}, 'Friends'));
    await roster(alice.broker, 'set', item);
    expect(await alice.seen()).toEqual(['push: carol@localhost none in Friends']);
    expect(await listed(alice.broker)).toEqual(['carol@localhost none in Friends']);
    await roster(alice.broker, 'set', xml('item', { jid: 'carol@localhost', subscription: 'remove' }));
    expect(await alice.seen()).toEqual(['push: carol@localhost remove']);
    expect(await listed(alice.broker)).toEqual([]);
  });

  test.each([
    [xml('item', { jid: 'alice@localhost' }), 'not-allowed'],
    [xml('item', { jid: 'nobody@localhost', subscription: 'remove' }), 'item-not-found'],
    [xml('item', { name: 'x' }), 'bad-request'],
    [undefined, 'bad-request'],
  ])('no contact: %s is refused with %s', async (item, condition) => {
    const { broker } = await present('alice');
    await expect(roster(broker, 'set', item)).rejects.toMatchObject({ condition });
  });

  test("somebody else's roster is theirs", async () => {
    const { broker } = await present('alice');
    const query = xml('query', { xmlns: NS.IQ_ROSTER });
    const asked = broker.request(xml('iq', { type: 'get', to: 'bob@localhost' }, query));
    await expect(asked).rejects.toMatchObject({ condition: 'service-unavailable' });
  });

  test('a subscription from its beginning to its end', async () => {
    const witnesses = await both();
    const { alice, bob } = witnesses;
    const steps: readonly (readonly [who: 'alice' | 'bob', stanza: Element, seen: Seen])[] = [
      [
        'alice',
        subscription('subscribe', 'bob'),
        { alice: ['push: bob@localhost none (asked)'], bob: ['subscribe from alice@localhost'] },
      ],
      [
        'bob',
        subscription('subscribed', 'alice'),
        {
          alice: ['subscribed from bob@localhost', 'push: bob@localhost to', 'available from bob@localhost/r, delayed'],
          bob: ['push: alice@localhost from'],
        },
      ],
      [
        'bob',
        subscription('subscribe', 'alice'),
        { alice: ['subscribe from bob@localhost'], bob: ['push: alice@localhost from (asked)'] },
      ],
      [
        'alice',
        subscription('subscribed', 'bob'),
        {
          // Prosody says again what alice has seen.
          alice: ['push: bob@localhost both', '? available from bob@localhost/r, delayed'],
          bob: [
            'subscribed from alice@localhost',
            'push: alice@localhost both',
            'available from alice@localhost/r, delayed',
          ],
        },
      ],
      [
        'alice',
        xml('presence', {}, xml('show', {}, 'away')),
        { alice: ['away from alice@localhost/r'], bob: ['away from alice@localhost/r'] },
      ],
      ['bob', subscription('probe', 'alice'), { bob: ['away from alice@localhost/r, delayed'] }],
      [
        'alice',
        subscription('unsubscribe', 'bob'),
        {
          // RFC 6121 §3.3.3 wants it; Prosody leaves it out.
          alice: ['push: bob@localhost from', '? unavailable from bob@localhost/r'],
          bob: ['unsubscribe from alice@localhost', 'push: alice@localhost to'],
        },
      ],
      [
        'alice',
        subscription('unsubscribed', 'bob'),
        {
          alice: ['push: bob@localhost none'],
          bob: [
            'unsubscribed from alice@localhost',
            'push: alice@localhost none',
            'unavailable from alice@localhost/r',
          ],
        },
      ],
      // Nobody who waits for it is told.
      ['bob', subscription('probe', 'alice'), {}],
    ];
    for (const [who, stanza, seen] of steps) {
      witnesses[who].broker.output(stanza.clone());
      // Whoever acts first: what it caused is on its way to the other when it is answered.
      const first = await witnesses[who].seen();
      const other = who === 'alice' ? bob : alice;
      const got =
        who === 'alice' ? { alice: first, bob: await other.seen() } : { alice: await other.seen(), bob: first };
      for (const name of ['alice', 'bob'] as const) {
        const expected = seen[name] ?? [];
        const known = got[name].filter((words) => !expected.includes(`? ${words}`));
        // Servers differ in what they say first.
        expect(known.sort(), `${name} at ${stanza.toString()}`).toEqual(
          expected.filter((words) => !words.startsWith('?')).sort(),
        );
      }
    }
    await clear(alice.broker, 'bob@localhost');
    await clear(bob.broker, 'alice@localhost');
  });

  test('a contact that is removed is told that both subscriptions are over', async () => {
    const { alice, bob } = await both();
    for (const [one, other] of [
      [alice, 'bob'],
      [bob, 'alice'],
    ] as const) {
      one.broker.output(subscription('subscribe', other));
      await one.seen();
      (one === alice ? bob : alice).broker.output(subscription('subscribed', other === 'bob' ? 'alice' : 'bob'));
      await (one === alice ? bob : alice).seen();
    }
    await Promise.all([alice.seen(), bob.seen()]);
    expect(await listed(alice.broker)).toEqual(['bob@localhost both']);
    await roster(alice.broker, 'set', xml('item', { jid: 'bob@localhost', subscription: 'remove' }));
    const seen = await bob.seen();
    for (const told of ['unsubscribe', 'unsubscribed']) expect(seen).toContain(`${told} from alice@localhost`);
    expect(await listed(bob.broker)).toEqual(['alice@localhost none']);
    await clear(bob.broker, 'alice@localhost');
  });

  test('a request waits until somebody is there, and until it is answered', async () => {
    const alice = await present('alice');
    alice.broker.output(subscription('subscribe', 'bob'));
    await alice.seen();
    for (let times = 0; times < 2; times++) {
      const bob = await present('bob');
      expect(await bob.seen()).toContain('subscribe from alice@localhost');
      await bob.broker.shutdown();
    }
    const bob = await present('bob');
    bob.broker.output(subscription('unsubscribed', 'alice'));
    await bob.seen();
    await bob.broker.shutdown();
    const again = await present('bob');
    expect(await again.seen()).not.toContain('subscribe from alice@localhost');
    await clear(alice.broker, 'bob@localhost');
  });

  test('contacts are seen by who comes, and see who goes', async () => {
    const first = await both();
    first.alice.broker.output(subscription('subscribe', 'bob'));
    await first.alice.seen();
    first.bob.broker.output(subscription('subscribed', 'alice'));
    await first.bob.seen();
    await first.alice.broker.shutdown();
    const alice = await present('alice');
    expect(await alice.seen()).toContain('available from bob@localhost/r, delayed');
    await first.bob.broker.shutdown();
    expect(await alice.seen()).toEqual(['unavailable from bob@localhost/r']);
    await clear(alice.broker, 'bob@localhost');
    const bob = await present('bob');
    await clear(bob.broker, 'alice@localhost');
  });

  test('messages wait for somebody who takes them, in order, and say since when', async () => {
    const alice = await present('alice');
    const say = (type: string | null, to: string, ...content: Element[]) =>
      alice.broker.output(xml('message', { type, to }, ...content));
    const body = (text: string) => xml('body', {}, text);
    say('chat', 'bob@localhost', body('one'));
    say(null, 'bob@localhost/gone', body('two'));
    say('headline', 'bob@localhost', body('lost'));
    say('chat', 'bob@localhost', body('three'));
    say('groupchat', 'bob@localhost', body('refused'));
    say('chat', 'nobody@localhost', body('refused, too'));
    expect((await alice.seen()).filter((words) => words.includes('error'))).toEqual([
      'message error service-unavailable from bob@localhost',
      'message error service-unavailable from nobody@localhost',
    ]);
    const bob = await present('bob', null);
    expect(await bob.seen()).toEqual([]);
    bob.broker.output(xml('presence'));
    expect(await bob.seen()).toEqual([
      'available from bob@localhost/r',
      'chat "one" from alice@localhost/r, delayed',
      'normal "two" from alice@localhost/r, delayed',
      'chat "three" from alice@localhost/r, delayed',
    ]);
    say('chat', 'bob@localhost', body('four'));
    await alice.seen();
    expect(await bob.seen()).toEqual(['chat "four" from alice@localhost/r']);
    await bob.broker.shutdown();
    expect(await (await present('bob')).seen()).toEqual(['available from bob@localhost/r']);
  });
}
