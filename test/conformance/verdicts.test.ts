// S-XML, against readers that others wrote; in small. `npm run evidence -- --only verdicts` does it a million times.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { note, portion } from '../support/evidence.js';
import { generator } from '../support/random.js';
import { Expat, HAS_EXPAT } from './verdicts/expat.js';
import { libxml2Takes } from './verdicts/libxml2.js';
import { Mutations } from './verdicts/mutations.js';
import { FOOTER, HEADER, ours, type Verdict } from './verdicts/verdict.js';

const BATCH = 500;

/** The longest beginning of what a stream may not have, and after which it is refused: `<!DOCTYPE`. */
const MARKUP = 9;

/** expat's error for a character that may not be where it is. */
const INVALID_TOKEN = 4;

/** What is wrong with our verdict; null when it is that of the others. */
function difference(document: Buffer, mine: Verdict, expat: Verdict, libxml2: boolean): string | null {
  const counts = `${mine.verdict}, expat ${expat.verdict} (${expat.code ?? 0}) at ${expat.at}, libxml2 ${libxml2 ? 'takes' : 'refuses'} it`;
  // expat has the names of the fourth edition of XML, libxml2 and we have those of the fifth.
  const byName = expat.code === INVALID_TOKEN && document[expat.at]! >= 0x80;
  if (byName && (mine.verdict === 'restricted' || (mine.verdict === 'taken') === libxml2)) return null;
  if (mine.verdict !== expat.verdict) {
    // What a stream may not have is refused where it begins, others see that something is wrong with it further on.
    if (mine.verdict === 'restricted' && expat.verdict === 'refused' && mine.at <= expat.at + MARKUP) return null;
    return counts;
  }
  if (mine.verdict === 'taken' && !libxml2) return counts;
  if (mine.verdict === 'refused' && libxml2) return counts;
  if (mine.ends.join() !== expat.ends.join())
    return `elements end at ${mine.ends.join()}, for expat at ${expat.ends.join()}`;
  return mine.crc === expat.crc ? null : 'another tree than that of expat';
}

describe.skipIf(!HAS_EXPAT)('S-XML-12 S-XML-16: the verdicts of expat and libxml2 on changed stanzas', () => {
  let expat: Expat;
  beforeAll(() => {
    expat = new Expat();
  });
  afterAll(() => {
    expat.close();
  });

  it('are ours, with the same boundaries and trees', { timeout: 3_600_000 }, async () => {
    const cases = portion(4_000);
    const began = process.uptime();
    const mutations = new Mutations(generator(cases.seed));
    const counts = { taken: 0, refused: 0, restricted: 0 };
    const wrong: string[] = [];
    for (let left = cases.size; left > 0; left -= BATCH) {
      const documents = Array.from({ length: Math.min(BATCH, left) }, () =>
        Buffer.concat([Buffer.from(HEADER), mutations.next(), Buffer.from(FOOTER)]),
      );
      const verdicts = await expat.judge(documents);
      for (const [index, document] of documents.entries()) {
        const mine = ours(document);
        counts[mine.verdict] += 1;
        const what = difference(document, mine, verdicts[index]!, libxml2Takes(document));
        if (what !== null) wrong.push(`${what}: ${document.toString('latin1').slice(HEADER.length, -FOOTER.length)}`);
      }
    }
    note('verdicts', cases, began, { of: null, counts, wrong: wrong.slice(0, 20) });
    expect(wrong.slice(0, 5), `seed ${cases.seed}`).toEqual([]);
    expect(counts.taken).toBeGreaterThan(cases.size / 20);
  });
});
