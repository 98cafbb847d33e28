/** Stanzas over loopback TCP into a component: parse, filter, publish. Another process sends as fast as it may. */
import { filterSet, forPcj, forSlixmpp } from '../filter-sets.mjs';
import { span } from '../spent.mjs';
import { CORPUS } from '../traffic.mjs';

export const title = 'Inbound, from the socket to a subscriber';
export const note =
  'Filters of mixed kinds, a tenth of them free text, each with a subscriber; nothing matches most of them. The typical ten match 2.4 times per stanza. The other mix has longer paths, more contains() and variables, and 3 % of its filters match something. ' +
  '@xmpp/component runs no filters and answers the 6 % of the stanzas that are iq requests; the row "answering" does so, too.';
export const columns = [
  { head: 'CPU µs/stanza', of: ({ cpu }) => cpu, digits: 2 },
  { head: 'stanzas/s (wall)', of: ({ rate }) => rate, digits: 0 },
  { head: 'matches/stanza', of: ({ matches }) => matches, digits: 3 },
  { head: 'RSS MB', of: ({ rss }) => rss, digits: 0 },
];
export const ratio = { head: 'times as fast as @xmpp/component', to: 'xmppjs', inverse: true };

const CELLS = [
  ...[0, 10, 100, 1_000, 10_000, 100_000].map((filters) => ({
    key: `ours-${filters}`,
    candidate: 'ours',
    label: `xmpp-broker, ${filters.toLocaleString('en')} filters`,
    filters,
    corpora: [20, 80],
    short: [0, 10, 10_000].includes(filters),
  })),
  ...[10, 10_000, 100_000].map((filters) => ({
    key: `ours-other-${filters}`,
    candidate: 'ours',
    label: `xmpp-broker, ${filters.toLocaleString('en')} filters of another mix`,
    filters: `other ${filters}`,
    corpora: [20, 80],
  })),
  {
    key: 'ours-typical',
    candidate: 'ours',
    label: 'xmpp-broker, the 10 typical filters',
    filters: 'typical',
    corpora: [20, 80],
  },
  {
    key: 'ours-answering',
    candidate: 'ours',
    label: 'xmpp-broker, 0 filters, answering',
    filters: 0,
    answer: true,
    corpora: [20, 80],
  },
  { key: 'xmppjs', candidate: 'xmppjs', label: '@xmpp/component, no filters', corpora: [10, 30], short: true },
  { key: 'raw', candidate: 'raw', label: 'bare socket (limit)', corpora: [20, 200] },
  ...[
    [0, [3, 12]],
    [10, [2, 6]],
    ['typical', [2, 4]],
    [100, [0.2, 0.5]],
  ].map(([filters, corpora]) => ({
    key: `obvious-${filters}`,
    candidate: 'obvious',
    label: `saxes, @xmldom/xmldom and xpath, ${filters === 'typical' ? 'the 10 typical' : filters} filters`,
    filters,
    corpora,
  })),
  { key: 'libstrophe', candidate: 'libstrophe', label: 'libstrophe (C), 1 handler', corpora: [1, 20] },
  ...[
    [0, [1, 5]],
    [100, [0.1, 0.5]],
  ].map(([filters, corpora]) => ({
    key: `slixmpp-${filters}`,
    candidate: 'slixmpp',
    label: `slixmpp (Python), ${filters} paths`,
    filters,
    corpora,
  })),
  ...[0, 10, 100].map((filters) => ({
    key: `pcj-${filters}`,
    candidate: 'pcj',
    label: `PCJ (Perl), ${filters} filters`,
    filters,
    corpora: [0.1, 0.5],
  })),
];

export function cells(short) {
  return CELLS.filter((cell) => !short || cell.short).map(
    ({ key, candidate, label, filters = 0, answer = false, corpora: [first, rest] }) => {
      const warm = first * CORPUS;
      const measured = (short ? rest / 2 : rest) * CORPUS;
      return {
        key,
        label,
        candidate,
        params: { filters, answer, warm, measured },
        // One more, so that counting by bytes comes to its end, too.
        order: { order: 'flood', corpora: Math.ceil((warm + measured) / CORPUS) + 1 },
      };
    },
  );
}

/** Programs get their filters as a file. */
export function programArguments({ port, filters, warm, measured }, { file }, candidate) {
  const list = filterSet(filters);
  const lines = candidate === 'pcj' ? forPcj(list) : forSlixmpp(list);
  return [port, warm, measured, lines.length === 0 ? '-' : file(lines.join('\n'))];
}

export const fromProgram = ({ cpu, wall, matches = 0, version }, { measured }) => ({
  cpu: cpu / measured,
  rate: measured / wall,
  matches: matches / measured,
  version,
});

export async function run(candidate, { port, filters, answer, warm, measured }) {
  let link;
  let before = 0;
  const { promise, received } = span(warm, measured, () => (before = link?.matches() ?? 0));
  link = await candidate.connect({ port, received, filters: filterSet(filters), answer });
  const { cpu, wall, stanzas } = await promise;
  const matches = (link.matches() - before) / stanzas;
  const rss = process.memoryUsage.rss() / 1e6;
  link.close();
  return { cpu: cpu / stanzas, rate: stanzas / wall, matches, rss };
}
