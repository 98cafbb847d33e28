/** Bytes to trees: the corpus from memory, in chunks, as one stream. */
import { HEADER } from '../corpus.mjs';
import { cpu } from '../spent.mjs';
import { CORPUS, corpus, MEAN_BYTES } from '../traffic.mjs';

export const title = 'Parsing, a tree for each stanza';
export const note = 'From memory, in chunks of 16 KiB and of 1,460 bytes. expat calls handlers and makes no tree.';
export const columns = [
  { head: 'CPU µs/stanza', of: ({ cpu }) => cpu, digits: 2 },
  { head: 'MB/s and core', of: ({ cpu }) => MEAN_BYTES / cpu, digits: 0 },
];
export const ratio = { head: 'times as fast as @xmpp/xml', to: 'xmppjs-16384', inverse: true };

const CHUNKS = [16_384, 1_460];

const CANDIDATES = [
  { candidate: 'ours', label: 'xmpp-broker', corpora: [20, 100] },
  { candidate: 'xmppjs', label: '@xmpp/xml', corpora: [10, 40] },
  { candidate: 'obvious', label: 'saxes and @xmldom/xmldom', corpora: [3, 12] },
  { candidate: 'expat', label: 'expat in C, no tree', corpora: [1, 40] },
];

export function cells(short) {
  const chosen = short ? CANDIDATES.slice(0, 2) : CANDIDATES;
  return CHUNKS.slice(0, short ? 1 : 2).flatMap((chunk) =>
    chosen.map(({ candidate, label, corpora: [warm, measured] }) => ({
      key: `${candidate}-${chunk}`,
      label: `${label}, ${chunk.toLocaleString('en')} B`,
      candidate,
      params: { chunk, warm: warm * CORPUS, measured: (short ? measured / 2 : measured) * CORPUS },
    })),
  );
}

/** What a program gets as its arguments. */
export const programArguments = ({ chunk, warm, measured }, { header, corpus: file }) => [
  header,
  file,
  chunk,
  warm,
  measured,
];

/** A program tells the CPU time of all its stanzas. */
export const fromProgram = ({ cpu: spent, stanzas, version }) => ({ cpu: spent / stanzas, version });

export function run(candidate, { chunk, warm, measured }) {
  let stanzas = 0;
  const parser = candidate.parser(() => {
    stanzas += 1;
  });
  const feed = (until) => {
    while (stanzas < until) {
      for (let at = 0; at < corpus.length; at += chunk) parser.write(corpus.subarray(at, at + chunk));
    }
  };
  parser.write(Buffer.from(HEADER));
  feed(warm);
  const [before, from] = [cpu(), stanzas];
  feed(from + measured);
  return { cpu: (cpu() - before) / (stanzas - from) };
}
