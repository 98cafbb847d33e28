import { nodeRelease } from '../runtimes.mjs';
import { count, provenance, sum } from './facts.mjs';
import { anySeed, runTests } from './vitest.mjs';

/** Kills with one queue, one after the other. */
const BATCH = 100;

/** A Node with SQLite. */
function storeNode() {
  const brought = nodeRelease(24);
  if ('path' in brought) return brought.path;
  console.error(`evidence: ${brought.missing}`);
  process.exit(1);
}

/** Half of the kills with stream management, half without, in turn at each place. */
function run({ size, book, places }) {
  const node = storeNode();
  for (let batches = book.read(); ; batches = book.read()) {
    const left = size - sum(batches, ({ kills }) => kills);
    if (left <= 0) return true;
    const place = places[Math.floor(batches.length / 2) % places.length];
    const seed = anySeed();
    const kills = Math.min(BATCH, Math.ceil(left / 2));
    console.log(`evidence: ${size - left} of ${size} kills; next ${kills} each way, ${place}, seed ${seed}`);
    const status = runTests(node, 'stores', 'test/stores/kills.test.ts', {
      XMPP_BROKER_KILLS: String(kills),
      XMPP_BROKER_SEED: String(seed),
      XMPP_BROKER_PLACE: place,
      XMPP_BROKER_OUTCOME: book.path,
    });
    if (book.read().length >= batches.length + 2) continue;
    console.error(`evidence: the batch with seed ${seed} gave no result (exit code ${status})`);
    return false;
  }
}

/** One object for each batch with stream management, and one for each without. */
function report({ size, book }) {
  const batches = book.read();
  const steps = {};
  for (const batch of batches)
    for (const [step, times] of Object.entries(batch.steps)) steps[step] = (steps[step] ?? 0) + times;
  const wrong = batches.flatMap(({ seed, place, managed, wrong }) =>
    wrong.map((what) => ({ seed, where: place, managed, what })),
  );
  return {
    title: 'a queue in a file, killed',
    unit: 'kills',
    cases: sum(batches, ({ kills }) => kills),
    text: [
      'A program outputs numbered messages through a queue in a SQLite file, and is killed with SIGKILL: at a step that it was',
      'told beforehand, or from outside at any moment. The other side keeps a book of what arrived. At the end of each batch both',
      'books are compared. Wrong is: what was stored and is lost, what came twice without having been flagged, what came out of',
      'order, what was acknowledged and did not arrive, and a file that did not open.',
    ],
    facts: {
      ...provenance(`npm run evidence -- --only durable --size ${size}`, storeNode()),
      steps,
      wrong,
      batches: batches.map((batch) => ({ ...batch, wrong: batch.wrong.length })),
    },
    figures: {
      bullets: [
        `- Kills: ${count(sum(batches, ({ kills }) => kills))}, in batches of at most ${BATCH} with one queue each; seeds and counts of each batch are in durable.json`,
      ],
      tables: [...placesTable(batches), '', ...stepsTable(steps)],
    },
  };
}

function placesTable(batches) {
  const rows = [...new Set(batches.map(({ place }) => place))].flatMap((place) =>
    [true, false].map((managed) => {
      const those = batches.filter((batch) => batch.place === place && batch.managed === managed);
      const of = (what) => count(sum(those, what));
      const name = `${place}, ${managed ? 'stream management' : 'component'}`;
      const cells = [
        of(({ kills }) => kills),
        of(({ sent }) => sent),
        of(({ stored }) => stored),
        of(({ received }) => received),
      ];
      const more = [of(({ repeated }) => repeated), of(({ resumed }) => resumed), of((batch) => batch.wrong.length)];
      return `| ${[name, ...cells, ...more].join(' | ')} |`;
    }),
  );
  return [
    '| place | kills | output | stored | arrived | repeated, flagged | sessions resumed | wrong |',
    '| --- | --: | --: | --: | --: | --: | --: | --: |',
    ...rows,
  ];
}

const stepsTable = (steps) => [
  '| the last step | times |',
  '| --- | --: |',
  ...Object.entries(steps)
    .sort()
    .map(([step, times]) => `| ${step} | ${count(times)} |`),
];

export const durable = { name: 'durable', size: 10_000, run, report };
