import { partsSubject } from './parts.mjs';
import { VARIANTS } from './split.mjs';

export const disconnect = partsSubject({
  name: 'disconnect',
  title: 'FIN, RST and silence at every byte',
  text: [
    'A connection is cut behind each byte of either direction, in the negotiation and on the ready stream, by FIN, by RST, and by',
    'saying and taking nothing more. Afterwards exactly one event tells the end, every promise has settled (none with anything',
    'but a BrokerError), no connection and no timer is left, and the same broker connects again and is shut down.',
  ],
  unit: 'cuts',
  size: 100_000,
  batch: 20_000,
  project: 'wire',
  file: 'test/wire/cuts/disconnect.test.ts',
  parts: VARIANTS,
  counts: [
    ['bytes down', 'down', 'most'],
    ['bytes up', 'up', 'most'],
  ],
});
