// Every channel of node:diagnostics_channel that the library publishes on. Nothing is published that nobody reads.
import { channel, tracingChannel, type Channel, type TracingChannel } from 'node:diagnostics_channel';

/** What a message on the channel of a status event is: whose it is, and what subscribers of the event get. */
export interface StatusMessage {
  /** The `Broker`. */
  readonly broker: unknown;
  readonly event: string;
  readonly payload: unknown;
}

/** What every trace has. */
export interface Trace {
  /** The `Broker`. */
  readonly broker: unknown;
  /** True from `end` on, when it goes on behind the call: then `asyncEnd` is its end. */
  goesOn?: boolean;
  /** Why it failed. */
  error?: unknown;
}

/** What is traced of one attempt to connect, the first and later ones. */
export interface ConnectTrace extends Trace {
  /** Name of the dialect. */
  readonly dialect: string;
  readonly domain: string;
  /** Where it dials; undefined: what the domain's records say. */
  readonly host: string | undefined;
  readonly port: number | undefined;
}

/** What is traced of one request, from when it is accepted to its outcome. */
export interface RequestTrace extends Trace {
  readonly id: string;
  /** `iq` as a rule, and its payload's name and namespace. */
  readonly name: string;
  readonly payload: string | null;
  readonly namespace: string | null;
  readonly to: string | null;
  /** The event its answer is published under; null for a promise. */
  readonly event: string | null;
}

/** What is traced of one call of a handler, to the end of the promise that it returns. */
export interface HandlerTrace extends Trace {
  readonly event: string;
  readonly payload: unknown;
}

/** `xmpp-broker:PCJ_READY` and so on: one for each status event. The message is a {@link StatusMessage}. */
export function statusChannel(event: string): Channel {
  return channel(`xmpp-broker:${event}`);
}

/** `tracing:xmpp-broker:connect:start`, `:end`, `:asyncStart`, `:asyncEnd`, `:error`. The message is a {@link ConnectTrace}. */
export const CONNECT: TracingChannel<ConnectTrace, ConnectTrace> = tracingChannel('xmpp-broker:connect');

/** `tracing:xmpp-broker:request:…`. The message is a {@link RequestTrace}. */
export const REQUEST: TracingChannel<RequestTrace, RequestTrace> = tracingChannel('xmpp-broker:request');

/** `tracing:xmpp-broker:handler:…`. The message is a {@link HandlerTrace}. */
export const HANDLER: TracingChannel<HandlerTrace, HandlerTrace> = tracingChannel('xmpp-broker:handler');

/**
 * Runs what is traced. An instrumentation puts its own in place of it, and so carries a context into what runs.
 * `diagnostics_channel` can do that only for stores that it is given, which tracers do not give away.
 */
export const scope: { run: <T>(trace: object, call: () => T) => T } = { run: (_, call) => call() };

/** Runs something that takes its time, and publishes when it begins and ends. Its outcome is untouched. */
export function traced<Of extends Trace, T>(tracing: TracingChannel<Of, Of>, trace: Of, run: () => T): T {
  return tracing.start.runStores(trace, () => {
    try {
      const result = scope.run(trace, run);
      if (isThenable(result)) followed(tracing, trace, result);
      return result;
    } catch (error) {
      trace.error = error;
      tracing.error.publish(trace);
      throw error;
    } finally {
      tracing.end.publish(trace);
    }
  });
}

/** Publishes the end of something that went on behind its call. */
function followed<Of extends Trace>(tracing: TracingChannel<Of, Of>, trace: Of, result: PromiseLike<unknown>): void {
  trace.goesOn = true;
  result.then(
    () => ended(tracing, trace),
    (error: unknown) => {
      trace.error = error;
      tracing.error.publish(trace);
      ended(tracing, trace);
    },
  );
}

/** Publishes the end of something that went on behind its call. */
export function ended<Of extends Trace>(tracing: TracingChannel<Of, Of>, trace: Of): void {
  tracing.asyncStart.publish(trace);
  tracing.asyncEnd.publish(trace);
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
