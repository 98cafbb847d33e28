import { partsSubject } from './parts.mjs';
import { lines } from './plot.mjs';

export const growth = partsSubject({
  name: 'growth',
  title: 'what is kept does not grow',
  text: [
    'The same is done again and again, and what the process keeps is measured behind a collection of garbage, thirty times on',
    'the way: MiB more than at the beginning. A peer that never reads is offered a MiB at each step; the other steps are a thousand',
    'stanzas, a thousand requests, a hundred filters, ten connections. Wrong is more than the bound, and, where nothing is queued, a',
    'rise of more than 1 MiB over the last two thirds, by the line that fits best: at full size that is a byte for each request, ten',
    'for each filter, a hundred for each connection.',
  ],
  unit: 'steps',
  size: 8_192,
  batch: 1_024,
  project: 'wire',
  file: 'test/wire/growth.test.ts',
  parts: [
    'a peer that never reads, 4 KiB each',
    'a peer that never reads, the smallest',
    'a thousand stanzas arrive',
    'a thousand requests are answered',
    'a thousand requests run out of time',
    'a thousand requests are cancelled',
    'a hundred filters come and go',
    'ten connections are lost',
  ],
  counts: [
    ['most MiB kept', 'most', 'most'],
    ['bound', 'bound', 'most'],
    ['MiB risen', 'risen', 'most'],
  ],
  plots: (book) => ({
    kept: lines(
      book.map(({ part, series }) => ({ name: part, values: series })),
      { unit: 'MiB kept, over the run' },
    ),
  }),
});
