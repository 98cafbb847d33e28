import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { count, provenance, ROOT } from './facts.mjs';
import { runTests } from './vitest.mjs';

/** What peers.ts and server-cases.ts in test/servers/interoperability have, by the column of the tables. */
const PEERS = {
  slixmpp: 'slixmpp',
  'xmpp.js': 'xmpp.js',
  libstrophe: 'libstrophe',
  aioxmpp: 'aioxmpp',
  anyevent: 'AnyEvent::XMPP',
  gloox: 'gloox',
  poe: 'POE::Component::Jabber',
  mcabber: 'mcabber',
  profanity: 'profanity',
  prosody: 'Prosody',
  ejabberd: 'ejabberd',
  jabberd2: 'jabberd2',
};

/** Tables of the page, by the kind of what is tried. */
const KINDS = [
  ['client', '## Clients of others on the loopback server'],
  ['component', '## Components of others on the loopback server'],
  ['server', '## Our client and our component on servers of others'],
];

const BEGIN = '<!-- tables: npm run evidence -- --only interoperability -->';

/** Each peer once; the size is how many of them. */
function run({ size, book }) {
  for (const peer of Object.keys(PEERS).slice(0, size)) {
    const lines = book.read();
    if (lines.some((line) => line.peer === peer)) continue;
    console.log(`evidence: interoperability: ${peer}`);
    const status = runTests(process.execPath, 'servers', 'test/servers/interoperability/interoperability.test.ts', {
      XMPP_BROKER_PART: peer,
      XMPP_BROKER_OUTCOME: book.path,
    });
    if (book.read().length === lines.length)
      console.error(`evidence: interoperability: ${peer} cannot be had here (exit code ${status})`);
  }
  return true;
}

const MARKS = { works: '✓', wrong: '✗' };

/** Reasons why something is left out, each with its number. */
function reasons(cells) {
  const told = cells
    .filter(({ verdict }) => verdict === 'lacks')
    .map(({ peer, detail }) => `${PEERS[peer]}: ${detail}`);
  return [...new Set(told)];
}

function table(cells) {
  const peers = Object.keys(PEERS).filter((name) => cells.some(({ peer }) => peer === name));
  const notes = reasons(cells);
  const features = [...new Set(cells.map(({ feature }) => feature))];
  const rows = features.map((feature) => {
    const row = peers.map((name) => {
      const cell = cells.find((one) => one.peer === name && one.feature === feature);
      if (cell === undefined) return '';
      if (cell.verdict !== 'lacks') return MARKS[cell.verdict];
      return `– (${notes.indexOf(`${PEERS[name]}: ${cell.detail}`) + 1})`;
    });
    return [feature, ...row];
  });
  const head = ['', ...peers.map((name) => PEERS[name])];
  return [
    ...[head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`),
    ...(notes.length === 0 ? [] : ['', ...notes.map((note, index) => `${index + 1}. ${note}`)]),
  ];
}

/** The tables as they stand in docs/interoperability.md. */
export function interoperabilityTables({ cells, versions }) {
  const listed = Object.entries(versions).map(([peer, version]) => `${PEERS[peer]} ${version}`);
  const tables = KINDS.flatMap(([kind, heading]) => {
    const those = cells.filter((cell) => cell.kind === kind);
    return those.length === 0 ? [] : ['', heading, '', ...table(those)];
  });
  return [BEGIN, '', `Tried were ${listed.join(', ')}.`, ...tables, ''].join('\n');
}

/** The page with its tables written anew. */
export function withTables(page, facts) {
  return page.slice(0, page.indexOf(BEGIN)) + interoperabilityTables(facts);
}

function report({ book }) {
  const lines = book.read();
  const versions = Object.fromEntries(lines.map(({ peer, version }) => [peer, version]));
  const cells = lines.map(({ peer, kind, feature, verdict, detail }) => ({ peer, kind, feature, verdict, detail }));
  const facts = {
    ...provenance(`npm run evidence -- --only interoperability`),
    versions,
    wrong: cells
      .filter(({ verdict }) => verdict === 'wrong')
      .map(({ peer, kind, feature, detail }) => ({
        seed: null,
        where: `${peer}, ${kind}`,
        what: `${feature}: ${detail}`,
      })),
    cells,
  };
  const path = join(ROOT, 'docs', 'interoperability.md');
  writeFileSync(path, withTables(readFileSync(path, 'utf8'), facts));
  return {
    title: 'clients, components and servers of others',
    unit: 'cells',
    cases: cells.length,
    text: [
      'Each cell of the tables in [interoperability](../interoperability.md): a client or a component that nobody here wrote does',
      'one thing on the loopback server, or ours does it on a server that nobody here wrote, and both sides have to see it.',
    ],
    facts,
    figures: {
      bullets: [`- Tried: ${count(cells.length)} cells with ${Object.keys(versions).length} programs`],
      tables: [
        '| what | which | feature | | |',
        '| --- | --- | --- | --- | --- |',
        ...cells.map(
          (cell) => `| ${[PEERS[cell.peer], cell.kind, cell.feature, cell.verdict, told(cell)].join(' | ')} |`,
        ),
      ],
    },
  };
}

/** Details that are as short as a cell should be. */
const told = ({ verdict, detail }) => (verdict === 'wrong' ? 'see below' : detail.replaceAll(/[|<>\n]/g, ' '));

export const interoperability = {
  name: 'interoperability',
  size: Object.keys(PEERS).length,
  parts: Object.keys(PEERS),
  run,
  report,
};
