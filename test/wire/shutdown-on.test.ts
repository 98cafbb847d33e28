import { afterEach, describe, expect, it } from 'vitest';
import { Broker, type BrokerError, type ShutdownSignals } from 'xmpp-broker';
import { COMPONENT } from './support/component.js';
import { OPENING, useRig } from './support/index.js';

/** Signals that mean nothing to whoever runs the tests. */
const [ONE, OTHER] = ['SIGUSR2', 'SIGWINCH'] as const;

const listeners = () => [ONE, OTHER].map((signal) => process.listenerCount(signal));
const nobody = listeners();

afterEach(() => {
  expect(listeners()).toEqual(nobody);
});

describe('D6: shutdownOn', () => {
  const rig = useRig(COMPONENT);

  it('shuts a ready broker down in order, once; a second signal is not ours', async () => {
    const { broker, server, recorded } = await rig.ready();
    const ends = broker.shutdownOn(ONE, OTHER, ONE);
    expect(ends).toMatchObject({ active: true, signals: [ONE, OTHER] });
    const { closed } = broker;
    process.emit(ONE);
    expect(ends.active).toBe(false);
    expect(listeners()).toEqual(nobody);
    await server.expect('</stream:stream>');
    await server.send('</stream:stream>');
    server.end();
    expect(await closed).toEqual({ clean: true });
    expect(recorded.short.at(-1)).toBe('SHUTDOWN_FINISH');
  });

  it('while connecting: the attempt ends, and connect() rejects only if the process does not end', async () => {
    const { broker, connected, server } = await rig.dialled();
    await server.expect(OPENING);
    broker.shutdownOn(ONE);
    const { closed } = broker;
    process.emit(ONE);
    let told = false;
    connected.catch(() => (told = true));
    expect(await closed).toEqual({ clean: true });
    expect([told, broker.state]).toEqual([false, 'idle']);
    await expect(connected).rejects.toMatchObject({ code: 'CONNECT_ABORTED' });
  });

  it('nothing is dialled any more, by no handler and no loop', async () => {
    const { broker, recorded } = rig.broker({ port: 1 });
    broker.shutdownOn(ONE);
    process.emit(ONE);
    await expect(broker.connect()).rejects.toMatchObject({ code: 'CONNECT_ABORTED' });
    expect(recorded.short).toEqual([]);
    expect(broker.state).toBe('idle');
  });

  it('many brokers have one listener, and all of them end', async () => {
    const brokers = Array.from({ length: 20 }, () => rig.broker({ port: 1 }).broker);
    const ends = brokers.map((broker) => broker.shutdownOn(ONE));
    expect(process.listenerCount(ONE)).toBe((nobody[0] ?? 0) + 1);
    ends[0]?.cancel();
    process.emit(ONE);
    expect(ends.map(({ active }) => active)).not.toContain(true);
    const outcomes = brokers
      .slice(1)
      .map((broker) => broker.connect().then(String, (error: unknown) => (error as BrokerError).code));
    expect(new Set(await Promise.all(outcomes))).toEqual(new Set(['CONNECT_ABORTED']));
    await expect(brokers[0]?.connect()).rejects.toMatchObject({ code: 'TCP_REFUSED' });
  });

  it.each<[string, (ends: ShutdownSignals, broker: Broker) => unknown]>([
    [
      'cancel()',
      (ends) => {
        ends.cancel();
      },
    ],
    [
      'cancel() twice',
      (ends) => {
        ends.cancel();
        ends.cancel();
      },
    ],
    ['using', (ends) => ends[Symbol.dispose]()],
    ['halt()', (_, broker) => broker.halt()],
    ['await using', (_, broker) => broker[Symbol.asyncDispose]()],
  ])('%s ends the waiting', async (_, end) => {
    const { broker } = rig.broker({ port: 1 });
    const ends = broker.shutdownOn(ONE, OTHER);
    await end(ends, broker);
    expect(ends.active).toBe(false);
    expect(listeners()).toEqual(nobody);
  });

  it.each(['SIGKILL', 'SIGSTOP', 'SIGSEGV', 'sigterm', 'SIGTERN', 'TERM', '', '__proto__', 15, undefined, Symbol('x')])(
    'refuses %s, and listens to nothing',
    (name) => {
      const { broker } = rig.broker({ port: 1 });
      const bad = () => broker.shutdownOn(ONE, name as NodeJS.Signals);
      expect(bad).toThrow(expect.objectContaining({ code: 'USAGE_SIGNAL_NAME' }));
      expect(bad).toThrow(/shutdownOn\(\) was given/);
    },
  );

  it('refuses no name at all, and a halted broker', () => {
    const { broker } = rig.broker({ port: 1 });
    expect(() => broker.shutdownOn()).toThrow(expect.objectContaining({ code: 'USAGE_SIGNAL_NAME' }));
    expect(() => broker.shutdownOn('SIGTERN' as never)).toThrow('SIGTERM');
    broker.halt();
    expect(() => broker.shutdownOn(ONE)).toThrow(expect.objectContaining({ code: 'BROKER_HALTED' }));
  });
});
