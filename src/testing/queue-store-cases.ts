// What a broker relies on in a store for its queue, as cases that any test runner can run.
import assert from 'node:assert/strict';
import { BrokerError } from '../errors.js';
import type { QueueStore } from '../queue/store.js';
import {
  AT,
  end,
  hand,
  hold,
  keysOf,
  numbered,
  openQueue,
  put,
  SESSION,
  Subject,
  WAIT_MS,
} from './queue-store-subject.js';

/** One case. */
export interface QueueStoreCase {
  readonly name: string;
  /** Rejects if the store does not do it. */
  run(): Promise<void>;
}

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('it was taken');
}

type Run = (subject: Subject) => Promise<void>;

const OPENING: Readonly<Record<string, Run>> = {
  'a new queue is empty': async (subject) => {
    const { held, session } = await subject.again();
    assert.deepEqual([...held], []);
    assert.equal(session, null);
  },
  'each holder has a higher epoch than the last': async (subject) => {
    const first = (await subject.again()).epoch;
    assert.ok(Number.isSafeInteger(first) && first > 0);
    assert.ok((await subject.again()).epoch > first);
  },
  'a queue is not given to two': async (subject) => {
    await subject.again();
    const error = await rejection(openQueue(subject.store, {}, AbortSignal.timeout(WAIT_MS)));
    const isLocked = error instanceof BrokerError && error.code === 'QUEUE_LOCKED';
    assert.ok(isLocked || (error as Error).name === 'TimeoutError', 'it rejects with QUEUE_LOCKED, or waits');
    await subject.commit(put('a'));
    assert.deepEqual(keysOf(await subject.held()), ['a']);
  },
  'a queue that was closed can be opened': async (subject) => {
    for (let time = 0; time < 5; time += 1) await subject.again();
  },
  'queues of one store are apart': async (subject) => {
    await subject.again();
    const other = await openQueue(subject.store, { queue: 'other' });
    await Promise.all([subject.commit(put('a')), other.commit([put('b'), { kind: 'session', session: SESSION }])]);
    await other.commit([end('a', 'acked')]);
    await other.close();
    assert.deepEqual(keysOf(await subject.held()), ['a']);
    assert.equal(subject.open.session, null);
    const again = await openQueue(subject.store, { queue: 'other' });
    assert.deepEqual(keysOf(again.held), ['b']);
    await again.close();
  },
  'any name of a queue will do': async (subject) => {
    const names = ["o'brien@example.org", '../etc/passwd', 'Ünï@例え.jp', 'a b"c\\d%_*.>', 'x'.repeat(1_000)];
    for (const queue of names) {
      const open = await openQueue(subject.store, { queue });
      await open.commit([put(queue.slice(0, 10))]);
      await open.close();
    }
    for (const queue of names) {
      const open = await openQueue(subject.store, { queue });
      assert.deepEqual(keysOf(open.held), [queue.slice(0, 10)]);
      await open.close();
    }
  },
  'a signal that is aborted already ends the opening': async (subject) => {
    const reason = new Error('given up');
    assert.equal(await rejection(openQueue(subject.store, {}, AbortSignal.abort(reason))), reason);
    await subject.again();
  },
};

const PUTTING: Readonly<Record<string, Run>> = {
  'what is put is held as it was given': async (subject) => {
    await subject.again();
    await subject.commit(put('a'));
    const { position, ...stanza } = await subject.one();
    const { key, xml, xmlns, at, handed, possibleDuplicate, attempts, faults } = stanza;
    assert.deepEqual(
      { key, xml, xmlns, at, handed, possibleDuplicate, attempts, faults },
      {
        key: 'a',
        xml: "<message id='a'/>",
        xmlns: 'jabber:client',
        at: AT,
        handed: null,
        possibleDuplicate: false,
        attempts: 0,
        faults: 0,
      },
    );
    assert.ok(Number.isSafeInteger(position));
  },
  'the order of one commit stays': async (subject) => {
    await subject.again();
    const keys = numbered(100).reverse();
    await subject.commit(...keys.map((key) => put(key)));
    assert.deepEqual(keysOf(await subject.held()), keys);
  },
  'the order of several commits and several lives stays': async (subject) => {
    await subject.again();
    const keys = numbered(30).reverse();
    for (const [index, key] of keys.entries()) {
      await subject.commit(put(key));
      if (index % 10 === 9) await subject.again();
    }
    assert.deepEqual(keysOf(await subject.held()), keys);
  },
  'positions rise': async (subject) => {
    await subject.again();
    await subject.commit(put('a'), put('b'));
    const [a, b] = await subject.held();
    assert.ok(a !== undefined && b !== undefined && a.position < b.position);
    await subject.commit(end('b', 'acked'), put('c'));
    const c = (await subject.held()).at(-1);
    assert.ok(c !== undefined && c.position > b.position, 'no position is used twice');
  },
  'a key that is there is not put again': async (subject) => {
    await subject.again();
    await subject.commit(put('a', { xml: '<message>first</message>' }), put('b'));
    await subject.commit(put('a', { xml: '<message>second</message>', at: AT + 1 }));
    const [first, second] = await subject.held();
    assert.equal(first?.xml, '<message>first</message>');
    assert.equal(first.at, AT);
    assert.equal(second?.key, 'b');
  },
  'a key twice in one commit is put once': async (subject) => {
    await subject.again();
    await subject.commit(put('a'), put('a'));
    await subject.one();
  },
  'a key that is done with may be put anew': async (subject) => {
    await subject.again();
    await subject.commit(put('a'), put('b'));
    await subject.commit(end('a', 'acked'), put('a'));
    assert.deepEqual(keysOf(await subject.held()), ['b', 'a']);
  },
  'a put may be handed at once': async (subject) => {
    await subject.again();
    await subject.commit(put('a', { handed: { session: 's', ordinal: 5 } }));
    const { handed, attempts } = await subject.one();
    assert.deepEqual({ handed: { ...handed }, attempts }, { handed: { session: 's', ordinal: 5 }, attempts: 1 });
  },
  'of a key that is there, a put counts as handed if it is': async (subject) => {
    await subject.again();
    await subject.commit(put('a'));
    await subject.commit(put('a', { handed: { session: null, ordinal: null } }));
    assert.deepEqual({ ...(await subject.one()).handed }, { session: null, ordinal: null });
  },
  'any text comes back': async (subject) => {
    await subject.again();
    const texts = ['<m>\'"&amp;\\ \t\n%s ?</m>', '<m>ä語😀\u{10FFFF}</m>', `<m>${'x'.repeat(1_000_000)}</m>`, ''];
    await subject.commit(...texts.map((xml, index) => put(String(index), { xml })));
    assert.deepEqual(
      (await subject.held()).map(({ xml }) => xml),
      texts,
    );
  },
  'any key comes back': async (subject) => {
    await subject.again();
    const keys = ["a'b", 'A', 'a', '\u00e4', 'a\u0308', '😀', 'x'.repeat(256), '%_*.>', '0', '00', '1e3'];
    await subject.commit(...keys.map((key) => put(key)));
    assert.deepEqual(keysOf(await subject.held()), keys);
  },
  'the namespace is that of the stream it was put for': async (subject) => {
    await subject.again({ xmlns: 'jabber:component:accept' });
    await subject.commit(put('a'));
    assert.equal((await subject.one()).xmlns, 'jabber:component:accept');
  },
  'a thousand stanzas may come in one commit': async (subject) => {
    await subject.again();
    await subject.commit(...numbered(1_000).map((key) => put(key)));
    assert.deepEqual(keysOf(await subject.held()), numbered(1_000));
  },
};

const HANDING: Readonly<Record<string, Run>> = {
  'a stanza is marked as handed, each time once more': async (subject) => {
    await subject.again();
    await subject.commit(put('a'));
    await subject.commit(hand('a', 's', 1));
    await subject.commit(hand('a', 't', 2));
    const { handed, attempts } = await subject.one();
    assert.deepEqual({ ...handed }, { session: 't', ordinal: 2 });
    assert.equal(attempts, 2);
  },
  'a mark needs no session': async (subject) => {
    await subject.again();
    await subject.commit(put('a'), hand('a'));
    assert.deepEqual({ ...(await subject.one()).handed }, { session: null, ordinal: null });
  },
  'a place in a session may be any number below 2^32': async (subject) => {
    await subject.again();
    const places = [0, 1, 2_147_483_648, 4_294_967_295];
    await subject.commit(...places.flatMap((place) => [put(String(place)), hand(String(place), 's', place)]));
    assert.deepEqual(
      (await subject.held()).map(({ handed }) => handed?.ordinal),
      places,
    );
  },
  'what is held again is not handed': async (subject) => {
    await subject.again();
    await subject.commit(put('a'), hand('a', 's', 1));
    await subject.commit(hold('a', true, 2));
    const { handed, possibleDuplicate, attempts, faults } = await subject.one();
    assert.deepEqual(
      { handed, possibleDuplicate, attempts, faults },
      { handed: null, possibleDuplicate: true, attempts: 1, faults: 2 },
    );
  },
  'what was never written is held again without a flag': async (subject) => {
    await subject.again();
    await subject.commit(put('a'), hand('a'), hold('a', false));
    assert.equal((await subject.one()).possibleDuplicate, false);
  },
  'a flag stays when it is handed again': async (subject) => {
    await subject.again();
    await subject.commit(put('a'), hand('a'), hold('a', true, 1));
    await subject.commit(hand('a', 's', 9));
    const { possibleDuplicate, faults, handed } = await subject.one();
    assert.deepEqual({ possibleDuplicate, faults }, { possibleDuplicate: true, faults: 1 });
    assert.notEqual(handed, null);
  },
  'holding does not change the order': async (subject) => {
    await subject.again();
    await subject.commit(put('a'), put('b'), hand('b'), hand('a'), hold('b', true), hold('a', true));
    assert.deepEqual(keysOf(await subject.held()), ['a', 'b']);
  },
};

const ENDING: Readonly<Record<string, Run>> = {
  ...Object.fromEntries(
    (['acked', 'sent', 'dropped', 'failed'] as const).map((outcome): [string, Run] => [
      `what is ${outcome} is done with`,
      async (subject) => {
        await subject.again();
        await subject.commit(put('a'), put('b'), hand('a'));
        await subject.commit(outcome === 'failed' ? end('a', outcome, 'QUEUE_POISON') : end('a', outcome));
        assert.deepEqual(keysOf(await subject.held()), ['b']);
      },
    ]),
  ),
  'a stanza may come and go in one commit': async (subject) => {
    await subject.again();
    await subject.commit(put('a'), hand('a'), end('a', 'acked'));
    assert.deepEqual([...(await subject.held())], []);
  },
  'what is said of a key that is not there is harmless': async (subject) => {
    await subject.again();
    await subject.commit(put('a'), hand('x'), hold('x', true), end('x', 'acked'), end('x', 'failed', 'QUEUE_POISON'));
    await subject.one();
  },
  'the end of a thousand stanzas may come in one commit': async (subject) => {
    await subject.again();
    await subject.commit(...numbered(1_000).map((key) => put(key)));
    await subject.commit(...numbered(999).map((key) => end(key, 'acked')));
    assert.equal((await subject.one()).key, 'k999');
  },
};

const SESSIONS: Readonly<Record<string, Run>> = {
  'a session comes back as it was given': async (subject) => {
    await subject.again();
    await subject.commit({ kind: 'session', session: SESSION });
    const { session } = await subject.again();
    assert.deepEqual(JSON.parse(JSON.stringify(session)), JSON.parse(JSON.stringify(SESSION)));
  },
  'a session may leave out what the server did not say': async (subject) => {
    await subject.again();
    const session = { ...SESSION, max: null, location: null };
    await subject.commit({ kind: 'session', session });
    assert.deepEqual(JSON.parse(JSON.stringify((await subject.again()).session)), session);
  },
  'the port of a location may be left out': async (subject) => {
    await subject.again();
    await subject.commit({ kind: 'session', session: { ...SESSION, location: { host: 'a.example', port: null } } });
    assert.deepEqual({ ...(await subject.again()).session?.location }, { host: 'a.example', port: null });
  },
  'the last session of a commit counts': async (subject) => {
    await subject.again();
    await subject.commit(
      { kind: 'session', session: SESSION },
      { kind: 'session', session: { ...SESSION, id: 'two' } },
    );
    assert.equal((await subject.again()).session?.id, 'two');
  },
  'a session may be over': async (subject) => {
    await subject.again();
    await subject.commit({ kind: 'session', session: SESSION });
    await subject.commit({ kind: 'session', session: null });
    assert.equal((await subject.again()).session, null);
  },
  'a session and its stanzas go together': async (subject) => {
    await subject.again();
    await subject.commit({ kind: 'session', session: SESSION }, put('a'), hand('a', SESSION.id, 8));
    await subject.commit(hold('a', true), { kind: 'session', session: null });
    const { held, session } = await subject.again();
    assert.equal(session, null);
    assert.equal(held[0]?.handed, null);
  },
};

const COMMITTING: Readonly<Record<string, Run>> = {
  'a commit of nothing is one': async (subject) => {
    await subject.again();
    await subject.commit();
  },
  'a commit that comes again changes nothing': async (subject) => {
    await subject.again();
    const changes = [put('a'), put('b'), hold('a', true, 1), end('b', 'acked'), put('c')];
    await subject.commit(...changes);
    await subject.commit(...changes);
    const held = await subject.held();
    assert.deepEqual(keysOf(held), ['a', 'c']);
    assert.deepEqual([held[0]?.possibleDuplicate, held[0]?.faults], [true, 1]);
  },
  'what is held is what was there when it was opened': async (subject) => {
    await subject.again();
    await subject.commit(put('a'));
    const { held } = await subject.again();
    await subject.commit(hand('a'), put('b'));
    assert.deepEqual(keysOf(held), ['a']);
    assert.equal(held[0]?.handed, null);
  },
  'a commit that is under way settles before the queue is closed': async (subject) => {
    const open = await subject.again();
    const commit = open.commit(numbered(100).map((key) => put(key)));
    const closed = open.close();
    await commit;
    await closed;
    assert.equal((await subject.held()).length, 100);
  },
  'a commit behind the end is refused': async (subject) => {
    const open = await subject.again();
    await subject.close();
    await rejection(open.commit([put('a')]));
    assert.deepEqual([...(await subject.held())], []);
  },
  'a queue may be closed twice': async (subject) => {
    const open = await subject.again();
    await subject.close();
    await open.close();
    await subject.again();
  },
  'many queues of one store commit at once': async (subject) => {
    const names = numbered(20, 'queue');
    const opened = await Promise.all(names.map((queue) => openQueue(subject.store, { queue })));
    await Promise.all(opened.map((open, index) => open.commit([put(`k${String(index)}`)])));
    await Promise.all(opened.map((open) => open.close()));
    for (const [index, queue] of names.entries()) {
      const open = await openQueue(subject.store, { queue });
      assert.deepEqual(keysOf(open.held), [`k${String(index)}`]);
      await open.close();
    }
  },
};

/**
 * The cases for a store of one's own. `make` returns one with nothing in it, each time; what a test runner has to do behind a
 * case, such as deleting files, is its own business.
 *
 * ```ts
 * for (const { name, run } of queueStoreCases(makeMyStore)) test(name, run);
 * ```
 */
export function queueStoreCases(make: () => Promise<QueueStore>): readonly QueueStoreCase[] {
  const cases = { ...OPENING, ...PUTTING, ...HANDING, ...ENDING, ...SESSIONS, ...COMMITTING };
  return Object.entries(cases).map(([name, run]) => ({
    name,
    run: async () => {
      const subject = new Subject(await make());
      try {
        await run(subject);
      } finally {
        await subject.close();
      }
    },
  }));
}
