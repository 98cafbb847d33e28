import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './facts.mjs';
import { partsSubject } from './parts.mjs';

/** The names in the table of the attacks, which is TypeScript. */
const table = readFileSync(join(ROOT, 'test', 'wire', 'attacks', 'attacks.ts'), 'utf8');
const names = [...table.matchAll(/^ {2}'(A-[^']+)':/gm)].map(([, name]) => name);

export const attacks = partsSubject({
  name: 'attacks',
  title: 'floods and large things, from a hostile peer',
  text: [
    'The attacker is a process, the victim another, with a broker of the library and nothing else. The first connection is a good one,',
    'with some thousand messages; then what the process keeps is measured, and the second is the attack, in turn with handlers that do',
    'nothing and with handlers that take 2 ms and 5 ms more behind a promise. The third has to be good again. How long the event loop',
    'was away at most is measured in two ways: by the clock (`monitorEventLoopDelay`), which counts what other processes took, too; and',
    'by the time of the processor that the victim had between two turns, its collector of garbage in other threads included. Judged is',
    'the less of them. Wrong is: more than 50 ms; more than 8 MiB on the heap behind a collection of garbage while the stream is there,',
    '64 MiB where stanzas are queued; more than 64 MiB for the system; another end than the right one; no good connection afterwards.',
  ],
  unit: 'attacks',
  size: names.length * 4,
  batch: 4,
  project: 'wire',
  file: 'test/wire/attacks/attacks.test.ts',
  parts: names,
  counts: [
    ['stanzas handled', 'handled'],
    ['ms away, by the clock', 'lag', 'most'],
    ['ms of its own', 'busy', 'most'],
    ['MiB kept', 'kept', 'most'],
    ['MiB for the system', 'rss', 'most'],
  ],
});
