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
import { Broker, XMPP } from 'xmpp-broker';
import { HANDLER, REQUEST, scope } from '../../../src/channels.js';
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

const alice = () =>
  new Broker({ connectionType: XMPP, domain: 'example.org', username: 'alice', password: 'secret', logger: false });

test('what had begun before the instrumentation has no span, and runs as it would without', () => {
  spans.reset();
  using instrumented = instrument();
  const request = { broker: alice(), id: '1', name: 'iq', payload: null, namespace: null, to: null, event: null };
  expect(scope.run(request, () => 'ran')).toBe('ran');
  REQUEST.error.publish({ ...request, error: new Error('late') });
  REQUEST.asyncEnd.publish(request);
  expect(instrumented).toBeDefined();
  expect(spans.getFinishedSpans()).toEqual([]);
});

test('a request that has nothing in it is named after itself, and what is not there is no attribute', () => {
  spans.reset();
  using instrumented = instrument();
  const request = { broker: alice(), id: '1', name: 'presence', payload: null, namespace: null, to: null, event: null };
  REQUEST.start.publish(request);
  REQUEST.end.publish(request);
  expect(instrumented).toBeDefined();
  const [span] = spans.getFinishedSpans();
  expect(span?.name).toBe('xmpp presence');
  expect(span?.attributes).toEqual({
    'messaging.system': 'xmpp',
    'xmpp.account': 'alice@example.org',
    'messaging.message.id': '1',
    'xmpp.stanza': 'presence',
  });
});

test('what a handler throws need not be an error', () => {
  spans.reset();
  using instrumented = instrument();
  const handler = { broker: alice(), event: 'mine', payload: null, error: 'no error at all' };
  HANDLER.start.publish(handler);
  HANDLER.error.publish(handler);
  HANDLER.end.publish(handler);
  expect(instrumented).toBeDefined();
  const [span] = spans.getFinishedSpans();
  expect(span?.status).toEqual({ code: 2, message: 'no error at all' });
  expect(span?.events[0]?.attributes?.['exception.message']).toBe('no error at all');
  expect(span?.attributes).not.toHaveProperty('error.type');
});

test('a broker that is not connected is not ready', async () => {
  using measured = measure(alice());
  await reader.forceFlush();
  expect(measured).toBeDefined();
  const ready = numbers
    .getMetrics()
    .at(-1)
    ?.scopeMetrics.flatMap((one) => one.metrics)
    .find(({ descriptor }) => descriptor.name === 'xmpp.ready');
  expect(ready?.dataPoints.map(({ attributes, value }) => [attributes['xmpp.account'], value])).toContainEqual([
    'alice@example.org',
    0,
  ]);
});
