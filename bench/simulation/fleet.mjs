/**
 * `node bench/simulation/fleet.mjs [--accounts 1000000] [--members 1000] [--shards 4096]`: what happens to a fleet when
 * members come and go. It runs the decision of the members as it is in `src/nats/fleet-assignment.ts`, on a clock of its
 * own. At full size it takes ten minutes and writes `docs/pictures/fleet-simulation.svg` and `fleet.json` beside this
 * file; with any other size nothing is written.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { format } from 'prettier';
import { timePlot } from './time-plot.mjs';
import { ASSUMED, World } from './world.mjs';

const FULL = { accounts: 1_000_000, members: 1_000, shards: 4_096 };
const { values } = parseArgs({
  options: { accounts: { type: 'string' }, members: { type: 'string' }, shards: { type: 'string' } },
});
const size = Object.fromEntries(Object.entries(FULL).map(([name, full]) => [name, Number(values[name] ?? full)]));
const isFull = Object.entries(FULL).every(([name, full]) => size[name] === full);
const tenth = Math.max(1, Math.round(size.members / 10));

/** What happens, one after the other; each begins when everything is at rest. */
const SCENARIOS = [
  { name: 'everything starts', act: (world) => world.join(size.members) },
  { name: 'one member is killed', act: (world) => world.members[3].die() },
  { name: 'one member joins', act: (world) => world.join() },
  { name: 'a tenth is killed', act: (world) => world.members.slice(0, tenth).forEach((member) => member.die()) },
  { name: 'a tenth joins', act: (world) => world.join(tenth) },
  {
    name: 'a tenth is replaced, one each second',
    act(world) {
      world.members.slice(0, tenth).forEach((member, i) => {
        world.after(i * 1_000 + 10, () => {
          member.leave();
          world.join();
        });
      });
      return tenth * 1_000;
    },
  },
];

const count = (value) => value.toLocaleString('en');
const world = new World(size);
const results = SCENARIOS.map((scenario) => {
  world.bury();
  const began = world.now;
  const from = { shards: world.shardMoves, accounts: world.accountMoves };
  const busyMs = scenario.act(world) ?? 0;
  const points = [];
  let allServedMs = 0;
  let balancedMs = 0;
  let mostWithout = 0;
  let accountSeconds = 0;
  const start = Math.floor(began / 1_000);
  do {
    world.step();
    if (world.now % 250 !== 0) continue;
    const without = size.accounts - world.linked;
    const at = world.now - began;
    points.push([at / 1_000, without]);
    accountSeconds += without / 4;
    if (without > 0) allServedMs = at;
    if (world.spread > 1) balancedMs = at;
    mostWithout = Math.max(mostWithout, without);
  } while (!world.isQuiet || world.now - began < busyMs);
  const connects = world.connects.slice(start).map((begun = 0, i) => [i, begun]);
  const seconds = Array.from(connects, (one, i) => one ?? [i, 0]);
  const result = {
    name: scenario.name,
    shardMoves: world.shardMoves - from.shards,
    accountMoves: world.accountMoves - from.accounts,
    mostWithout,
    allServedSeconds: allServedMs / 1_000,
    balancedSeconds: balancedMs / 1_000,
    mostConnectsPerSecond: Math.max(0, ...seconds.map(([, begun]) => begun)),
    outagePerMovedAccountSeconds: accountSeconds / Math.max(1, world.accountMoves - from.accounts),
  };
  console.log(JSON.stringify(result));
  return { ...result, without: points, connects: seconds };
});

console.log(
  `\n| what happens | shards moved | accounts moved | most accounts without a link at a time | all served after | most connects a second |`,
);
console.log('| --- | --: | --: | --: | --: | --: |');
for (const one of results) {
  const cells = [one.shardMoves, one.accountMoves, one.mostWithout].map(count);
  console.log(
    `| ${[one.name, ...cells, `${one.allServedSeconds.toFixed(1)} s`, count(one.mostConnectsPerSecond)].join(' | ')} |`,
  );
}

if (isFull) {
  const svg = timePlot({
    title: `A fleet of ${count(size.accounts)} accounts, ${count(size.members)} members, ${count(size.shards)} shards`,
    note: `Simulated: lease ${ASSUMED.ttl / 1_000} s, ${ASSUMED.maxConnecting} links at a time for each member, ${ASSUMED.handshake} ms to sign in`,
    panels: [
      { y: 'accounts without a link', series: results.map(({ name, without }) => ({ name, points: without })) },
      {
        y: 'connects a second, all servers',
        series: results.map(({ name, connects }) => ({ name, points: connects })),
      },
    ],
  });
  writeFileSync(new URL('../../docs/pictures/fleet-simulation.svg', import.meta.url), svg);
  const facts = results.map((one) => ({ ...one, without: undefined, connects: undefined }));
  const json = JSON.stringify({ size, assumed: ASSUMED, results: facts });
  writeFileSync(new URL('fleet.json', import.meta.url), await format(json, { parser: 'json', printWidth: 120 }));
}
