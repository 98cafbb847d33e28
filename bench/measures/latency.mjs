/** How late a stanza is at its subscriber, with stanzas coming evenly at half of what the candidate can take. */
import { filterSet } from '../filter-sets.mjs';
import { cpu } from '../spent.mjs';
import { median, percentile } from '../statistics.mjs';
import { CORPUS, now } from '../traffic.mjs';

export const title = 'Latency at half load';
export const note =
  'From the moment at which a stanza was due to be sent, until its subscriber is called. Half load is half of the rate that the candidate reached in the inbound measure; ' +
  'the last row has the load of @xmpp/component. A stanza that is sent late counts from when it was due, so nothing is left out while the candidate is busy. ' +
  'The sender has a core of its own where there is taskset; how late it was itself, because its event loop asked so late, is a column, and within the others. ' +
  'Then the rate rises in steps of a tenth of that of the inbound measure: the last column is the first rate at which the queue in front of the candidate grows.';
export const columns = [
  { head: 'p50 ms', of: ({ p50 }) => p50, digits: 2 },
  { head: 'p90', of: ({ p90 }) => p90, digits: 2 },
  { head: 'p99', of: ({ p99 }) => p99, digits: 2 },
  { head: 'p99.9', of: ({ p999 }) => p999, digits: 2 },
  { head: 'most', of: ({ most }) => most, digits: 2 },
  { head: "sender's own p50", of: ({ peer }) => peer.late.p50, digits: 2 },
  { head: 'p99', of: ({ peer }) => peer.late.p99, digits: 2 },
  { head: 'stanzas/s', of: ({ rate }) => rate, digits: 0 },
  { head: 'cores in use', of: ({ cores }) => cores, digits: 2 },
  { head: 'queue grows at', of: ({ grows }) => grows, digits: 0 },
];
export const ratio = null;

/** The sender has a core of its own: it is never idle. */
export const pinned = true;

/** A probe among this many stanzas, and seconds of traffic. */
const EVERY = 20;
const SECONDS = 4;

/** Rates that follow, as shares of that of the inbound measure, and seconds of each. */
const SHARES = Array.from({ length: 14 }, (_, i) => (6 + i) / 10);
const STEP_SECONDS = 0.5;

/** A queue grows that has so much more to do at the end of a step than at its beginning, as a share of the step. */
const GROWTH = 0.1;

/** `load` names the cell of the inbound measure whose rate is halved. */
const CELLS = [
  { key: 'ours-0', candidate: 'ours', label: 'xmpp-broker, 0 filters', load: 'ours-0', filters: 0, warm: 20 },
  {
    key: 'ours-10000',
    candidate: 'ours',
    label: 'xmpp-broker, 10,000 filters',
    load: 'ours-10000',
    filters: 10_000,
    warm: 20,
  },
  { key: 'xmppjs', candidate: 'xmppjs', label: '@xmpp/component', load: 'xmppjs', warm: 10 },
  { key: 'obvious-0', candidate: 'obvious', label: 'saxes and @xmldom/xmldom, 0 filters', load: 'obvious-0', warm: 3 },
  { key: 'same', candidate: 'ours', label: 'xmpp-broker, 10,000 filters', load: 'xmppjs', filters: 10_000, warm: 20 },
];

export const cells = () =>
  CELLS.map(({ key, candidate, label, load, filters = 0, warm }) => ({
    key,
    label,
    candidate,
    load,
    params: { filters, warm: warm * CORPUS },
    order: { order: 'pace', warm, every: EVERY },
  }));

/** The cell at half of a rate in stanzas per second. */
export function at(cell, capacity) {
  const stage = (rate, seconds) => ({ rate: Math.round(rate), probes: Math.ceil((rate * seconds) / EVERY) });
  const stages = [stage(capacity / 2, SECONDS), ...SHARES.map((share) => stage(capacity * share, STEP_SECONDS))];
  return { ...cell, params: { ...cell.params, stages }, order: { ...cell.order, stages } };
}

/** Whether what waits grew between the first and the last fifth of a step. In milliseconds. */
function grew(late) {
  const part = Math.ceil(late.length / 5);
  return median(late.slice(-part)) - median(late.slice(0, part)) > GROWTH * STEP_SECONDS * 1000;
}

export async function run(candidate, { port, filters, stages }) {
  const [{ rate, probes }, ...steps] = stages;
  let late = [];
  let stage = 0;
  let spent = null;
  let half;
  let done;
  const finished = new Promise((resolve) => (done = resolve));
  const received = (n, subject) => {
    const due = candidate.probeOf(subject);
    if (due === null || stage > steps.length) return;
    spent ??= { cpu: cpu(), at: performance.now() };
    late.push((now() - due) / 1000);
    if (late.length < stages[stage].probes) return;
    if (stage === 0) {
      // The first tenth finds the caches cold.
      half = late.slice(Math.floor(probes / 10));
      spent = (cpu() - spent.cpu) / 1000 / (performance.now() - spent.at);
    } else if (grew(late)) {
      done(stages[stage].rate);
      stage = steps.length;
    }
    stage += 1;
    late = [];
    if (stage === stages.length) done(undefined);
  };
  const link = await candidate.connect({ port, received, filters: filterSet(filters) });
  const grows = await finished;
  link.close();
  const share = (part) => percentile(half, part);
  const lateness = { p50: share(0.5), p90: share(0.9), p99: share(0.99), p999: share(0.999), most: share(1) };
  return { ...lateness, rate, cores: spent, grows };
}
