// The counters of brokers for Prometheus, with prom-client.
import { Counter, Gauge, register as defaultRegister, type Registry } from 'prom-client';
import { must, text } from '../arguments/checks.js';
import { readOptions, type OptionTable } from '../arguments/options.js';
import { isRecord } from '../arguments/values.js';
import { usageError } from '../errors.js';
import type { Broker } from '../broker/broker.js';
import type { BrokerStats } from '../broker/broker-stats.js';
import { accountOf } from './account.js';

/** Options of {@link prometheus}. */
export interface PrometheusOptions {
  /** Where the metrics are registered. Default: prom-client's own registry. */
  register?: Registry | undefined;
  /** Value of the label `account`, which tells brokers apart. Default: the bare address that the broker signs in with. */
  account?: string | undefined;
}

const isRegistry = (value: unknown): boolean =>
  isRecord(value) && typeof (value as { registerMetric?: unknown }).registerMetric === 'function';

const OPTIONS: OptionTable<PrometheusOptions> = {
  checks: { register: must('a Registry of prom-client', isRegistry), account: text },
};

/** One sample of a metric: its labels beside `account`, and its value. */
type Sample = readonly [labels: Readonly<Record<string, string>>, value: number];

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly kind: 'counter' | 'gauge';
  readonly labels: readonly string[];
  readonly samples: (stats: BrokerStats) => readonly Sample[];
}

const single = (value: number): readonly Sample[] => [[{}, value]];

/** Units are those of Prometheus: seconds and bytes. docs/monitoring.md has the same table. */
const METRICS: readonly Metric[] = [
  {
    name: 'xmpp_ready',
    help: '1 while stanzas can be sent, else 0',
    kind: 'gauge',
    labels: [],
    samples: ({ state }) => single(state === 'ready' ? 1 : 0),
  },
  {
    name: 'xmpp_bytes_total',
    help: 'bytes of XML read and written, inside TLS',
    kind: 'counter',
    labels: ['direction'],
    samples: ({ bytes }) => [
      [{ direction: 'in' }, bytes.in],
      [{ direction: 'out' }, bytes.out],
    ],
  },
  {
    name: 'xmpp_stanzas_total',
    help: 'stanzas that arrived and that were handed to the socket',
    kind: 'counter',
    labels: ['direction', 'kind'],
    samples: ({ stanzas }) =>
      (['in', 'out'] as const).flatMap((direction) =>
        Object.entries(stanzas[direction]).map(([kind, count]): Sample => [{ direction, kind }, count as number]),
      ),
  },
  {
    name: 'xmpp_requests_total',
    help: 'requests that have ended',
    kind: 'counter',
    labels: ['outcome'],
    samples: ({ requests }) => [
      [{ outcome: 'ok' }, requests.ok],
      [{ outcome: 'failed' }, requests.failed],
    ],
  },
  {
    name: 'xmpp_answers_total',
    help: 'answers to requests, of errors too',
    kind: 'counter',
    labels: [],
    samples: ({ requests }) => single(requests.latencyMs.count),
  },
  {
    name: 'xmpp_answer_seconds_total',
    help: 'time from when requests were written until their answers came, together',
    kind: 'counter',
    labels: [],
    samples: ({ requests }) => single(requests.latencyMs.sum / 1_000),
  },
  {
    name: 'xmpp_answer_seconds_max',
    help: 'the longest of those times',
    kind: 'gauge',
    labels: [],
    samples: ({ requests }) => single(requests.latencyMs.max / 1_000),
  },
  {
    name: 'xmpp_requests_pending',
    help: 'requests that wait for their answer',
    kind: 'gauge',
    labels: [],
    samples: ({ requests }) => single(requests.pending),
  },
  {
    name: 'xmpp_reconnects_total',
    help: 'how often the broker was ready again',
    kind: 'counter',
    labels: [],
    samples: ({ reconnects }) => single(reconnects),
  },
  {
    name: 'xmpp_last_ready_timestamp_seconds',
    help: 'when the broker was last ready',
    kind: 'gauge',
    labels: [],
    samples: ({ lastReadyAt }) => (lastReadyAt === null ? [] : single(lastReadyAt / 1_000)),
  },
  {
    name: 'xmpp_unacknowledged_stanzas',
    help: 'stanzas sent that the server has not acknowledged',
    kind: 'gauge',
    labels: [],
    samples: ({ unacknowledged }) => single(unacknowledged),
  },
  {
    name: 'xmpp_held_stanzas',
    help: 'stanzas held in the queue',
    kind: 'gauge',
    labels: [],
    samples: ({ held }) => single(held),
  },
];

/** Which brokers a registry shows, by their label. */
const shown = new WeakMap<Registry, Map<string, Broker>>();

/**
 * Shows the counters of a broker (`broker.stats()`) in a registry of prom-client. They are read when the registry is, so
 * it costs nothing in between. Several brokers may share a registry.
 * @returns what takes the broker out again
 * @throws BrokerError `USAGE_METRICS` for a wrong option, and when the registry shows another broker under that account
 */
export function prometheus(broker: Broker, options: PrometheusOptions = {}): Disposable {
  const { register = defaultRegister, account = accountOf(broker) } = readOptions(
    'USAGE_METRICS',
    'prometheus()',
    options,
    OPTIONS,
  );
  const brokers = shown.get(register) ?? begin(register);
  const other = brokers.get(account);
  if (other !== undefined && other !== broker) {
    throw usageError(
      'USAGE_METRICS',
      `prometheus(): the registry shows another broker as ${account}; give this one another 'account'`,
    );
  }
  brokers.set(account, broker);
  return {
    [Symbol.dispose]: () => {
      if (brokers.get(account) === broker) brokers.delete(account);
    },
  };
}

/** Registers every metric, once for each registry. */
function begin(register: Registry): Map<string, Broker> {
  const brokers = new Map<string, Broker>();
  for (const { name, help, kind, labels, samples } of METRICS) {
    const labelNames = ['account', ...labels];
    const current = function* (): Iterable<[Record<string, string>, number]> {
      for (const [account, broker] of brokers) {
        for (const [more, value] of samples(broker.stats())) yield [{ account, ...more }, value];
      }
    };
    if (kind === 'counter') {
      const collect = function (this: Counter): void {
        this.reset();
        for (const [found, value] of current()) this.inc(found, value);
      };
      new Counter({ name, help, labelNames, registers: [register], collect });
    } else {
      const collect = function (this: Gauge): void {
        this.reset();
        for (const [found, value] of current()) this.set(found, value);
      };
      new Gauge({ name, help, labelNames, registers: [register], collect });
    }
  }
  shown.set(register, brokers);
  return brokers;
}
