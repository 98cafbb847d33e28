/** How late a stanza is at its subscriber, with stanzas coming evenly at half of what the candidate can take. */
import { filterSet } from '../filter-sets.mjs';
import { percentile } from '../statistics.mjs';
import { CORPUS, now } from '../traffic.mjs';

export const title = 'Latency at half load';
export const note =
  'From the moment at which a stanza was due to be sent, until its subscriber is called. Half load is half of the rate that the candidate reached in the inbound measure; ' +
  'the last row has the load of @xmpp/component.';
export const columns = [
  { head: 'p50 ms', of: ({ p50 }) => p50, digits: 2 },
  { head: 'p90', of: ({ p90 }) => p90, digits: 2 },
  { head: 'p99', of: ({ p99 }) => p99, digits: 2 },
  { head: 'p99.9', of: ({ p999 }) => p999, digits: 2 },
  { head: 'most', of: ({ most }) => most, digits: 2 },
  { head: 'stanzas/s', of: ({ rate }) => rate, digits: 0 },
];
export const ratio = null;

/** A probe among this many stanzas, and seconds of traffic. */
const EVERY = 20;
const SECONDS = 4;

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
  const rate = Math.round(capacity / 2);
  const probes = Math.ceil((rate * SECONDS) / EVERY);
  return { ...cell, params: { ...cell.params, rate, probes }, order: { ...cell.order, rate, probes } };
}

export async function run(candidate, { port, filters, rate, probes }) {
  const late = [];
  let done;
  const finished = new Promise((resolve) => (done = resolve));
  const received = (n, subject) => {
    const due = candidate.probeOf(subject);
    if (due === null) return;
    late.push((now() - due) / 1000);
    if (late.length === probes) done();
  };
  const link = await candidate.connect({ port, received, filters: filterSet(filters) });
  await finished;
  link.close();
  // The first tenth finds the caches cold.
  const counted = late.slice(Math.floor(probes / 10));
  const share = (part) => percentile(counted, part);
  return { p50: share(0.5), p90: share(0.9), p99: share(0.99), p999: share(0.999), most: share(1), rate };
}
