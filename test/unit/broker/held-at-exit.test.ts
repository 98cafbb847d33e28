import { describe, expect, it } from 'vitest';
import { Broker, COMPONENT, xml, type Logger, type QueueOptions } from 'xmpp-broker';
import { MemoryStore } from 'xmpp-broker/testing';
import { tellAll } from '../../../src/broker/held-at-exit.js';

/** A broker that is never connected, and what it logs. */
function holder(queue: QueueOptions = {}): { broker: Broker; lines: string[] } {
  const lines: string[] = [];
  const line = (_: object, text?: string) => void lines.push(text ?? '');
  const logger: Logger = { debug: () => undefined, info: line, warn: line, error: line };
  const account = { connectionType: COMPONENT, jid: 'a.localhost', host: '127.0.0.1', port: 1, password: 's' };
  return { broker: new Broker({ ...account, logger, queue }), lines };
}

const message = () => xml('message', { to: 'a@b' });

describe('D4: the end of the process', () => {
  it('tells what is held, once, with one listener for all', () => {
    const listeners = process.listenerCount('exit');
    const brokers = [holder(), holder()];
    for (const { broker } of [...brokers, ...brokers]) broker.output(message());
    expect(process.listenerCount('exit')).toBeLessThanOrEqual(listeners + 1);
    tellAll();
    tellAll();
    for (const { broker, lines } of brokers) {
      expect(lines).toEqual([expect.stringMatching(/^2 stanzas are held since \d+ m?s; they end with the process$/)]);
      broker.halt();
    }
  });

  it.each<[string, (broker: Broker) => unknown]>([
    ['it was dropped', (broker) => broker.queue.drop()],
    ['the broker was halted', (broker) => broker.halt()],
  ])('says nothing when %s', (_, happens) => {
    const { broker, lines } = holder();
    broker.output(message());
    happens(broker);
    tellAll();
    expect(lines).toEqual([]);
    broker.halt();
  });

  it('says nothing again that was told when the broker came to rest', async () => {
    const { broker, lines } = holder();
    broker.output(message());
    await broker.shutdown();
    expect(lines).toHaveLength(1);
    tellAll();
    expect(lines).toHaveLength(1);
    broker.halt();
  });

  it('says nothing of what a store keeps', () => {
    const { broker, lines } = holder({ store: new MemoryStore() });
    broker.output(message());
    tellAll();
    expect(lines).toEqual([]);
    broker.halt();
  });
});
