import { partsSubject } from './parts.mjs';

export const verdicts = partsSubject({
  name: 'verdicts',
  title: 'changed stanzas, against expat and libxml2',
  text: [
    'Stanzas of the benchmarks, and some with what those do not have, are changed at up to four places: bits, bytes, ranges,',
    'markup, references, and bytes that are no text. What the tokenizer says of them is compared with what expat and libxml2',
    'say: whether it is XML, where each stanza ends, and which tree it is. What XMPP does not allow (comments, processing',
    'instructions, document types, text between stanzas) has to be refused where it begins. Where expat knows only the names of',
    'the fourth edition of XML, libxml2 decides.',
  ],
  unit: 'documents',
  size: 1_000_000,
  batch: 50_000,
  project: 'conformance',
  file: 'test/conformance/verdicts.test.ts',
  parts: ['verdicts'],
  counts: [
    ['taken', 'taken'],
    ['refused', 'refused'],
    ['restricted', 'restricted'],
  ],
});
