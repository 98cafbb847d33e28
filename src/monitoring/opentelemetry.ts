// Spans and metrics for OpenTelemetry: only its API is needed, whoever the SDK is from.
import {
  context,
  metrics,
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
  type ObservableResult,
  type Span,
} from '@opentelemetry/api';
import type { TracingChannel } from 'node:diagnostics_channel';
import type { Broker } from '../broker/broker.js';
import type { BrokerStats } from '../broker/broker-stats.js';
import {
  CONNECT,
  HANDLER,
  REQUEST,
  scope,
  type ConnectTrace,
  type HandlerTrace,
  type RequestTrace,
  type Trace,
} from '../channels.js';
import { BrokerError } from '../errors.js';
import { accountOf } from './account.js';

/** Name of the tracer and the meter. */
const NAME = 'xmpp-broker';

/** The spans of what is under way. */
const spans = new WeakMap<object, Span>();

let instrumented = 0;
let end = (): void => undefined;

/**
 * Makes spans of what every broker of the process does: one for each attempt to connect, each request and each call of a
 * handler, which runs inside its span. The global tracer provider of `@opentelemetry/api` gets them.
 * @returns what ends it. Called again before that, it is the same instrumentation
 */
export function instrument(): Disposable {
  if (instrumented === 0) end = begin();
  instrumented += 1;
  let over = false;
  return {
    [Symbol.dispose]: () => {
      if (over) return;
      over = true;
      instrumented -= 1;
      if (instrumented === 0) end();
    },
  };
}

function begin(): () => void {
  const plain = scope.run;
  scope.run = (traced, call) => {
    const span = spans.get(traced);
    return span === undefined ? call() : context.with(trace.setSpan(context.active(), span), call);
  };
  const ends = [
    follow(CONNECT, SpanKind.CLIENT, (attempt: ConnectTrace) => `xmpp connect ${attempt.domain}`, connectAttributes),
    follow(
      REQUEST,
      SpanKind.CLIENT,
      (request: RequestTrace) => `xmpp ${request.payload ?? request.name}`,
      requestAttributes,
    ),
    follow(HANDLER, SpanKind.CONSUMER, ({ event }: HandlerTrace) => `xmpp handler ${event}`, handlerAttributes),
  ];
  return () => {
    scope.run = plain;
    for (const one of ends) one();
  };
}

/** Opens a span when something begins, and closes it when that ends, with its error. */
function follow<Of extends Trace>(
  tracing: TracingChannel<Of, Of>,
  kind: SpanKind,
  name: (of: Of) => string,
  attributes: (of: Of) => Attributes,
): () => void {
  const finish = (of: Of): void => {
    const span = spans.get(of);
    spans.delete(of);
    span?.end();
  };
  const subscribers = {
    start: (of: Of) => {
      const account = accountOf(of.broker as Broker);
      const facts = { 'messaging.system': 'xmpp', 'xmpp.account': account, ...attributes(of) };
      spans.set(of, trace.getTracer(NAME).startSpan(name(of), { kind, attributes: facts }));
    },
    // What goes on behind the call ends later, and says so.
    end: (of: Of) => {
      if (of.goesOn !== true) finish(of);
    },
    asyncStart: () => undefined,
    asyncEnd: finish,
    error: (of: Of) => {
      const span = spans.get(of);
      if (span === undefined) return;
      const { error } = of;
      span.recordException(error instanceof Error ? error : String(error));
      if (error instanceof BrokerError) span.setAttribute('error.type', error.code);
      span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.message : String(error) });
    },
  };
  tracing.subscribe(subscribers);
  return () => tracing.unsubscribe(subscribers);
}

function connectAttributes({ dialect, host, port }: ConnectTrace): Attributes {
  return { 'xmpp.dialect': dialect, 'server.address': host, 'server.port': port };
}

function requestAttributes({ id, to, name, namespace, event }: RequestTrace): Attributes {
  return {
    'messaging.message.id': id,
    'messaging.destination.name': to ?? undefined,
    'xmpp.stanza': name,
    'xmpp.namespace': namespace ?? undefined,
    'xmpp.event': event ?? undefined,
  };
}

function handlerAttributes({ event }: HandlerTrace): Attributes {
  return { 'xmpp.event': event };
}

/** What is counted, under the name that OpenTelemetry has it by. */
const COUNTED: readonly (readonly [name: string, unit: string, read: (stats: BrokerStats) => Observations])[] = [
  [
    'xmpp.bytes',
    'By',
    ({ bytes }) => [
      [bytes.in, { direction: 'in' }],
      [bytes.out, { direction: 'out' }],
    ],
  ],
  [
    'xmpp.stanzas',
    '{stanza}',
    ({ stanzas }) =>
      (['in', 'out'] as const).flatMap((direction) =>
        Object.entries(stanzas[direction]).map(([kind, count]) => [count as number, { direction, kind }] as const),
      ),
  ],
  [
    'xmpp.requests',
    '{request}',
    ({ requests }) => [
      [requests.ok, { outcome: 'ok' }],
      [requests.failed, { outcome: 'failed' }],
    ],
  ],
  ['xmpp.answers', '{answer}', ({ requests }) => [[requests.latencyMs.count, {}]]],
  ['xmpp.answer.time', 's', ({ requests }) => [[requests.latencyMs.sum / 1_000, {}]]],
  ['xmpp.reconnects', '{reconnect}', ({ reconnects }) => [[reconnects, {}]]],
];

/** How things stand. */
const GAUGED: typeof COUNTED = [
  ['xmpp.ready', '1', ({ state }) => [[state === 'ready' ? 1 : 0, {}]]],
  ['xmpp.requests.pending', '{request}', ({ requests }) => [[requests.pending, {}]]],
  ['xmpp.unacknowledged', '{stanza}', ({ unacknowledged }) => [[unacknowledged, {}]]],
  ['xmpp.held', '{stanza}', ({ held }) => [[held, {}]]],
];

type Observations = readonly (readonly [value: number, labels: Attributes])[];

/**
 * Shows the counters of a broker (`broker.stats()`) to the global meter provider of `@opentelemetry/api`. They are read
 * when the provider collects.
 * @returns what takes the broker out again
 */
export function measure(broker: Broker): Disposable {
  const meter = metrics.getMeter(NAME);
  const account = { 'xmpp.account': accountOf(broker) };
  const ends = [
    ...COUNTED.map(([name, unit, read]) => [meter.createObservableCounter(name, { unit }), read] as const),
    ...GAUGED.map(([name, unit, read]) => [meter.createObservableGauge(name, { unit }), read] as const),
  ].map(([instrument, read]) => {
    const callback = (result: ObservableResult): void => {
      for (const [value, labels] of read(broker.stats())) result.observe(value, { ...account, ...labels });
    };
    instrument.addCallback(callback);
    return () => instrument.removeCallback(callback);
  });
  return {
    [Symbol.dispose]: () => {
      for (const one of ends) one();
    },
  };
}
