import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './facts.mjs';
import { indexPage } from './index-page.mjs';

/**
 * Writes what a subject shows to docs/evidence: NAME.json, NAME.md and its plots.
 * @returns how much was wrong
 */
export function writeReport(subject, task) {
  const { title, unit, cases, text, figures, plots = {}, facts: found } = subject.report(task);
  const facts = { title, unit, cases, ...found };
  const { command, date, commit, machine, node, wrong } = facts;
  const seen = wrong.map(({ seed, where, what }) => `- ${seed === null ? '' : `seed ${seed}, `}\`${where}\`: ${what}`);
  const page = [
    `# Evidence: ${title}`,
    '',
    ...text,
    '',
    `- Command: \`${command}\`, ${date}, commit ${commit}`,
    `- Machine: ${machine}; Node ${node}`,
    ...figures.bullets,
    `- Wrong: ${wrong.length}`,
    '',
    ...Object.keys(plots).flatMap((name) => [`![${name}](${subject.name}-${name}.svg)`, '']),
    ...figures.tables,
    ...(wrong.length === 0 ? [] : ['', '## What was wrong', '', ...seen]),
    '',
  ].join('\n');
  const folder = join(ROOT, 'docs', 'evidence');
  mkdirSync(folder, { recursive: true });
  const files = { [`${subject.name}.json`]: `${JSON.stringify(facts, null, 1)}\n`, [`${subject.name}.md`]: page };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  for (const [name, svg] of Object.entries(plots)) writeFileSync(join(folder, `${subject.name}-${name}.svg`), svg);
  writeFileSync(join(folder, 'README.md'), indexPage(folder));
  const paths = [...Object.keys(files), 'README.md'].map((name) => `docs/evidence/${name}`);
  const prettier = join(ROOT, 'node_modules', 'prettier', 'bin', 'prettier.cjs');
  spawnSync(process.execPath, [prettier, '--write', ...paths], { cwd: ROOT });
  console.log(`evidence: ${subject.name}: ${wrong.length} wrong; written to docs/evidence/${subject.name}.md`);
  return wrong.length;
}
