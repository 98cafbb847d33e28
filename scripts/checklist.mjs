// The list of demands at the end of docs/security.md: each with the tests that bear its id. `node scripts/checklist.mjs` writes
// it, and a test fails where it is another. Plain Node without dependencies.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const page = join(root, 'docs', 'security.md');
const HEADING = '## Checklist';

/** How many demands there are of each kind; test/README.md says what each is about. */
const KINDS = {
  'S-CONN': 13, 'S-STREAM': 23, 'S-XML': 20, 'S-ERR': 8, 'S-TLS': 16, 'S-CERT': 12, 'S-SASL': 16, 'S-SCRAM': 11, 'S-CB': 8,
  'S-BIND': 5, 'S-STZ': 9, 'S-RTS': 6, 'S-SM': 16, 'S-PING': 5, 'S-COMP': 7, 'S-J2': 7, 'S-LEG': 7, 'S-S2': 7, 'S-Q': 8,
  'S-API': 10, 'A-XML': 15, 'A-UTF': 5, 'A-SIZE': 7, 'A-SLOW': 1, 'A-NEG': 17, 'A-STZ': 14, 'A-FLOW': 9, 'A-Q': 5,
}; // prettier-ignore

const ID = /\b[SA]-[A-Z0-9]+-\d+\b/g;
const TITLE = /(?:'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\\n]|\\.)*)`)/g;

export const allIds = () =>
  Object.entries(KINDS).flatMap(([kind, count]) => Array.from({ length: count }, (_, index) => `${kind}-${index + 1}`));

/** Files and titles of the tests that bear each id. */
function borne() {
  const found = new Map();
  const files = readdirSync(join(root, 'test'), { recursive: true }).filter((name) => name.endsWith('.test.ts'));
  for (const file of files.map((name) => name.split(sep).join('/')).sort()) {
    const source = readFileSync(join(root, 'test', file), 'utf8');
    for (const [, ...quoted] of source.matchAll(TITLE)) {
      const title = quoted.find((one) => one !== undefined) ?? '';
      for (const [id] of title.matchAll(ID)) {
        const those = found.get(id) ?? [];
        those.push({ file: file.replace(/\.test\.ts$/, ''), title });
        found.set(id, those);
      }
    }
  }
  return found;
}

/** A title without ids, as text of a table. */
const plain = (title) =>
  title
    .replaceAll(/(?:\b[SADG]-?[A-Z0-9]*-?\d+(?:\.\d+)?|faults [A-F]\d+|modern [\d.]+)[ ,:]*/g, '')
    .replaceAll(/\\(['"`])/g, '$1')
    .replaceAll(/\\u\{?[0-9a-f]+\}?|\$\{[^}]*\}|%[sijo]|\$\w+/g, '…')
    .replaceAll(/[|<>*_[\]\\]/g, (character) => `\\${character}`)
    .trim();

export function checklist() {
  const found = borne();
  const rows = allIds().map((id) => {
    const tests = found.get(id) ?? [];
    if (tests.length === 0) return `| ${id} | [out of scope](#out-of-scope) | |`;
    const said = tests.map(({ title }) => plain(title)).find((title) => title !== '') ?? '';
    const files = [...new Set(tests.map(({ file }) => file))];
    const shown = files.slice(0, 3).map((file) => `\`${file}\``);
    return `| ${id} | ${said} | ${shown.join(', ')}${files.length > 3 ? ` and ${files.length - 3} more` : ''} |`;
  });
  return [
    HEADING,
    '',
    'Every demand, one of the tests that show it, and the files below `test` that have such. `node scripts/checklist.mjs` writes',
    'this list.',
    '',
    '| id | one of its tests | where |',
    '| --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

/** The page with its list. */
export function withChecklist(text) {
  const at = text.indexOf(`\n${HEADING}\n`);
  return `${(at < 0 ? text : text.slice(0, at)).trimEnd()}\n\n${checklist()}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(page, withChecklist(readFileSync(page, 'utf8')));
}
