import { expect, test } from 'vitest';
import { HEADER, record } from './recording.js';

// Beyond 64 attributes names are looked up, and not looked through: `npm run evidence -- --only doubling` measures it.
const LIMITS = { attributes: 1_000 };
const COUNTS = [62, 63, 64, 65, 66, 130];
const CHUNKS = [1, 7, Infinity];
const attributes = (count: number, prefix = '') =>
  Array.from({ length: count }, (_, i) => ` ${prefix}a${i}=''`).join('');

test.each(COUNTS.flatMap((count) => CHUNKS.map((chunk) => [count, chunk] as const)))(
  'S-XML-11, A-XML-12: %i attributes in chunks of %s, and one of them twice',
  (count, chunk) => {
    const seen = (inside: string) => record(`${HEADER}<m xmlns:p='u' xmlns:q='u'${inside}/>`, chunk, LIMITS);
    for (const prefix of ['', 'p:']) {
      const whole = attributes(count, prefix);
      expect(seen(whole)).toMatchObject({ error: null, elements: [expect.anything()] });
      for (const i of [0, 1, count >> 1, count - 1]) {
        const { error } = seen(`${whole} ${prefix}a${i}=''`);
        expect(error?.message).toContain(`attribute "${prefix}a${i}" is there twice`);
      }
    }
    // The same name in another namespace, or in none, is another attribute; the same by another prefix is none.
    expect(seen(`${attributes(count, 'p:')} a0='' xml:a0=''`).error).toBeNull();
    const { error } = seen(`${attributes(count, 'p:')} q:a0=''`);
    expect(error?.message).toContain('attribute "a0" of namespace "u" is there twice');
  },
);
