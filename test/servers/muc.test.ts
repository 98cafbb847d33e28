import { describeServer, Ejabberd, Prosody } from './harness/index.js';
import { roomCases } from './support/room-cases.js';

describeServer('prosody', 'rooms', () => roomCases(() => Prosody.start(), { locks: true }));
// ejabberd lets others into a room that is being set up.
describeServer('ejabberd', 'rooms', () => roomCases(() => Ejabberd.start(), { locks: false }));
