import { partsSubject } from './parts.mjs';

export const spoof = partsSubject({
  name: 'spoof',
  title: 'wrong answers to a thousand requests',
  text: [
    'A thousand requests wait for their answers: to accounts, to one resource of them, to servers, and to nobody in particular. Then',
    'come stanzas that answer none of them, each with one thing that is wrong and the rest as it should be: from somebody else, among',
    'them names that look alike, other resources, our own account, its server, no address; with another id; of another type; of',
    'another kind. Wrong is: a request that is settled by one of them; and at the end a right answer that does not settle its request.',
  ],
  unit: 'wrong answers',
  size: 1_000_000,
  batch: 250_000,
  project: 'wire',
  file: 'test/wire/spoof.test.ts',
  parts: ['a component', 'a client'],
  counts: [
    ['requests', 'pending'],
    ['settled by their answer', 'settled'],
  ],
});
