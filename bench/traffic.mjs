/**
 * The bytes that the other side sends: the corpus, prebuilt, and probes whose id is the time they should have left.
 */
import { stanzas } from './corpus.mjs';

/** Stanzas in one corpus. */
export const CORPUS = 10_000;

const list = stanzas(CORPUS).map((text) => Buffer.from(text));

/** The whole corpus, and its mean stanza in bytes. */
export const corpus = Buffer.concat(list);
export const MEAN_BYTES = corpus.length / CORPUS;

/** Cuts the corpus between stanzas into pieces of at least `bytes`. */
export function pieces(bytes) {
  const cut = [];
  let stanzas = 0;
  let parts = [];
  let length = 0;
  for (const stanza of list) {
    parts.push(stanza);
    length += stanza.length;
    stanzas += 1;
    if (length < bytes) continue;
    cut.push({ bytes: Buffer.concat(parts), stanzas });
    parts = [];
    length = 0;
    stanzas = 0;
  }
  if (stanzas > 0) cut.push({ bytes: Buffer.concat(parts), stanzas });
  return cut;
}

/** Microseconds on a clock that all processes of this machine share. */
export const now = () => Number(process.hrtime.bigint() / 1000n);

/** The id of a probe begins with a letter that no hexadecimal id of the corpus has. */
export const probe = (time) =>
  `<message from='alice@example.org/phone' to='echo.example.org' id='t${time}' type='chat'><body>probe</body></message>`;

/** The time in the id of a probe; null for any other stanza. */
export const probeTime = (id) => (id?.charCodeAt(0) === 0x74 ? Number(id.slice(1)) : null);
