/** A queue in a SQLite file: what is stored in a second, what that costs the thread of the broker, and how late it makes it. */
/* global AbortSignal */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clearInterval, setInterval } from 'node:timers';
import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises';
import { collect } from '../spent.mjs';

export const title = 'A queue in a file';
export const note =
  'Messages of about 130 bytes, output by brokers that are not connected. By hand: each stanza committed where it is output, with the same SQLite and the same settings.';
export const columns = [{ head: 'value', of: ({ value }) => value, digits: 2 }];
export const ratio = null;

const CELLS = [
  ['rate', 'stored/s, 10 a turn: xmpp-broker'],
  ['rate-by-hand', 'stored/s, 10 a turn: by hand'],
  ['late', 'lateness of the event loop at 1,000 stored/s, p50 ms: xmpp-broker'],
  ['late-by-hand', 'lateness of the event loop at 1,000 stored/s, p50 ms: by hand'],
  ['cpu', 'µs of the main thread for an output: stored'],
  ['cpu-memory', 'µs of the main thread for an output: in memory'],
  ['stored', 'time from output to stored, p50 ms: xmpp-broker'],
  ['append', 'time of append and fdatasync, p50 ms'],
  ['recovery', 'opening a queue of 10,000 stanzas, ms: xmpp-broker'],
  ['recovery-sql', 'reading 10,000 stanzas, ms: SQL alone'],
  ['queues-1', 'stored/s, one queue'],
  ['queues-10000', 'stored/s, 10,000 queues of one file'],
  ['heap', 'JS heap of a broker, kB: with a shared store'],
  ['heap-memory', 'JS heap of a broker, kB: without'],
];

export const cells = (short) =>
  CELLS.map(([key, label]) => ({ key, label, candidate: 'store', params: { key, short } }));

const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];

/** CPU time of the main thread in microseconds. The wall time that it was busy, where the system does not tell. */
function mainThread() {
  try {
    return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0]) / 1_000;
  } catch {
    return performance.eventLoopUtilization().active * 1_000;
  }
}

/** Outputs so many, ten a turn, and waits until all of them are stored. */
async function outputs(candidate, broker, from, count) {
  let last;
  for (let i = from; i < from + count; i += 1) {
    last = broker.output(candidate.message(i));
    if (i % 10 === 9) await turn();
  }
  await last.stored.catch(() => undefined); // a queue in memory says that it is not
}

const RUNS = {
  async rate(candidate, file, short) {
    const broker = candidate.broker(candidate.newStore(file));
    await broker.openQueue();
    await outputs(candidate, broker, 0, 5_000);
    const count = short ? 10_000 : 50_000;
    const start = performance.now();
    await outputs(candidate, broker, 5_000, count);
    return (count / (performance.now() - start)) * 1_000;
  },

  async 'rate-by-hand'(candidate, file, short) {
    const { store } = candidate.byHand(file);
    const count = short ? 1_000 : 5_000;
    for (let i = 0; i < 500; i += 1) store(`k${i}`, candidate.textOf(i));
    const start = performance.now();
    for (let i = 500; i < 500 + count; i += 1) {
      store(`k${i}`, candidate.textOf(i));
      if (i % 10 === 9) await turn();
    }
    return (count / (performance.now() - start)) * 1_000;
  },

  async late(candidate, file, short) {
    const broker = candidate.broker(candidate.newStore(file));
    await broker.openQueue();
    return lateness((i) => void broker.output(candidate.message(i)), short);
  },

  async 'late-by-hand'(candidate, file, short) {
    const { store } = candidate.byHand(file);
    return lateness((i) => store(`k${i}`, candidate.textOf(i)), short);
  },

  cpu: (candidate, file, short) => costs(candidate, candidate.newStore(file), short),
  'cpu-memory': (candidate, _, short) => costs(candidate, null, short),

  async stored(candidate, file, short) {
    const broker = candidate.broker(candidate.newStore(file));
    await broker.openQueue();
    const times = [];
    for (let i = 0; i < (short ? 200 : 1_000); i += 1) {
      const start = performance.now();
      await broker.output(candidate.message(i)).stored;
      times.push(performance.now() - start);
    }
    return median(times);
  },

  append(candidate, file, short) {
    const opened = openSync(file, 'a');
    const times = [];
    for (let i = 0; i < (short ? 200 : 1_000); i += 1) {
      const start = performance.now();
      writeSync(opened, candidate.textOf(i));
      fdatasyncSync(opened);
      times.push(performance.now() - start);
    }
    closeSync(opened);
    return median(times);
  },

  async recovery(candidate, file) {
    await filled(candidate, file);
    const broker = candidate.broker(candidate.newStore(file));
    const start = performance.now();
    const { held } = await broker.openQueue();
    const time = performance.now() - start;
    if (held !== 10_000) throw new Error(`${held} of 10,000 are held`);
    return time;
  },

  async 'recovery-sql'(candidate, file) {
    await filled(candidate, file);
    const start = performance.now();
    const rows = candidate.database(file).prepare('SELECT * FROM stanza ORDER BY seq').all();
    const time = performance.now() - start;
    if (rows.length !== 10_000) throw new Error(`${rows.length} of 10,000 were read`);
    return time;
  },

  'queues-1': (candidate, file) => manyQueues(candidate, file, 1),
  'queues-10000': (candidate, file) => manyQueues(candidate, file, 10_000),

  heap: (candidate, file, short) => heaps(candidate, candidate.newStore(file), short),
  'heap-memory': (candidate, _, short) => heaps(candidate, null, short),
};

/** How late a timer is while a stanza is output each millisecond. */
async function lateness(output, short) {
  const times = [];
  let i = 0;
  const begun = performance.now();
  const end = begun + (short ? 1_000 : 4_000);
  // As many as are due by now: what was late is caught up with.
  const timer = setInterval(() => {
    for (const due = performance.now() - begun; i < due; i += 1) output(i);
  }, 1);
  while (performance.now() < end) {
    const due = performance.now() + 10;
    await pause(10);
    times.push(performance.now() - due);
  }
  clearInterval(timer);
  return median(times);
}

async function costs(candidate, store, short) {
  const broker = candidate.broker(store);
  if (store !== null) await broker.openQueue();
  await outputs(candidate, broker, 0, 20_000);
  const count = short ? 20_000 : 100_000;
  const before = mainThread();
  await outputs(candidate, broker, 20_000, count);
  return (mainThread() - before) / count;
}

async function filled(candidate, file) {
  const broker = candidate.broker(candidate.newStore(file));
  await broker.openQueue();
  await outputs(candidate, broker, 0, 10_000);
  await broker.shutdown();
}

/** The same number of stanzas, in one queue or one in each of many. */
async function manyQueues(candidate, file, count) {
  const store = candidate.newStore(file);
  const owner = (queue) => ({ queue, xmlns: 'jabber:component:accept' });
  const queues = [];
  for (let i = 0; i < count; i += 1) queues.push(await store.open(owner(`q${i}`), AbortSignal.timeout(60_000)));
  const put = (i) => ({ kind: 'put', key: `k${i}`, xml: candidate.textOf(i), at: Date.now(), handed: null });
  const rounds = 5;
  const start = performance.now();
  for (let round = 0; round < rounds; round += 1) {
    const numbers = Array.from({ length: 10_000 }, (_, i) => round * 10_000 + i);
    if (count === 1) await queues[0].commit(numbers.map(put));
    else await Promise.all(queues.map((queue, i) => queue.commit([put(numbers[i])])));
  }
  return ((rounds * 10_000) / (performance.now() - start)) * 1_000;
}

async function heaps(candidate, store, short) {
  const make = async (i) => {
    const broker = candidate.broker(store, `q${i}`);
    if (store !== null) await broker.openQueue();
    return broker;
  };
  const kept = [await make('first')];
  collect();
  const before = process.memoryUsage().heapUsed;
  const count = short ? 200 : 1_000;
  for (let i = 0; i < count; i += 1) kept.push(await make(i));
  collect();
  return (process.memoryUsage().heapUsed - before) / (kept.length - 1) / 1_000;
}

export async function run(candidate, { key, short }) {
  const folder = mkdtempSync(join(tmpdir(), 'xmpp-broker-bench-store-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  return { value: await RUNS[key](candidate, join(folder, 'queue.db'), short) };
}
