import { partsSubject } from './parts.mjs';
import { lines } from './plot.mjs';

export const soak = partsSubject({
  name: 'soak',
  title: 'a life with real servers',
  text: [
    'A client and a component, each behind a proxy, write to each other and ask each other for as many minutes as were asked for,',
    'a third of them with each server. Every few seconds something happens: both links are cut, between stanzas or within one, or',
    'fall silent; the server is frozen, restarted or killed; or for a while each piece of at most 64 bytes is 150 ms late. Then both',
    'have to be ready again, with nothing held, nothing asked and no promise open, and reach each other. What the process keeps',
    'behind a collection of garbage, and how many descriptors it has open, is measured there. Wrong is, too: a rise over the last',
    'two thirds, by the line that fits best, of more than 4 MiB or 2 descriptors. Refused are promises that were rejected, with',
    'an error of the library: what was written to a link that was cut, and questions of whose answer nothing came.',
  ],
  unit: 'minutes',
  size: 120,
  // In one piece: what rises is seen in one process.
  batch: 10_000,
  project: 'servers',
  file: 'test/servers/soak.test.ts',
  parts: ['prosody', 'ejabberd', 'jabberd2'],
  counts: [
    ['rounds', 'rounds'],
    ['cuts', 'cuts'],
    ['restarts', 'restarts'],
    ['slow periods', 'slow'],
    ['messages', 'messages'],
    ['refused', 'refused'],
    ['MiB risen', 'mib', 'most'],
    ['descriptors risen', 'descriptors', 'most'],
    ['most descriptors', 'most', 'most'],
  ],
  plots: (book) => ({
    kept: lines(
      book.map(({ part, series }) => ({ name: part, values: series })),
      { unit: 'MiB kept, over the run' },
    ),
  }),
});
