// D-3: a disk that is full, that cannot be written, and a file that goes away.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, statSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { BrokerError } from 'xmpp-broker';
import { sqliteStore } from 'xmpp-broker/queue/sqlite';
import { failure } from '../support/failure.js';
import { DRIVER, describeStore, file, folder, opened, put } from './support/place.js';

/** Whether a file system of a few bytes can be had here. */
const MOUNTS = (() => {
  if (DRIVER === null || process.platform !== 'linux') return false;
  const path = `/tmp/xmpp-broker-mount-${process.pid}`;
  mkdirSync(path);
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', path]).status === 0;
  if (mounted) execFileSync('umount', [path]);
  rmSync(path, { recursive: true });
  return mounted;
})();

const mounted: string[] = [];
afterEach(() => {
  for (const path of mounted.splice(0)) execFileSync('umount', ['-l', path]);
});

function tmpfs(): string {
  const path = join(folder(), 'disk');
  mkdirSync(path);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', path]);
  mounted.unshift(path);
  return path;
}

const keys = ({ held }: { held: readonly { key: string }[] }) => held.map(({ key }) => key);
const failed = (error: unknown) => error as BrokerError;

describeStore('a disk', () => {
  describe.skipIf(!MOUNTS)('of 1 MB', () => {
    it('D-3, A-Q-3, S-Q-6: that is full fails commits, keeps what was stored, and works again when there is room', async () => {
      const disk = tmpfs();
      const path = join(disk, 'queue.db');
      const store = sqliteStore({ file: path });
      const queue = await opened(store);
      const ballast = join(disk, 'ballast');
      // What was in the log needs room in the file, too, when that is closed.
      writeFileSync(ballast, Buffer.alloc(550_000));
      const stored: string[] = [];
      let error: BrokerError | undefined;
      for (let i = 0; i < 1_000 && error === undefined; i += 1) {
        await queue.commit([put(`k${i}`, 'x'.repeat(10_000))]).then(
          () => stored.push(`k${i}`),
          (why: unknown) => (error = failed(why)),
        );
      }
      expect(error).toMatchObject({ code: 'QUEUE_STORE_FAILED', retryable: false, origin: 'os' });
      expect(error?.message).toContain(path);
      expect(error?.message).toContain('the disk is full');
      expect(stored.length).toBeGreaterThan(5);
      // Ends need room, too. They wait.
      const ended = [{ kind: 'end', key: 'k0', outcome: 'acked' } as const];
      await failure(queue.commit([...ended, put('late', 'x'.repeat(10_000))]));
      unlinkSync(ballast);
      await queue.commit(ended);
      await queue.commit([put('after')]);
      await queue.close();
      expect(keys(await opened(store))).toEqual([...stored.slice(1), 'after']);
    });

    it('D-3: that is full when the program dies holds what was stored', async () => {
      const disk = tmpfs();
      const path = join(disk, 'queue.db');
      const store = sqliteStore({ file: path });
      const queue = await opened(store);
      const stored: string[] = [];
      for (let i = 0; ; i += 1) {
        try {
          await queue.commit([put(`k${i}`, 'x'.repeat(10_000))]);
          stored.push(`k${i}`);
        } catch {
          break;
        }
      }
      // As a process that is killed leaves it, on a disk with room.
      const elsewhere = folder();
      execFileSync('cp', [path, `${path}-wal`, elsewhere]);
      expect(keys(await opened(sqliteStore({ file: join(elsewhere, 'queue.db') })))).toEqual(stored);
    });

    it('D-3: that is read-only is told at once', async () => {
      const disk = tmpfs();
      const path = join(disk, 'queue.db');
      await (await opened(sqliteStore({ file: path }))).close();
      execFileSync('mount', ['-o', 'remount,ro', disk]);
      const error = failed(await failure(opened(sqliteStore({ file: path }))));
      expect(error).toMatchObject({ code: 'QUEUE_STORE_FAILED', retryable: false });
      expect(error.message).toContain('read-only');
      expect(await failure(opened(sqliteStore({ file: join(disk, 'new.db') })))).toMatchObject({
        code: 'QUEUE_STORE_FAILED',
      });
    });

    it('D-3: that becomes read-only fails commits, and works again behind that', async () => {
      const disk = tmpfs();
      const queue = await opened(sqliteStore({ file: join(disk, 'queue.db') }));
      await queue.commit([put('a')]);
      spawnSync('mount', ['-o', 'remount,ro', disk]); // refused while it is open for writing
      const over = spawnSync('mount', ['-t', 'tmpfs', '-o', 'ro', 'tmpfs', disk]).status === 0;
      if (!over) return;
      expect(await failure(queue.commit([put('b')]))).toMatchObject({ code: 'QUEUE_STORE_FAILED' });
      execFileSync('umount', [disk]);
      await queue.commit([put('c')]);
    });
  });

  it.skipIf(process.getuid?.() === 0)('D-3: a file that may only be read is told', async () => {
    const path = file();
    await (await opened(sqliteStore({ file: path }))).close();
    execFileSync('chmod', ['400', path]);
    expect(await failure(opened(sqliteStore({ file: path })))).toMatchObject({ code: 'QUEUE_STORE_FAILED' });
  });

  it('D-3: a file that is removed while it is open fails commits: they would be lost', async () => {
    const path = file();
    const queue = await opened(sqliteStore({ file: path }));
    await queue.commit([put('a')]);
    unlinkSync(path);
    const error = failed(await failure(queue.commit([put('b')])));
    expect(error).toMatchObject({ code: 'QUEUE_STORE_FAILED', retryable: false });
    expect(error.message).toContain('removed');
    expect(await failure(queue.commit([put('c')]))).toMatchObject({ code: 'QUEUE_STORE_FAILED' });
    expect(existsSync(path)).toBe(false);
  });

  it('D-3: a file that was moved works again when it is back', async () => {
    const path = file();
    const store = sqliteStore({ file: path });
    const queue = await opened(store);
    await queue.commit([put('a')]);
    renameSync(path, `${path}.away`);
    await failure(queue.commit([put('b')]));
    writeFileSync(path, '');
    expect(await failure(queue.commit([put('b')]))).toMatchObject({ code: 'QUEUE_STORE_FAILED' });
    renameSync(`${path}.away`, path);
    await queue.commit([put('c')]);
    await queue.close();
    expect(keys(await opened(store))).toEqual(['a', 'c']);
  });

  it('D-3: a log that is removed while it is open fails commits', async () => {
    const path = file();
    const queue = await opened(sqliteStore({ file: path }));
    await queue.commit([put('a')]);
    unlinkSync(`${path}-wal`);
    expect(await failure(queue.commit([put('b')]))).toMatchObject({ code: 'QUEUE_STORE_FAILED' });
  });
});

describeStore('a path', () => {
  const message = async (path: string) => {
    const error = failed(await failure(opened(sqliteStore({ file: path }))));
    expect(error.code).toBe('QUEUE_STORE_FAILED');
    expect(error.message).toContain(path);
    return error.message;
  };

  it('A-Q-4: whose folder is not there is told, and nothing is made', async () => {
    const path = join(folder(), 'none', 'queue.db');
    expect(await message(path)).toContain('make it first');
    expect(existsSync(join(path, '..'))).toBe(false);
  });

  it('A-Q-4: of a folder is told', async () => expect(await message(folder())).toContain('is no file'));

  it('A-Q-4: of a device is told', async () => expect(await message('/dev/null')).toContain('is no file'));

  it('A-Q-4: below a file is told', async () => {
    const path = file();
    writeFileSync(path, '');
    await message(join(path, 'queue.db'));
  });

  it('A-Q-4: of a link that leads nowhere is told; one that leads to a file is followed', async () => {
    const [path, target] = [file(), file()];
    symlinkSync(target, path);
    expect(await message(path)).toContain('leads nowhere');
    writeFileSync(target, '');
    await (await opened(sqliteStore({ file: path }))).commit([put('a')]);
    expect(statSync(target).size).toBeGreaterThan(0);
    // The same file by its other name.
    expect(await failure(opened(sqliteStore({ file: target })))).toMatchObject({ code: 'QUEUE_LOCKED' });
  });

  it('S-Q-7: is for the owner alone, the log too', async () => {
    const path = file();
    const queue = await opened(sqliteStore({ file: path }));
    await queue.commit([put('a')]);
    expect([path, `${path}-wal`].map((one) => statSync(one).mode & 0o777)).toEqual([0o600, 0o600]);
  });

  it('means the folder that the program was in', async () => {
    const [path, before] = [folder(), process.cwd()];
    process.chdir(path);
    const store = sqliteStore({ file: 'queue.db' });
    process.chdir(before);
    await opened(store);
    expect(existsSync(join(path, 'queue.db'))).toBe(true);
  });
});
