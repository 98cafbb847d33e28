import { copyFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { SessionRecord } from 'xmpp-broker';
import { sqliteStore, type SqliteStoreOptions } from 'xmpp-broker/queue/sqlite';
import { loadDriver } from '../../src/stores/driver.js';
import { Op } from '../../src/stores/ops.js';
import { QueueFile } from '../../src/stores/queue-file.js';
import { SqliteStore } from '../../src/stores/sqlite-store.js';
import { unpacked } from '../../src/stores/store-faults.js';
import { Writer } from '../../src/stores/writer.js';
import type { AsyncWriter, StartWriter } from '../../src/stores/writer-thread.js';
import { failure } from '../support/failure.js';
import { describeStore, DRIVER, file, opened, owner, put, xmlOf } from './support/place.js';

const SESSION: SessionRecord = {
  id: 's1',
  jid: 'juliet@example.org/balcony',
  max: 300,
  location: { host: 'a.example.org', port: 5222 },
  sent: 4_294_967_295,
  acked: 3,
  handled: 4_294_967_294,
  at: 1_700_000_000_123,
};

describe('sqliteStore()', () => {
  const bad: readonly [string, unknown, RegExp][] = [
    ['nothing', undefined, /the options must be an object, not undefined/],
    ['a path alone', 'queue.db', /the options must be an object/],
    ['no file', {}, /file is missing/],
    ['an empty path', { file: '' }, /file must be the path of a file, not ""/],
    ['a path with NUL', { file: 'a\0b' }, /file must be the path of a file/],
    ['a URL', { file: new URL('file:///tmp/x') }, /file must be the path of a file, not an? URL/],
    ['another sync', { file: 'x', sync: 'off' }, /sync must be 'full' or 'normal', not "off"/],
    [
      'another driver',
      { file: 'x', driver: 'sqlite3' },
      /driver must be 'node:sqlite' or 'better-sqlite3', not "sqlite3"/,
    ],
    ['another way', { file: 'x', onCorrupt: true }, /onCorrupt must be 'refuse' or 'salvage', not true/],
    ['a wrong name', { flie: 'x' }, /flie is no option; did you mean file\?/],
  ];
  it.each(bad)('refuses %s', (_, options, message) => {
    let error: unknown;
    try {
      sqliteStore(options as SqliteStoreOptions);
    } catch (why) {
      error = why;
    }
    expect(error).toMatchObject({
      name: 'BrokerError',
      code: 'USAGE_STORE',
      message: expect.stringMatching(message) as string,
    });
    expect((error as Error).message).toMatch(/^sqliteStore\(\): /);
  });

  it('opens nothing by itself', () => {
    expect(sqliteStore({ file: '/nowhere/at/all/queue.db' })).toMatchObject({ name: 'sqlite' });
  });

  it.skipIf(DRIVER === 'better-sqlite3')('says what to install where better-sqlite3 is missing', async () => {
    const store = sqliteStore({ file: file(), driver: 'better-sqlite3' });
    const error = await failure(opened(store));
    expect(error).toMatchObject({ code: 'QUEUE_NO_DRIVER', retryable: false });
    expect(error.message).toContain('npm install better-sqlite3@12');
    expect(await failure(opened(store))).toMatchObject({ code: 'QUEUE_NO_DRIVER' });
  });

  it.skipIf(DRIVER === 'node:sqlite')('says which Node has node:sqlite', async () => {
    const error = await failure(opened(sqliteStore({ file: file(), driver: 'node:sqlite' })));
    expect(error.code).toBe('QUEUE_NO_DRIVER');
    expect(error.message).toContain('22.13');
  });
});

describeStore('a queue in a file', () => {
  it('has everything again after the process, in order', async () => {
    const store = sqliteStore({ file: file() });
    const first = await opened(store);
    expect(first).toMatchObject({ epoch: 1, held: [], session: null, dead: [] });
    await first.commit([put('a'), put('b'), put('c', 'ü 😀 ]]> \uFFFD')]);
    await first.commit([
      { kind: 'hand', key: 'a', handed: { session: 's1', ordinal: 7 } },
      { kind: 'hand', key: 'b', handed: { session: null, ordinal: null } },
      { kind: 'session', session: SESSION },
      { ...put('d'), handed: { session: 's1', ordinal: 8 } },
    ]);
    await first.close();

    const second = await opened(store);
    const one = { xmlns: 'jabber:client', at: 1_700_000_000_000, possibleDuplicate: false, faults: 0 };
    expect(second.epoch).toBe(2);
    expect(second.session).toEqual(SESSION);
    expect(second.held).toEqual([
      { ...one, key: 'a', position: 1, xml: xmlOf('a'), handed: { session: 's1', ordinal: 7 }, attempts: 1 },
      { ...one, key: 'b', position: 2, xml: xmlOf('b'), handed: { session: null, ordinal: null }, attempts: 1 },
      { ...one, key: 'c', position: 3, xml: xmlOf('c', 'ü 😀 ]]> \uFFFD'), handed: null, attempts: 0 },
      { ...one, key: 'd', position: 4, xml: xmlOf('d'), handed: { session: 's1', ordinal: 8 }, attempts: 1 },
    ]);
    await second.commit([
      { kind: 'hold', key: 'a', possibleDuplicate: true, faults: 2 },
      { kind: 'end', key: 'b', outcome: 'acked' },
      { kind: 'end', key: 'c', outcome: 'dropped' },
      { kind: 'session', session: null },
    ]);
    await second.commit([{ kind: 'hold', key: 'a', possibleDuplicate: false, faults: 2 }]);
    await second.close();
    const third = await opened(store);
    expect(third.session).toBeNull();
    // What may have been sent once stays so.
    expect(third.held).toMatchObject([
      { key: 'a', handed: null, possibleDuplicate: true, attempts: 1, faults: 2 },
      { key: 'd', handed: { session: 's1', ordinal: 8 } },
    ]);
  });

  it('takes a change that is repeated as one, and what is about an unknown key as none', async () => {
    const store = sqliteStore({ file: file() });
    const queue = await opened(store);
    await queue.commit([put('a'), put('a', 'another text')]);
    await queue.commit([{ ...put('a', 'a third text'), handed: { session: 's', ordinal: 1 } }]);
    await queue.commit([
      { kind: 'end', key: 'none', outcome: 'sent' },
      { kind: 'end', key: 'none', outcome: 'failed', code: 'X' },
      { kind: 'hold', key: 'none', possibleDuplicate: true, faults: 1 },
      { kind: 'hand', key: 'none', handed: { session: null, ordinal: null } },
    ]);
    await queue.commit([]);
    await queue.close();
    expect((await opened(store)).held).toMatchObject([{ key: 'a', xml: xmlOf('a'), handed: { ordinal: 1 } }]);
  });

  it('keeps dead letters, the newest 1,000 of each queue', async () => {
    const path = file();
    const store = sqliteStore({ file: path });
    const [queue, other] = [await opened(store, 'q'), await opened(store, 'other')];
    const keys = Array.from({ length: 1_010 }, (_, i) => `k${i}`);
    await queue.commit(keys.map((key) => put(key)));
    await queue.commit(keys.map((key) => ({ kind: 'end', key, outcome: 'failed', code: 'QUEUE_POISON' })));
    await other.commit([put('x'), { kind: 'end', key: 'x', outcome: 'failed' }]);
    await Promise.all([queue.close(), other.close()]);
    const db = loadDriver()(path);
    const dead = db.prepare('SELECT queue, key, code, xml FROM dead ORDER BY seq').all();
    db.close();
    expect(dead.length).toBe(1_001);
    expect(dead[0]).toMatchObject({ queue: 'q', key: 'k10', code: 'QUEUE_POISON', xml: xmlOf('k10') });
    expect(dead.at(-1)).toMatchObject({ queue: 'other', key: 'x', code: null });
  });

  it('is one of many: names, epochs, stanzas and sessions are apart', async () => {
    const store = sqliteStore({ file: file() });
    const names = ['a', 'b', "c'; DROP TABLE stanza --", 'ü@example.org'];
    for (const epoch of [1, 2, 3]) {
      const queues = await Promise.all(names.map((name) => opened(store, name)));
      expect(queues.map((queue) => queue.epoch)).toEqual(names.map(() => epoch));
      await Promise.all(
        queues.map((queue, i) =>
          queue.commit([put(`k${epoch}`, names[i]), { kind: 'session', session: { ...SESSION, id: `${i}` } }]),
        ),
      );
      await Promise.all(queues.map((queue) => queue.close()));
    }
    const queues = await Promise.all(names.map((name) => opened(store, name)));
    for (const [i, { held, session }] of queues.entries()) {
      expect(held.map(({ key }) => key)).toEqual(['k1', 'k2', 'k3']);
      expect(held[0]?.xml).toBe(xmlOf('k1', names[i]));
      expect(session?.id).toBe(`${i}`);
    }
  });

  it('D-5: is open once, in one process too, whichever way', async () => {
    const path = file();
    const store = sqliteStore({ file: path });
    const queue = await opened(store, 'q');
    const twice = await failure(opened(store, 'q'));
    expect(twice.code).toBe('QUEUE_LOCKED');
    expect(twice.message).toContain('queue.name');
    const elsewhere = await failure(opened(sqliteStore({ file: path }), 'other'));
    expect(elsewhere.code).toBe('QUEUE_LOCKED');
    expect(elsewhere.message).toContain('the same store object');
    await queue.commit([put('a')]);
    await queue.close();
    await queue.close();
    expect(await failure(queue.commit([put('b')]))).toMatchObject({ code: 'QUEUE_STORE_FAILED' });
    expect((await opened(sqliteStore({ file: path }), 'q')).held.length).toBe(1);
  });

  it('is not opened when the signal is aborted, before and meanwhile', async () => {
    const store = sqliteStore({ file: file() });
    const reason = new Error('no longer wanted');
    expect(await failure(store.open(owner(), AbortSignal.abort(reason)))).toBe(reason);
    const control = new AbortController();
    const opening = store.open(owner(), control.signal);
    control.abort(reason);
    expect(await failure(opening)).toBe(reason);
    expect((await opened(store)).held).toEqual([]);
  });

  it('opens while the last one is closing', async () => {
    const store = sqliteStore({ file: file() });
    for (let epoch = 1; epoch < 6; epoch += 1) {
      const queue = await opened(store);
      expect(queue.epoch).toBe(epoch);
      void queue.close();
    }
    expect((await opened(store, 'other')).epoch).toBe(1);
  });
});

/** A writer in this thread, whose commits a test holds back. */
class HeldWriter implements AsyncWriter {
  /** Of how many queues each commit was. */
  readonly commits: number[] = [];
  readonly #writer: Writer;
  #gate: Promise<void> = Promise.resolve();
  release: () => void = () => undefined;

  constructor(data: ConstructorParameters<typeof Writer>[0]) {
    this.#writer = new Writer(data, () => loadDriver());
  }

  hold(): void {
    this.#gate = new Promise((resolve) => (this.release = resolve));
  }

  ask: AsyncWriter['ask'] = async (request) => {
    if (request.kind === 'commit') {
      this.commits.push(request.ops.filter((value) => value === Op.queue).length);
      await this.#gate;
    }
    const reply = this.#writer.handle(request);
    if ('fault' in reply) throw unpacked(reply.fault);
    return reply;
  };
}

describeStore('the writer', () => {
  const settings = (path: string) => ({ file: path, sync: 'full', onCorrupt: 'refuse', driver: null }) as const;

  it('writes what came from many brokers while a commit was under way with the next one', async () => {
    let writer: HeldWriter | undefined;
    const store = new SqliteStore(settings(file()), (data) => (writer = new HeldWriter(data)));
    const queues = await Promise.all(Array.from({ length: 100 }, (_, i) => opened(store, `q${i}`)));
    writer?.hold();
    const commit = (some: typeof queues) => some.map((queue) => queue.commit([put('a')]));
    const first = commit(queues.slice(0, 1));
    await setImmediate();
    const others = commit(queues.slice(1));
    writer?.release();
    await Promise.all([...first, ...others]);
    expect(writer?.commits).toEqual([1, 99]);
  });

  it('that dies fails what was asked, and another one goes on', async () => {
    let started = 0;
    let die: (() => void) | undefined;
    const path = file();
    const start: StartWriter = (data, died) => {
      started += 1;
      const writer = new HeldWriter(data);
      if (started > 1) return writer;
      return {
        ask: (request) => {
          if (request.kind !== 'commit') return writer.ask(request);
          return new Promise((_, reject) => {
            die = () => {
              reject(new Error('gone'));
              void writer.ask({ kind: 'close' });
              died();
            };
          });
        },
      };
    };
    const store = new SqliteStore(settings(path), start);
    const queue = await opened(store);
    const lost = failure(queue.commit([put('a')]));
    await setImmediate();
    die?.();
    expect((await lost).message).toBe('gone');
    await queue.commit([put('b')]);
    expect(started).toBe(2);
    await queue.close();
    expect((await opened(store)).held.map(({ key }) => key)).toEqual(['b']);
  });

  it('that was kept out by another process after a fault is fenced', () => {
    const path = file();
    let breaks = false;
    const inner = loadDriver();
    const queueFile = new QueueFile(settings(path), (name) => {
      const db = inner(name);
      return {
        prepare: (sql) => db.prepare(sql),
        close: () => db.close(),
        exec: (sql) => {
          if (breaks && sql === 'COMMIT') throw Object.assign(new Error('no'), { code: 'SQLITE_IOERR_WRITE' });
          db.exec(sql);
        },
      };
    });
    queueFile.openQueue('q');
    breaks = true;
    expect(() => queueFile.commit([])).toThrow(expect.objectContaining({ code: 'QUEUE_STORE_FAILED' }));
    breaks = false;
    queueFile.commit([]); // the file is opened anew
    breaks = true;
    expect(() => queueFile.commit([])).toThrow(expect.objectContaining({ code: 'QUEUE_STORE_FAILED' }));
    breaks = false;
    const other = new QueueFile(settings(path), inner);
    expect(other.openQueue('q').epoch).toBe(2);
    expect(() => queueFile.commit([])).toThrow(expect.objectContaining({ code: 'QUEUE_LOCKED' }));
    other.close();
    expect(() => queueFile.commit([])).toThrow(expect.objectContaining({ code: 'QUEUE_FENCED' }));
  });

  it('leaves a file that opens elsewhere while it is written: the log is beside it', async () => {
    const path = file();
    const queue = await opened(sqliteStore({ file: path }));
    await queue.commit([put('a'), put('b')]);
    const copy = `${path}.copy`;
    copyFileSync(path, copy);
    copyFileSync(`${path}-wal`, `${copy}-wal`);
    expect((await opened(sqliteStore({ file: copy }))).held.length).toBe(2);
  });

  it('has what SQLite needs for that to survive a power cut', () => {
    // A reader of the settings, since no test can cut the power.
    const path = file();
    for (const [sync, wanted] of [
      ['full', 2],
      ['normal', 1],
    ] as const) {
      let synchronous: unknown;
      const queueFile = new QueueFile({ ...settings(path), sync }, (name) => {
        const db = loadDriver()(name);
        return {
          exec: (sql) => db.exec(sql),
          prepare: (sql) => db.prepare(sql),
          close: () => {
            synchronous = db.prepare('PRAGMA synchronous').get()?.['synchronous'];
            db.close();
          },
        };
      });
      queueFile.openQueue('q');
      queueFile.close();
      expect(synchronous).toBe(wanted);
    }
  });
});
