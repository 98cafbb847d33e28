// What `npm run evidence` can show. A subject has a name, a size in units, `run(task)`, which adds to the book until the size
// is reached and tells whether it was, and `report(task)`: facts for the JSON, lines for the page, and plots.
import { coverage } from './coverage.mjs';
import { attacks } from './attacks.mjs';
import { durable } from './durable.mjs';
import { disconnect } from './disconnect.mjs';
import { doubling } from './doubling.mjs';
import { fuzz } from './fuzz.mjs';
import { growth } from './growth.mjs';
import { interoperability } from './interoperability.mjs';
import { mutants } from './mutants.mjs';
import { scale } from './scale.mjs';
import { soak } from './soak.mjs';
import { split } from './split.mjs';
import { spoof } from './spoof.mjs';
import { torture } from './torture.mjs';
import { verdicts } from './verdicts.mjs';

export const SUBJECTS = [
  durable,
  split,
  disconnect,
  mutants,
  verdicts,
  fuzz,
  growth,
  soak,
  spoof,
  torture,
  attacks,
  doubling,
  interoperability,
  coverage,
  scale,
];
