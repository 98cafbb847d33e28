import { partsSubject } from './parts.mjs';

const IN_CLEAR = [
  ...['component', 'component, refused secret', 'component, unknown name', 'component, broken XML'],
  ...['component, stream error', 'component, stanza too early', 'jabberd2', 'legacy', 'client, in clear'],
  ...['client, resumption', 'client, failed resumption', 'client, failed sign-in', 'WebSocket'],
];
const SECURED = [
  ...['component, direct TLS', 'client, STARTTLS and SCRAM', 'client, direct TLS'],
  ...['client, SASL2 and Bind 2, resumption', 'WebSocket, inside TLS'],
];

/** What test/wire/cuts/variants.ts has. */
export const VARIANTS = [...IN_CLEAR, ...SECURED];

export const split = partsSubject({
  name: 'split',
  title: 'the bytes of a server, divided anywhere',
  text: [
    'What a server says, from its first byte to its last, arrives in pieces: divided at every byte, at each single byte, at each',
    'pair of bytes where it is short, then at up to six bytes drawn with the seed. Every fourth time all pieces arrive in one',
    'turn. All events with their payloads, the outcome of all promises, and all bytes that the library says have to be those',
    'of the whole. Inside: what is divided is what the server says before it is encrypted, each piece a TLS record of its own.',
  ],
  unit: 'divisions',
  size: 500_000,
  batch: 20_000,
  project: 'wire',
  file: 'test/wire/cuts/split.test.ts',
  parts: [...IN_CLEAR, ...SECURED.flatMap((name) => [name, `${name}, inside`])],
  counts: [
    ['bytes', 'bytes', 'most'],
    ['singles and pairs', 'counted', 'most'],
  ],
});
