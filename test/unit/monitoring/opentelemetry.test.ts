import { context, metrics, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { instrument, measure } from 'xmpp-broker/opentelemetry';
import { Life } from './life.js';

const spans = new InMemorySpanExporter();
const numbers = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
const reader = new PeriodicExportingMetricReader({ exporter: numbers, exportIntervalMillis: 1_000_000 });

beforeAll(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }));
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
});
afterAll(() => {
  trace.disable();
  metrics.disable();
  context.disable();
});

test('spans for attempts, requests and handlers; what a handler asks is a child of its span', async () => {
  await using life = await Life.begin();
  using first = instrument();
  const second = instrument();
  // The test server has a bus of its own, whose handlers are nobody's spans.
  let served = 0;
  life.server.subscribe('connection', () => (served += 1));
  let asked: Promise<unknown> = Promise.resolve();
  life.echo.match('/message[body]', () => {
    trace.getTracer('the program').startSpan('work').end();
    asked = Promise.resolve().then(() => trace.getTracer('the program').startSpan('later').end());
    return asked;
  });
  await life.live();
  await asked;
  second[Symbol.dispose]();
  second[Symbol.dispose]();
  expect(first).toBeDefined();
  expect(served).toBe(2);
  const all = spans.getFinishedSpans();
  const named = (name: string) => all.filter((span) => span.name === name);
  expect(named('xmpp connect peer.localhost')[0]?.attributes).toMatchObject({
    'messaging.system': 'xmpp',
    'xmpp.account': 'peer.localhost',
    'server.address': '127.0.0.1',
    'server.port': life.server.ports.component,
  });
  const [ok, failed] = named('xmpp query').filter(({ attributes }) => attributes['xmpp.account'] === 'peer.localhost');
  expect(ok?.status.code).toBe(0);
  expect(failed?.status.code).toBe(2);
  expect(failed?.attributes).toMatchObject({ 'error.type': 'STANZA_ERROR', 'xmpp.namespace': 'urn:unknown' });
  expect(
    all.some(
      ({ name, events }) => name.startsWith('xmpp handler') && events[0]?.attributes?.['exception.message'] === 'a bug',
    ),
  ).toBe(true);
  // The context is carried into the handler, and over what it awaits.
  for (const name of ['work', 'later']) {
    const parent = named(name)[0]?.parentSpanContext?.spanId;
    expect(all.find((span) => span.spanContext().spanId === parent)?.name).toMatch(/^xmpp handler/);
  }
});

test('no span when the instrumentation has ended', async () => {
  spans.reset();
  await using life = await Life.begin();
  instrument()[Symbol.dispose]();
  await life.live();
  expect(spans.getFinishedSpans().filter(({ name }) => name.startsWith('xmpp'))).toEqual([]);
});

test('the numbers are those of stats()', async () => {
  await using life = await Life.begin();
  using measured = measure(life.peer);
  await life.live();
  await reader.forceFlush();
  const found = numbers
    .getMetrics()
    .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((one) => one.metrics))
    .flatMap(({ descriptor, dataPoints }) =>
      dataPoints.map(({ attributes, value }) => [descriptor.name, { ...attributes }, value] as const),
    );
  const { bytes } = life.peer.stats();
  const account = { 'xmpp.account': 'peer.localhost' };
  expect(found).toContainEqual(['xmpp.bytes', { ...account, direction: 'in' }, bytes.in]);
  expect(found).toContainEqual(['xmpp.requests', { ...account, outcome: 'failed' }, 1]);
  expect(found).toContainEqual(['xmpp.stanzas', { ...account, direction: 'out', kind: 'iq' }, 2]);
  expect(found).toContainEqual(['xmpp.ready', account, 1]);
  expect(measured).toBeDefined();
});
