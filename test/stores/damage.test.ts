// D-4: a file in which something is not as it was written.
import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { BrokerError, type OpenStore } from 'xmpp-broker';
import { sqliteStore } from 'xmpp-broker/queue/sqlite';
import { failure } from '../support/failure.js';
import { loadDriver, type Driver } from '../../src/stores/driver.js';
import { QueueFile, type OpenedQueue } from '../../src/stores/queue-file.js';
import { describeStore, file, opened, opsOf, put, Scratch } from './support/place.js';

const QUEUE = 'q';
const REFUSED = new Set(['QUEUE_CORRUPT', 'QUEUE_VERSION', 'QUEUE_STORE_FAILED']);

/** In the thread of the test, which is faster by far. */
function open(path: string, onCorrupt: 'refuse' | 'salvage' = 'refuse'): OpenedQueue {
  const queueFile = new QueueFile({ file: path, sync: 'normal', onCorrupt }, driver);
  try {
    return queueFile.openQueue(QUEUE);
  } finally {
    queueFile.close();
  }
}

let driver: Driver;
/** What was written: texts by key, and which were handed over to a session. */
const texts = new Map<string, string>();
const handed = new Set(['k1', 'k2', 'k3']);

/** A file with stanzas on many pages: some are long, some have left. */
function written(path: string, count: number): void {
  const queueFile = new QueueFile({ file: path, sync: 'normal', onCorrupt: 'refuse' }, driver);
  queueFile.openQueue('another');
  queueFile.openQueue(QUEUE);
  const stanzas = Array.from({ length: count }, (_, i) => put(`k${i}`, 'text '.repeat(i % 5 === 4 ? 2_000 : 40)));
  for (const { key, xml } of stanzas) texts.set(key, xml);
  const hands = [...handed].map((key, i) => ({ kind: 'hand', key, handed: { session: 's', ordinal: i + 1 } }) as const);
  queueFile.commit(opsOf(QUEUE, [...stanzas, ...hands]));
  queueFile.commit(opsOf('another', [put('x')]));
  queueFile.close();
}

/** Whatever was opened is what was written, and nothing that was handed over counts as fresh. */
function expectRight({ held }: Pick<OpenStore, 'held'>, where: string): void {
  for (const { key, xml, handed: place, possibleDuplicate } of held) {
    expect(xml, where).toBe(texts.get(key));
    if (handed.has(key)) expect(place !== null || possibleDuplicate, where).toBe(true);
    // A place in a session is right, or not known.
    if (place?.ordinal != null) expect(place, where).toEqual({ session: 's', ordinal: Number(key.slice(1)) });
  }
}

/** Opens a damaged file both ways. @returns how it went when it was refused, or else null; and what was saved */
function tried(path: string, damaged: Buffer, where: string): { code: string | null; saved: OpenedQueue | null } {
  let code: string | null = null;
  writeFileSync(path, damaged);
  try {
    expectRight(open(path), where);
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    code = error.code;
    expect(REFUSED.has(code), `${where}: ${code}`).toBe(true);
    expect(readFileSync(path).equals(damaged), `${where}: a file that is refused is left as it is`).toBe(true);
  }
  if (code !== 'QUEUE_CORRUPT') return { code, saved: null };
  const saved = open(path, 'salvage');
  expectRight(saved, where);
  expect(
    saved.held.every(({ possibleDuplicate }) => possibleDuplicate),
    where,
  ).toBe(true);
  expect(saved.warning, where).toContain('.corrupt-');
  return { code, saved };
}

describeStore('a damaged file', () => {
  beforeAll(() => {
    driver = loadDriver();
  });

  it('D-4, A-Q-4: each page overwritten: it is refused, or salvaged, and never anything wrong is sent', () => {
    const scratch = new Scratch();
    const path = file();
    written(path, 60);
    const whole = readFileSync(path);
    const size = whole.readUInt16BE(16);
    const pages = whole.length / size;
    expect(pages).toBeGreaterThan(30);
    const saved: number[] = [];
    for (let page = 0; page < pages; page += 1) {
      for (const [how, filling] of [
        ['zeros', 0],
        ['noise', 0xa7],
      ] as const) {
        const damaged = Buffer.from(whole);
        damaged.fill(filling, page * size, (page + 1) * size);
        const result = tried(scratch.fresh(), damaged, `page ${page + 1} of ${pages}, ${how}`);
        if (result.saved !== null) saved.push(result.saved.held.length);
      }
    }
    // One page holds a few stanzas, or a part of one; only in the first ones there is what leads to all others.
    expect(saved.filter((count) => count > 40).length).toBeGreaterThan(pages);
  });

  it('D-4, A-Q-4, S-Q-4: each byte of a record changed: its stanza is not sent, and the others are', () => {
    const scratch = new Scratch();
    const path = file();
    texts.clear();
    written(path, 4);
    const whole = readFileSync(path);
    const marker = whole.indexOf("id='k2'");
    const [begin, end] = [marker - 160, whole.indexOf('</message>', marker) + 10];
    let letters = 0;
    for (let at = begin; at < end; at += 1) {
      for (const flip of [0x01, 0x80, 0xff]) {
        const damaged = Buffer.from(whole);
        damaged[at] = (damaged[at] ?? 0) ^ flip;
        const where = `byte ${at - marker} ^ ${flip}`;
        const there = scratch.fresh();
        writeFileSync(there, damaged);
        try {
          const { held, dead } = open(there);
          expectRight({ held }, where);
          for (const { fault } of dead) expect(fault.code).toBe('QUEUE_CORRUPT');
          letters += dead.length;
          // Nothing vanishes without a word.
          expect(held.length + dead.length, where).toBeGreaterThanOrEqual(4);
          // Given up once.
          expect(open(there)).toMatchObject({ dead: [] });
        } catch (error) {
          expect(REFUSED.has((error as BrokerError).code), `${where}: ${String(error)}`).toBe(true);
        }
      }
    }
    expect(letters).toBeGreaterThan(100);
  }, 240_000);

  it('D-4, A-Q-4: cut at each page', () => {
    const scratch = new Scratch();
    const path = file();
    written(path, 40);
    const whole = readFileSync(path);
    const size = whole.readUInt16BE(16);
    for (let length = size; length < whole.length; length += size) {
      const { code } = tried(scratch.fresh(), whole.subarray(0, length), `cut to ${length / size} pages`);
      expect(code).toBe('QUEUE_CORRUPT');
    }
    // In the middle of a page, too.
    for (const length of [1, 99, 100, 511, size + 1, whole.length - 1])
      tried(scratch.fresh(), whole.subarray(0, length), `cut to ${length} bytes`);
  });

  it('D-4: the log cut or changed anywhere: what comes out was put in', () => {
    const scratch = new Scratch();
    const path = file();
    written(path, 5);
    // A process that was killed leaves the log.
    const queueFile = new QueueFile({ file: path, sync: 'normal', onCorrupt: 'refuse' }, driver);
    queueFile.openQueue(QUEUE);
    const late = [put('k20'), put('k21')];
    for (const { key, xml } of late) texts.set(key, xml);
    queueFile.commit(opsOf(QUEUE, late));
    const [main, log] = [readFileSync(path), readFileSync(`${path}-wal`)];
    queueFile.close();
    for (let at = 0; at < log.length; at += 509) {
      const there = scratch.fresh();
      const cut = `${there}.cut`;
      writeFileSync(there, main);
      writeFileSync(cut, main);
      const damaged = Buffer.from(log);
      damaged[at] = (damaged[at] ?? 0) ^ 0xff;
      writeFileSync(`${there}-wal`, damaged);
      writeFileSync(`${cut}-wal`, log.subarray(0, at));
      for (const one of [there, cut]) {
        const { held } = open(one);
        expectRight({ held }, `log at ${at}`);
        expect(held.length).toBeGreaterThanOrEqual(5);
      }
    }
  });

  it('D-4: a row whose queue has another name is found', () => {
    const path = file();
    written(path, 10);
    const scratch = new Scratch();
    const whole = readFileSync(path);
    let changed = 0;
    for (let at = whole.indexOf('qk'); at >= 0; at = whole.indexOf('qk', at + 1)) {
      const damaged = Buffer.from(whole);
      damaged[at] = 'r'.charCodeAt(0);
      const there = scratch.fresh();
      writeFileSync(there, damaged);
      const { held, dead } = open(there);
      expectRight({ held }, `the name at ${at}`);
      expect(held.length + dead.length).toBe(10);
      // Some are of what lay there before.
      changed += dead.length;
    }
    expect(changed).toBe(10);
  });

  it('D-4: versions and owners', async () => {
    const path = file();
    await (await opened(sqliteStore({ file: path }))).close();
    const withPragma = async (pragma: string) => {
      const there = file();
      copyFileSync(path, there);
      const db = driver(there);
      db.exec(`PRAGMA ${pragma}`);
      db.close();
      const before = readFileSync(there);
      // Not even to save what is in it is a file of others touched.
      const error = await failure(opened(sqliteStore({ file: there, onCorrupt: 'salvage' })));
      expect(readFileSync(there).equals(before)).toBe(true);
      expect(readdirSync(dirname(there))).toEqual([basename(there)]);
      return error;
    };
    const newer = await withPragma('user_version=2');
    expect(newer).toMatchObject({ code: 'QUEUE_VERSION', retryable: false });
    expect(newer.message).toContain('a newer xmpp-broker');
    expect(await withPragma('user_version=0')).toMatchObject({ code: 'QUEUE_VERSION' });
    const foreign = await withPragma('application_id=1');
    expect(foreign.code).toBe('QUEUE_VERSION');
    expect(foreign.message).toContain('a file of its own');

    const other = file();
    const db = driver(other);
    db.exec('CREATE TABLE accounts (name TEXT)');
    db.close();
    expect(await failure(opened(sqliteStore({ file: other })))).toMatchObject({ code: 'QUEUE_VERSION' });
  });

  it('D-4: a file that is no database is refused with the way out, and salvaged when that is wanted', async () => {
    const path = file();
    writeFileSync(path, 'this is what somebody wrote by mistake\n'.repeat(300));
    const error = await failure(opened(sqliteStore({ file: path })));
    expect(error.code).toBe('QUEUE_CORRUPT');
    expect(error.message).toContain(path);
    expect(error.message).toContain("onCorrupt: 'salvage'");
    const queue = await opened(sqliteStore({ file: path, onCorrupt: 'salvage' }));
    expect(queue.held).toEqual([]);
    expect(queue.warning).toContain('.corrupt-');
    await queue.commit([put('a')]);
    const [aside] = readdirSync(dirname(path)).filter((name) => name.includes('.corrupt-'));
    expect(readFileSync(`${dirname(path)}/${aside ?? ''}`, 'utf8')).toContain('by mistake');
    expect(existsSync(`${path}.salvage`)).toBe(false);
  });
});
