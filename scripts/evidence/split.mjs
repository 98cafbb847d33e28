import { partsSubject } from './parts.mjs';

/** Divisions of each in 500,000: of what is short all pairs, of what is encrypted little, since a case takes ten times as long. */
const IN_CLEAR = {
  component: 110_215,
  'component, refused secret': 53_301,
  'component, unknown name': 23_871,
  'component, broken XML': 25_425,
  'component, stream error': 40_186,
  'component, stanza too early': 16_836,
  jabberd2: 10_000,
  legacy: 41_246,
  'client, in clear': 15_000,
  'client, resumption': 30_000,
  'client, failed resumption': 10_000,
  'client, failed sign-in': 73_920,
  WebSocket: 10_000,
};
const SECURED = [
  ...['component, direct TLS', 'client, STARTTLS and SCRAM', 'client, direct TLS'],
  ...['client, SASL2 and Bind 2, resumption', 'WebSocket, inside TLS'],
];
const inside = (name) => `${name}, inside`;

/** What test/wire/cuts/variants.ts has. */
export const VARIANTS = [...Object.keys(IN_CLEAR), ...SECURED];

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
  shares: {
    ...IN_CLEAR,
    ...Object.fromEntries(SECURED.flatMap((name) => [name, inside(name)]).map((name) => [name, 4_000])),
  },
  counts: [
    ['bytes', 'bytes', 'most'],
    ['singles and pairs', 'counted', 'most'],
  ],
});
