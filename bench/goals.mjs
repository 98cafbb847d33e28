/**
 * What is to be reached, as ratios of medians of one run, and the bounds beyond which a run fails.
 *
 * `of` over `to`: cells as measure/key, with /1 behind it for the second column of figures, and so on. `least` and `aim` are lower bounds, `most` and `aim` upper ones.
 */
import { median } from './statistics.mjs';

/** How far off its goal a ratio may be on a noisy machine before it counts as a fault. */
export const NOISE = 0.25;

export const GOALS = [
  {
    text: 'parser with tree against @xmpp/xml',
    of: 'parse/xmppjs-16384',
    to: 'parse/ours-16384',
    least: 3,
    aim: 4,
    gate: 2.5,
  },
  {
    text: 'parser with tree against expat in C without',
    of: 'parse/expat-16384',
    to: 'parse/ours-16384',
    least: 2,
    aim: 2.9,
  },
  {
    text: 'parser in chunks of 1,460 B over 16 KiB',
    of: 'parse/ours-1460',
    to: 'parse/ours-16384',
    most: 1.2,
    aim: 1.1,
  },
  {
    text: 'inbound, 0 filters, against @xmpp/component',
    of: 'inbound/xmppjs',
    to: 'inbound/ours-0',
    least: 6.5,
    aim: 8,
  },
  {
    text: 'inbound, 10 filters, against the same',
    of: 'inbound/xmppjs',
    to: 'inbound/ours-10',
    least: 3.5,
    aim: 5,
    gate: 3,
  },
  {
    text: 'inbound, the 10 typical filters, against the same',
    of: 'inbound/xmppjs',
    to: 'inbound/ours-typical',
    least: 4,
    aim: 5,
  },
  {
    text: 'inbound, 10,000 filters, against the same',
    of: 'inbound/xmppjs',
    to: 'inbound/ours-10000',
    least: 2.5,
    aim: 4,
    gate: 2.5,
  },
  { text: 'cost of 10,000 filters over 10', of: 'inbound/ours-10000', to: 'inbound/ours-10', most: 1.3, aim: 1.15 },
  { text: 'cost of 100,000 filters over 10', of: 'inbound/ours-100000', to: 'inbound/ours-10', most: 1.5, aim: 1.3 },
  {
    text: 'cost of 10,000 filters of another mix over 10 of it',
    of: 'inbound/ours-other-10000',
    to: 'inbound/ours-other-10',
    most: 1.3,
    aim: 1.15,
  },
  {
    text: 'cost of 100,000 filters of that mix over the same',
    of: 'inbound/ours-other-100000',
    to: 'inbound/ours-other-10',
    most: 1.5,
    aim: 1.3,
  },
  {
    text: 'inbound, 10 filters, against PCJ with the same',
    of: 'inbound/pcj-10',
    to: 'inbound/ours-10',
    least: 100,
    aim: 200,
  },
  {
    text: 'inbound, 100 filters, against PCJ with the same',
    of: 'inbound/pcj-100',
    to: 'inbound/ours-100',
    least: 150,
    aim: 300,
  },
  {
    text: 'inbound, 0 filters, against libstrophe in C',
    of: 'inbound/libstrophe',
    to: 'inbound/ours-0',
    least: 4,
    aim: 5,
  },
  { text: 'inbound, 0 filters, against slixmpp', of: 'inbound/slixmpp-0', to: 'inbound/ours-0', least: 14, aim: 18 },
  {
    text: 'inbound, the 10 typical filters, against saxes, @xmldom/xmldom and xpath',
    of: 'inbound/obvious-typical',
    to: 'inbound/ours-typical',
    least: 10,
    aim: 16,
  },
  {
    text: 'inbound, 100 filters, against the same',
    of: 'inbound/obvious-100',
    to: 'inbound/ours-100',
    least: 80,
    aim: 120,
  },
  {
    text: 'outbound against send() of @xmpp/component',
    of: 'outbound/xmppjs-send',
    to: 'outbound/ours',
    least: 5,
    aim: 7,
    gate: 2.5,
  },
  { text: 'outbound against its sendMany()', of: 'outbound/xmppjs-many', to: 'outbound/ours', least: 2.3, aim: 3 },
  {
    text: 'outbound from @xmldom/xmldom elements against send()',
    of: 'outbound/xmppjs-send',
    to: 'outbound/ours-dom',
    least: 2,
    aim: 3,
  },
  {
    text: 'outbound of an element that was received, against send()',
    of: 'outbound/xmppjs-send',
    to: 'outbound/ours-relay',
    least: 4,
    aim: 6,
  },
  {
    text: 'outbound of a string, against send()',
    of: 'outbound/xmppjs-send',
    to: 'outbound/ours-string',
    least: 2.5,
    aim: 4,
  },
  { text: 'importing it against @xmpp/client', of: 'load/ours', to: 'load/xmppjs', most: 1, aim: 0.6 },
  { text: 'heap of an import against the same', of: 'load/ours/1', to: 'load/xmppjs/1', most: 1.2, aim: 0.7 },
  { text: 'from connect() to ready over a bare socket', of: 'connect/ours', to: 'connect/raw', most: 1.5, aim: 1.1 },
  { text: 'the same, against @xmpp/component', of: 'connect/ours', to: 'connect/xmppjs', most: 1, aim: 0.9 },
  {
    text: 'sign-in to Prosody over a TLS handshake and one key',
    of: 'sign-in/ours',
    to: 'sign-in/raw',
    most: 1.3,
    aim: 1.1,
  },
  {
    text: 'inbound over TLS with stream management, against @xmpp/client',
    of: 'secure/xmppjs',
    to: 'secure/ours',
    least: 10,
    aim: 16,
  },
  { text: 'heap of an idle connection over a bare socket', of: 'idle/ours', to: 'idle/raw', most: 3.5, aim: 2.5 },
  {
    text: 'latency p99 at half load, 0 filters, over that of @xmpp/component at its own',
    of: 'latency/ours-0/2',
    to: 'latency/xmppjs/2',
    most: 1,
    aim: 0.3,
  },
  {
    text: 'latency p99 at half load, 10,000 filters, over the same',
    of: 'latency/ours-10000/2',
    to: 'latency/xmppjs/2',
    most: 1,
    aim: 0.3,
  },
  {
    text: 'CPU of a stanza for one of 10,000 busy connections over one of 1,000',
    of: 'busy/ours-10000',
    to: 'busy/ours',
    most: 1.2,
    aim: 1.05,
  },
  {
    text: 'stanzas stored in a second, 10 a turn, against a commit for each in the loop',
    of: 'store/rate',
    to: 'store/rate-by-hand',
    least: 5,
    aim: 20,
  },
  {
    text: 'lateness of the loop at 1,000 stored/s over a commit for each in it',
    of: 'store/late',
    to: 'store/late-by-hand',
    most: 0.2,
    aim: 0.1,
  },
  {
    text: 'CPU of the main thread for an output that is stored over one in memory',
    of: 'store/cpu',
    to: 'store/cpu-memory',
    most: 2,
    aim: 1.5,
  },
  { text: 'time until stored over append and fdatasync', of: 'store/stored', to: 'store/append', most: 3, aim: 1.5 },
  {
    text: 'opening a queue of 10,000 stanzas over reading them with SQL alone',
    of: 'store/recovery',
    to: 'store/recovery-sql',
    most: 3,
    aim: 2,
  },
  {
    text: 'stored in a second in 10,000 queues of one file against one queue',
    of: 'store/queues-10000',
    to: 'store/queues-1',
    least: 0.8,
    aim: 0.95,
  },
  {
    text: 'heap of a broker with a shared store over one without',
    of: 'store/heap',
    to: 'store/heap-memory',
    most: 1.3,
    aim: 1.1,
  },
  {
    text: 'stanzas of a StanzaPublisher that are stored in a second, against js.publish',
    of: 'nats/publish',
    to: 'nats/client',
    least: 0.4,
    aim: 1,
  },
  {
    text: 'producer to sent and back, 64 under way, against js.publish alone',
    of: 'nats/sent',
    to: 'nats/client',
    least: 0.3,
    aim: 0.8,
  },
  {
    text: 'time of a takeover over ttlMs',
    of: 'nats/takeover',
    to: 'nats/ttl',
    most: 1.17,
    aim: 0.8,
  },
  {
    text: 'CPU of an inbound stanza that is handed to workers over publishing alone',
    of: 'fan-out/fan-out',
    to: 'fan-out/publish',
    most: 2,
    aim: 1.4,
  },
  {
    text: 'CPU of an inbound stanza with a console that nobody looks at over without',
    of: 'console/open',
    to: 'console/none',
    most: 1.02,
    aim: 1,
    gate: 1.02,
  },
];

/** The ratio of two cells: of their medians, and the spread over the rounds; null when one was not measured. */
export function ratio(results, of, to) {
  const values = [of, to].map((cell) => results[cell]);
  if (values.some((list) => list === undefined || list.length === 0)) return null;
  const [above, below] = values;
  const rounds = Array.from({ length: Math.min(above.length, below.length) }, (_, i) => above[i] / below[i]);
  return { value: median(above) / median(below), min: Math.min(...rounds), max: Math.max(...rounds) };
}

/** Every goal with what was measured of it, leaving out those with a cell that was not. */
export function reached(results) {
  return GOALS.flatMap((goal) => {
    const measured = ratio(results, goal.of, goal.to);
    if (measured === null) return [];
    const met = goal.least === undefined ? measured.value <= goal.most : measured.value >= goal.least;
    const aimed = goal.least === undefined ? measured.value <= goal.aim : measured.value >= goal.aim;
    return [{ ...goal, ...measured, met, aimed }];
  });
}

/** The bounds that a run broke: a goal's gate, with the noise allowed for. */
export function failures(results) {
  return reached(results)
    .filter(({ gate }) => gate !== undefined)
    .map((goal) => ({ ...goal, bound: goal.gate * (goal.least === undefined ? 1 + NOISE : 1 - NOISE) }))
    .filter(({ least, value, bound }) => (least === undefined ? value > bound : value < bound));
}
