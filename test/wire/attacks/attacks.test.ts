// G6, G8, in small: `npm run evidence -- --only attacks` does each at full size, and judges how long the event loop was away.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { afterEach, beforeAll, expect, it } from 'vitest';
import { note, partsOf, portion } from '../../support/evidence.js';
import { ATTACKS } from './attacks.js';
import type { Suffered } from './victim.js';

/** How much an attack may leave on the heap, in MiB: where answers or stanzas are queued it is the bound of the queue. */
const KEPT = { flood: 8, queued: 64 };
const RSS = 64;
const LAG_MS = 50;
/** What is done of an attack in `npm test`. */
const SMALL = 1 / 256;
/** Handlers that take time are given less. */
const SLOW = 1 / 200;

const place = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const folder = place('../../../.cache/attacks');
const children: ChildProcess[] = [];

/** A program with all that it needs. */
async function build(name: string): Promise<string> {
  const alias = { 'xmpp-broker': place('../../../src/index.ts') };
  const bundle = await rolldown({
    input: place(`./${name}.ts`),
    external: /^node:/,
    platform: 'node',
    logLevel: 'silent',
    resolve: { alias },
  });
  const { output } = await bundle.generate({ format: 'esm', codeSplitting: false });
  await bundle.close();
  const path = join(folder, `${name}.${process.pid}.mjs`);
  writeFileSync(path, output[0].code);
  return path;
}

const programs = { attacker: '', victim: '' };
beforeAll(async () => {
  mkdirSync(folder, { recursive: true });
  [programs.attacker, programs.victim] = await Promise.all([build('attacker'), build('victim')]);
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** Starts a program, and takes the first line that it tells. */
async function tell(program: string, task: object): Promise<string> {
  const child = spawn(process.execPath, ['--expose-gc', program, JSON.stringify(task)], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  children.push(child);
  let said = '';
  child.stderr.on('data', (bytes: Buffer) => (said += bytes.toString()));
  const line = once(createInterface(child.stdout), 'line') as Promise<[string]>;
  const gone = once(child, 'close').then(() => Promise.reject(new Error(`${program} ended: ${said}`)));
  gone.catch(() => undefined);
  return (await Promise.race([line, gone]))[0];
}

async function suffer(name: string, handlers: 'empty' | 'slow', amount: number): Promise<Suffered> {
  const port = Number(await tell(programs.attacker, { name, amount }));
  const suffered = JSON.parse(await tell(programs.victim, { port, name, amount, handlers })) as Suffered;
  for (const child of children.splice(0)) child.kill('SIGKILL');
  return suffered;
}

const cases = portion(1);
const names = Object.keys(ATTACKS);
/** Two of them in `npm test`: others each time. */
const some = names.filter(
  (_, index) => index % Math.ceil(names.length / 2) === cases.seed % Math.ceil(names.length / 2),
);

it.each(cases.isWhole ? partsOf(names) : some)('G6, G8: %s', { timeout: 3_600_000 }, async (name) => {
  const { ends, full, offers, reads } = ATTACKS[name]!;
  const began = process.uptime();
  const wrong: string[] = [];
  const worst = { lag: 0, busy: 0, rss: 0, kept: 0, handled: 0 };
  for (let index = cases.from; index < cases.from + cases.size; index += 1) {
    const handlers = index % 2 === 0 ? 'empty' : 'slow';
    // What ends the stream is small; a flood is as large as there is time for.
    const isFlood = ends === null;
    const isSlow = handlers === 'slow' && isFlood && offers === undefined;
    const share = (cases.isWhole || !isFlood ? 1 : SMALL) * (isSlow ? SLOW : 1);
    const suffered = await suffer(name, handlers, Math.max(1, Math.ceil(full * share)));
    const { lagMs, busyMs, rss, kept, code, again, handled } = suffered;
    const about = `${handlers} handlers: ${JSON.stringify(suffered)}`;
    if (code !== ends) wrong.push(`ended with ${code ?? 'nothing'}; ${about}`);
    if (!again) wrong.push(`no good connection afterwards; ${about}`);
    if (kept > (reads === false ? KEPT.queued : KEPT.flood)) wrong.push(`${kept} MiB are kept; ${about}`);
    // Not judged where others have the processors.
    if (cases.isWhole && rss > RSS) wrong.push(`${rss} MiB more for the system; ${about}`);
    if (cases.isWhole && Math.min(lagMs, busyMs) > LAG_MS)
      wrong.push(`away for ${Math.min(lagMs, busyMs)} ms; ${about}`);
    worst.lag = Math.max(worst.lag, lagMs);
    worst.busy = Math.max(worst.busy, busyMs);
    worst.rss = Math.max(worst.rss, rss);
    worst.kept = Math.max(worst.kept, kept);
    worst.handled += handled;
  }
  note(name, cases, began, { of: null, counts: worst, wrong });
  expect(wrong).toEqual([]);
});
