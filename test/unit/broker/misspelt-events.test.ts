import { describe, expect, it, vi } from 'vitest';
import { Broker, COMPONENT } from 'xmpp-broker';

function logged() {
  const warn = vi.fn<(facts: object, message: string) => void>();
  const nothing = () => undefined;
  const logger = { debug: nothing, info: nothing, warn, error: warn };
  const broker: Broker<Record<string, unknown>> = new Broker({
    connectionType: COMPONENT,
    host: '127.0.0.1',
    port: 1,
    domain: 'a.example',
    password: 'secret',
    logger,
  });
  return { broker, messages: () => warn.mock.calls.map(([, message]) => message) };
}

/** As plain JavaScript gives it. */
const misspelt: string = 'PCJ_REDY';

describe('F: a misspelt status event is told at run time', () => {
  it.each([
    ['PCJ_REDY', 'did you mean PCJ_READY?'],
    ['PJC_READY', 'did you mean PCJ_READY?'],
    ['pcj_ready', 'did you mean PCJ_READY?'],
    ['PCJREADY', 'did you mean PCJ_READY?'],
    ['READY', 'did you mean PCJ_READY?'],
    ['RTS_FINISH', 'did you mean PCJ_RTS_FINISH?'],
    ['PCJ_NODERECIEVED', 'did you mean PCJ_NODERECEIVED?'],
    ['PCJ_SOMETHING_ELSE', 'docs/events.md lists them'],
  ])('%s: %s', (event, hint) => {
    const { broker, messages } = logged();
    const text = `a handler is subscribed to "${event}", which is no status event: ${hint}`;
    broker.subscribe(event, () => undefined);
    broker.subscribe(event, () => undefined);
    expect(messages()).toEqual([text]);
    broker.halt();
  });

  it.each([
    ['once', (broker: Broker) => void broker.events.once(misspelt)],
    ['iterate', (broker: Broker) => void broker.events.iterate(misspelt)],
  ])('%s tells, too', (_, call) => {
    const { broker, messages } = logged();
    call(broker);
    expect(messages()).toHaveLength(1);
    broker.halt();
  });

  it.each(['PCJ_READY', 'door', 'ready', 'pcap', 'cpu', 'PC', '', '__proto__', 'constructor', 'match #1 /iq'])(
    'nothing is said of %j',
    (event) => {
      const { broker, messages } = logged();
      broker.subscribe(event, () => undefined);
      expect(messages()).toEqual([]);
      broker.halt();
    },
  );

  it('nothing is said of what the program publishes', () => {
    const { broker, messages } = logged();
    broker.events.publish('pcj_ready');
    broker.subscribe('pcj_ready', () => undefined);
    broker.filters.add('READY', '/message');
    broker.subscribe('READY', () => undefined);
    expect(messages()).toEqual([]);
    broker.halt();
  });
});
