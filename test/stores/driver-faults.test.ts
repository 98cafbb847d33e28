// D-2: each call of the driver fails once, then for good.
import { copyFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { BrokerError, type Change } from 'xmpp-broker';
import { loadDriver } from '../../src/stores/driver.js';
import { QueueFile } from '../../src/stores/queue-file.js';
import { describeStore, file, opsOf, put, Scratch } from './support/place.js';
import { FaultyDriver } from './support/faulty-driver.js';

const QUEUE = 'q';
/** Results of SQLite, and which calls fail with them: FULL and IOERR are the usual ones; NOMEM, READONLY, CANTOPEN, and one that nobody knows. */
const RESULTS = [
  { result: 13, each: 1 },
  { result: 10, each: 1 },
  { result: 7, each: 11 },
  { result: 8, each: 12 },
  { result: 14, each: 13 },
  { result: 99, each: 14 },
];

const hand = (key: string, ordinal: number): Change => ({ kind: 'hand', key, handed: { session: 's', ordinal } });
const end = (key: string): Change => ({ kind: 'end', key, outcome: 'acked' });

/** What happens to a queue, commit by commit. */
const LIFE: readonly (readonly Change[])[] = [
  [put('a'), put('b')],
  [put('c'), hand('a', 1)],
  [{ kind: 'session', session: { id: 's', jid: 'j', max: 60, location: null, sent: 1, acked: 0, handled: 5, at: 1 } }],
  [end('a'), hand('b', 2)],
  [put('d'), { kind: 'hold', key: 'b', possibleDuplicate: true, faults: 1 }],
  [{ kind: 'end', key: 'c', outcome: 'failed', code: 'QUEUE_POISON' }],
];

/** What a queue should hold: key, and whether it may have been sent. */
type Model = Map<string, { handed: boolean; duplicate: boolean }>;

function apply(model: Model, changes: readonly Change[]): void {
  for (const change of changes) {
    if (change.kind === 'put') model.set(change.key, { handed: false, duplicate: false });
    if (change.kind === 'end') model.delete(change.key);
    const one = 'key' in change ? model.get(change.key) : undefined;
    if (one === undefined) continue;
    if (change.kind === 'hand') one.handed = true;
    if (change.kind === 'hold') Object.assign(one, { handed: false, duplicate: change.possibleDuplicate });
  }
}

/** Lives a queue through and tells what it promised; failed puts are lost, everything else comes again. */
function live(queueFile: QueueFile): { model: Model; codes: string[] } {
  const model: Model = new Map();
  const codes: string[] = [];
  const failed = new Set<string>();
  let again: Change[] = [];
  for (const changes of LIFE) {
    const wanted = [...again, ...changes.filter((change) => !('key' in change) || !failed.has(change.key))];
    try {
      queueFile.commit(opsOf(QUEUE, wanted));
      apply(model, wanted);
      again = [];
    } catch (error) {
      codes.push((error as BrokerError).code);
      expect(error).toBeInstanceOf(BrokerError);
      for (const change of wanted) if (change.kind === 'put') failed.add(change.key);
      again = wanted.filter((change) => !('key' in change) || !failed.has(change.key));
    }
  }
  return { model, codes };
}

/** What the file holds for the next process. */
function left(path: string): Model {
  const next = new QueueFile({ file: path, sync: 'full', onCorrupt: 'refuse' }, loadDriver());
  const { held, dead } = next.openQueue(QUEUE);
  next.close();
  expect(dead).toEqual([]);
  return new Map(
    held.map(({ key, handed, possibleDuplicate }) => [key, { handed: handed !== null, duplicate: possibleDuplicate }]),
  );
}

/** Opens, again and again as a broker does, then lives. */
function run(path: string, driver: FaultyDriver): { model: Model; codes: string[]; opened: boolean } {
  const queueFile = new QueueFile({ file: path, sync: 'normal', onCorrupt: 'refuse' }, driver.open);
  const codes: string[] = [];
  for (let tries = 0; tries < 3; tries += 1) {
    try {
      queueFile.openQueue(QUEUE);
      const lived = live(queueFile);
      queueFile.close();
      return { ...lived, codes: [...codes, ...lived.codes], opened: true };
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      codes.push(error.code);
    }
  }
  queueFile.close();
  return { model: new Map(), codes, opened: false };
}

describeStore('a driver that fails', () => {
  const count = () => {
    const driver = new FaultyDriver(loadDriver());
    run(new Scratch().fresh(), driver);
    return driver.calls;
  };

  it.each(RESULTS)(
    'D-2, A-Q-3: each call fails once, with result $result: what was promised is there, what failed is not',
    ({ result, each }) => {
      const calls = count();
      const scratch = new Scratch();
      expect(calls).toBeGreaterThan(50);
      for (let from = 1; from <= calls; from += each) {
        const driver = Object.assign(new FaultyDriver(loadDriver()), { from, result });
        const path = scratch.fresh();
        const { model, codes, opened } = run(path, driver);
        expect(opened, `call ${from}`).toBe(true);
        expect(codes, `call ${from}`).toEqual(['QUEUE_STORE_FAILED']);
        expect(left(path), `call ${from}`).toEqual(model);
      }
    },
  );

  it.each(RESULTS)('D-2, A-Q-3: each call fails, and all behind it, with result $result', ({ result, each }) => {
    const calls = count();
    for (let from = 1; from <= calls; from += each) {
      const driver = Object.assign(new FaultyDriver(loadDriver()), { from, result, times: Infinity });
      const path = file();
      const { model, codes } = run(path, driver);
      expect(new Set(codes), `call ${from}`).toEqual(new Set(['QUEUE_STORE_FAILED']));
      expect(left(path), `call ${from}`).toEqual(model);
    }
  });

  it('D-2: a commit whose flush failed is taken back by the next one, though it was written', () => {
    const path = file();
    const copy = `${path}.copy`;
    const inner = loadDriver();
    let breaks = false;
    // SQLite has written all of it, and then says that it could not flush.
    const queueFile = new QueueFile({ file: path, sync: 'full', onCorrupt: 'refuse' }, (name) => {
      const db = inner(name);
      return {
        prepare: (sql) => db.prepare(sql),
        close: () => db.close(),
        exec: (sql) => {
          db.exec(sql);
          if (!breaks || sql !== 'COMMIT') return;
          breaks = false;
          throw Object.assign(new Error('flush'), { code: 'SQLITE_IOERR_FSYNC' });
        },
      };
    });
    const write = (...changes: Change[]) => queueFile.commit(opsOf(QUEUE, changes));
    queueFile.openQueue(QUEUE);
    write(put('a'));
    breaks = true;
    expect(() => write(put('b'))).toThrow(expect.objectContaining({ code: 'QUEUE_STORE_FAILED' }));
    copyFileSync(path, copy);
    write(put('c'));
    queueFile.close();
    expect([...left(path).keys()]).toEqual(['a', 'c']);
    // A process that is killed in between does not know: it is there.
    expect([...left(copy).keys()]).toEqual(['a', 'b']);
  });
});
