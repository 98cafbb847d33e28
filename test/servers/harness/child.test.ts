import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { serverAccount } from './account.js';
import { Child, runToEnd } from './child.js';

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'xmpp-broker-child-'));
  chmodSync(directory, 0o777); // also for the servers' user
});
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

const program = (command: string, ...args: string[]) => ({
  name: 'it',
  command,
  args,
  directory,
  output: join(directory, 'it.log'),
});

/** Gone, or dead and not yet collected by whoever inherited it. */
function isDead(pid: number): boolean {
  try {
    return /^\d+ \(.*\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true;
  }
}

test('output goes to its file, an end is noticed, signals after it do nothing', async () => {
  const child = await Child.start(program('/bin/sh', '-c', 'echo hello; exit 7'));
  await expect.poll(() => child.running).toBe(false);
  expect(child.outcome).toBe('ended with code 7');
  expect(readFileSync(join(directory, 'it.log'), 'utf8')).toBe('hello\n');
  child.signal('SIGTERM');
  await child.stop(10);
  await child.kill();
});

test('a program that ignores the request to stop is killed after the grace', async () => {
  const child = await Child.start(program('/bin/sh', '-c', 'trap "" TERM; echo ready; while :; do sleep 1; done'));
  await expect.poll(() => readFileSync(join(directory, 'it.log'), 'utf8')).toContain('ready');
  await child.stop(50);
  expect(child.outcome).toBe('was ended by SIGKILL');
});

test('root gives its rights away', async () => {
  const account = serverAccount();
  const uid = Number(await runToEnd({ name: 'id', command: '/usr/bin/id', args: ['-u'], directory }));
  expect(uid).toBe(account?.uid ?? process.getuid?.());
  if (process.getuid?.() === 0) expect(uid).not.toBe(0);
});

test('a program that fails says what it said', async () => {
  const failing = { name: 'it', command: '/bin/sh', args: ['-c', 'cat; echo sorry >&2; exit 3'], directory };
  await expect(runToEnd(failing, 'input ')).rejects.toThrow('it ended with code 3:\ninput sorry');
});

test('a program that does not exist is an error of the start', async () => {
  await expect(
    Child.start(program('/no/such/program')).then(async (child) => {
      await expect.poll(() => child.running).toBe(false); // found by setpriv, which is there
      throw new Error(`${child.outcome} ENOENT`);
    }),
  ).rejects.toThrow('ENOENT');
});

test.each(['SIGKILL', 'SIGTERM', 'exit'])('no child outlives the process that started it: %s', async (end) => {
  // A process of its own runs child.ts, compiled for it.
  for (const name of ['child', 'account']) {
    const source = readFileSync(fileURLToPath(new URL(`${name}.ts`, import.meta.url)), 'utf8');
    const { outputText } = ts.transpileModule(source, {
      compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
    });
    writeFileSync(join(directory, `${name}.js`), outputText);
  }
  writeFileSync(join(directory, 'package.json'), '{ "type": "module" }');
  writeFileSync(
    join(directory, 'parent.js'),
    `import { Child } from './child.js';
     const child = await Child.start({ name: 'it', command: '/bin/sleep', args: ['1000'], directory: '.', output: 'it.log' });
     console.log(child.pid);
     process.stdin.on('data', () => process.exit()).resume();`,
  );
  const parent = spawn(process.execPath, ['parent.js'], { cwd: directory, stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = (await once(createInterface(parent.stdout), 'line')) as [string];
  const pid = Number(line);
  expect(isDead(pid)).toBe(false);
  if (end === 'exit') parent.stdin.write('now');
  else parent.kill(end as NodeJS.Signals);
  await once(parent, 'exit');
  await expect.poll(() => isDead(pid), { timeout: 5000 }).toBe(true);
});
