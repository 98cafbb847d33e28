// D-5: processes that want the same file; and what the end of one leaves.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, expect, it } from 'vitest';
import { sqliteStore } from 'xmpp-broker/queue/sqlite';
import { Workshop } from '../docs/support/workshop.js';
import { describeStore, file, opened } from './support/place.js';

const workshop = new Workshop();
const children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
});
afterAll(() => workshop[Symbol.dispose]());

/** Opens the queue when it is told to, says how that went, and then writes stanza after stanza. */
const program = workshop.add(
  'holder.ts',
  `
import { sqliteStore } from 'xmpp-broker/queue/sqlite';
const [file, how] = process.argv.slice(2);
const owner = { queue: 'q', limits: {}, xmlns: 'jabber:client', arrived() {}, room: () => ({ stanzas: 1, bytes: 1 }), standby() {}, health() {}, fenced() {}, purge: () => 0 };
const put = (key) => ({ kind: 'put', key, xml: "<message id='" + key + "'/>", at: 1, handed: null });
const say = (text) => process.stdout.write(text + '\\n');
if (how === 'wait') await new Promise((resolve) => process.stdin.once('data', resolve));
try {
  const queue = await sqliteStore({ file }).open(owner, new AbortController().signal);
  say('open ' + queue.epoch + ' ' + queue.held.length);
  if (how === 'leave') {
    // Neither awaited nor closed: the program just comes to its end.
    for (let i = 0; i < 50; i += 1) void queue.commit([put('left-' + i)]);
    process.stdin.destroy();
  } else {
    for (let i = 0; ; i += 1) {
      await queue.commit([put(process.pid + '-' + i)]);
      say('stored ' + process.pid + '-' + i);
    }
  }
} catch (error) {
  say(error.code + ' ' + error.message);
  process.exit(0);
}
`,
);

class Holder {
  readonly child: ChildProcess;
  readonly lines: string[] = [];
  readonly first: Promise<string>;

  constructor(path: string, how: 'wait' | 'go' | 'leave') {
    this.child = spawn(process.execPath, [program, path, how], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, NODE_NO_WARNINGS: '1' },
    });
    children.push(this.child);
    this.first = new Promise((resolve) => {
      createInterface({ input: this.child.stdout! }).on('line', (line) => {
        if (this.lines.push(line) === 1) resolve(line);
      });
    });
  }

  async stored(count: number): Promise<void> {
    await expect.poll(() => this.lines.length, { timeout: 30_000 }).toBeGreaterThan(count);
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await once(this.child, 'close');
  }

  get keys(): string[] {
    return this.lines.filter((line) => line.startsWith('stored ')).map((line) => line.slice('stored '.length));
  }
}

describeStore('processes', () => {
  it('D-5, A-Q-5, S-Q-7: of two that open a file at once one has it, 20 times; when it is killed the next one opens', async () => {
    const path = file();
    const promised: string[] = [];
    for (let round = 1; round <= 20; round += 1) {
      const both = [new Holder(path, 'wait'), new Holder(path, 'wait')];
      for (const { child } of both) child.stdin?.write('go\n');
      const said = await Promise.all(both.map(({ first }) => first));
      const [winner] = both.filter((_, i) => said[i]?.startsWith(`open ${round} `));
      const [loser = ''] = said.filter((line) => line.startsWith('QUEUE_LOCKED '));
      expect(said, `round ${round}`).toHaveLength(2);
      expect(winner, said.join(' / ')).toBeDefined();
      expect(loser).toContain(path);
      await winner?.stored(round % 4);
      await winner?.kill();
      promised.push(...(winner?.keys ?? []));
    }
    const { held, epoch } = await opened(sqliteStore({ file: path }), 'q');
    expect(epoch).toBe(21);
    // What a process said was stored is there, in order. What it had under way when it was killed may be.
    const keys = held.map(({ key }) => key);
    expect(keys.filter((key) => promised.includes(key))).toEqual(promised);
    expect(keys.length - promised.length).toBeLessThanOrEqual(20);
  }, 240_000);

  it('D-5: one that holds the file keeps this one out until it is killed', async () => {
    const path = file();
    const holder = new Holder(path, 'go');
    await holder.stored(2);
    await expect(opened(sqliteStore({ file: path }), 'q')).rejects.toMatchObject({ code: 'QUEUE_LOCKED' });
    await holder.kill();
    const { held } = await opened(sqliteStore({ file: path }), 'q');
    expect(held.map(({ key }) => key).slice(0, holder.keys.length)).toEqual(holder.keys);
  });

  it('may be given on the command line', async () => {
    const path = file();
    const source = `
      import { sqliteStore } from 'xmpp-broker/queue/sqlite';
      const queue = await sqliteStore({ file: process.env.FILE }).open({ queue: 'q', xmlns: '' }, AbortSignal.timeout(30_000));
      console.log('open', queue.epoch);
      await queue.close();`;
    const child = spawn(process.execPath, ['--no-warnings', '--expose-gc', '--input-type=module', '--eval', source], {
      cwd: workshop.path,
      env: { ...process.env, FILE: path },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    children.push(child);
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += String(text)));
    await once(child, 'close');
    expect(said).toBe('open 1\n');
  });

  it('end by themselves when nothing is left to be done, and not before everything is written', async () => {
    const path = file();
    const holder = new Holder(path, 'leave');
    const [code] = (await once(holder.child, 'close')) as [number];
    expect(code).toBe(0);
    expect((await opened(sqliteStore({ file: path }), 'q')).held).toHaveLength(50);
  });
});
