import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { NS, parse, xml, type BrokerError, type Element, type Logger } from 'xmpp-broker';
import { Answerer, type AnswererParts, type AnswerHandler } from '../../../src/broker/answerer.js';
import { RunningCalls } from '../../../src/pubsub/running-calls.js';
import { Ticket } from '../../../src/queue/ticket.js';

const ask = (id: string, type = "type='get'", payload = "<q xmlns='urn:a'/>"): Element =>
  parse(`<iq xmlns='jabber:client' ${type} id='${id}' from='a@b'>${payload}</iq>`);

/** What answers, with a link that is there or not, and what it said. */
function answerer(answerRequests = true) {
  const said: string[] = [];
  const faults: { error: BrokerError; event: string }[] = [];
  const logger: Logger = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
  const lifecycle = { state: 'ready' };
  const outbox = {
    output: (answer: Element): Ticket => {
      const error = answer.getChild('error')?.firstElementChild?.localName;
      const what = error ?? answer.firstElementChild?.localName ?? 'nothing';
      said.push(`${answer.getAttribute('id') ?? ''}: ${what}`);
      return new Ticket(1, answer.toString(), NS.CLIENT);
    },
  };
  const running = new RunningCalls();
  const status = {
    running,
    onHandlerError: (error: BrokerError, event: string) => faults.push({ error, event }),
  };
  const config = { answerRequests, timeouts: { request: 1_000 }, queue: { maxBytes: 1e6 } };
  const parts = { config, status, outbox, lifecycle, logger } as unknown as AnswererParts;
  const made = new Answerer(parts);
  return {
    ...{ said, faults, logger, lifecycle, outbox, running },
    answerer: made,
    answer: (type: 'get' | 'set', namespace: string, handler: unknown, options = {}, name?: string) =>
      made.register(type, { namespace, name }, handler as AnswerHandler, options),
    /** A request arrives, and its handlers have seen it. */
    arrive: (iq: Element, ...pending: Promise<void>[]): Promise<void> | null => {
      const open = made.arrived(iq);
      return open === null ? null : made.delivered(open, pending);
    },
  };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('answers', () => {
  it('go out in the order of their requests, those that nobody handles, too', () => {
    const { said, answer, arrive } = answerer();
    answer('get', 'urn:a', () => xml('r', { xmlns: 'urn:a' }));
    void arrive(ask('1', "type='set'"));
    void arrive(ask('2'));
    void arrive(ask('3', "type='wrong'"));
    void arrive(ask('4', ''));
    void arrive(ask('5', "type='get'", ''));
    void arrive(ask('6', "type='get'", "<q xmlns=''/>"));
    expect(said).toEqual([
      '1: service-unavailable',
      '2: r',
      '3: bad-request',
      '4: bad-request',
      '5: service-unavailable',
      '6: service-unavailable',
    ]);
  });

  it.each([[null], [undefined], [false]])('a handler that returns %s answers with nothing', (given) => {
    const { said, faults, answer, arrive } = answerer();
    answer('get', 'urn:a', () => given);
    void arrive(ask('1'));
    expect(said).toEqual(['1: nothing']);
    expect(faults).toEqual([]);
  });

  it.each([['done'], [7], [true], [{}], [[]]])('a handler that returns %j is told that this is no payload', (given) => {
    const { said, faults, answer, arrive } = answerer();
    answer('get', 'urn:a', () => given);
    void arrive(ask('1'));
    expect(said).toEqual(['1: internal-server-error']);
    expect(faults).toEqual([
      { error: expect.objectContaining({ code: 'USAGE_ANSWER' }) as Error, event: "answer get <q xmlns='urn:a'>" },
    ]);
  });

  it('a ping that asks is answered by itself, and one that sets is none', () => {
    const { said, answerer: made, arrive } = answerer();
    const ping = (id: string, type: string) => ask(id, `type='${type}'`, "<ping xmlns='urn:xmpp:ping'/>");
    void arrive(ping('1', 'get'));
    void arrive(ping('2', 'set'));
    expect(said).toEqual(['1: nothing', '2: service-unavailable']);
    expect([made.answers(ping('3', 'get')), made.answers(ping('4', 'set'))]).toEqual([true, false]);
  });

  it('the handler of a name comes before that of its namespace', () => {
    const { said, answer, arrive } = answerer();
    answer('get', 'urn:a', () => xml('any', { xmlns: 'urn:a' }));
    answer('get', 'urn:a', () => xml('named', { xmlns: 'urn:a' }), {}, 'q');
    void arrive(ask('1'));
    void arrive(ask('2', "type='get'", "<other xmlns='urn:a'/>"));
    expect(said).toEqual(['1: named', '2: any']);
    const taken = (name?: string) => () => answer('get', 'urn:a', () => null, {}, name);
    expect(taken('q')).toThrow('get requests with <q/> of urn:a are answered already');
    expect(taken()).toThrow('get requests with any payload of urn:a are answered already');
  });

  it('a handler is withdrawn once, and never one that came after it', () => {
    const { said, answerer: made, answer, arrive } = answerer();
    const first = answer('get', 'urn:a', () => xml('first', { xmlns: 'urn:a' }));
    first.cancel();
    answer('get', 'urn:a', () => xml('second', { xmlns: 'urn:a' }));
    first.cancel();
    answer('get', 'urn:b', () => null, { signal: AbortSignal.abort() });
    expect(made.namespaces).toEqual(['urn:a']);
    void arrive(ask('1'));
    expect(said).toEqual(['1: second']);
  });

  it('nothing is owed by who answers no requests', () => {
    const { said, answerer: made, answer, arrive } = answerer(false);
    expect(made.namespaces).toEqual([]);
    void arrive(ask('1'));
    answer('get', 'urn:b', () => null);
    void arrive(ask('2'));
    expect([made.arrived(ask('3')), made.answers(ask('4'))]).toEqual([null, false]);
    expect(said).toEqual([]);
  });
});

describe('without a link', () => {
  it('an answer waits for the session to be resumed, and the first one counts', () => {
    const { said, lifecycle, answerer: made, answer, arrive } = answerer();
    answer('get', 'urn:a', () => {
      lifecycle.state = 'waiting';
      return xml('r', { xmlns: 'urn:a' });
    });
    void arrive(ask('1'));
    expect(said).toEqual([]);
    lifecycle.state = 'ready';
    made.ready();
    expect(said).toEqual(['1: r']);
    made.ready();
    expect(said).toHaveLength(1);
  });

  it('it is nobody’s in a new session', () => {
    const { said, lifecycle, answerer: made, answer, arrive } = answerer();
    made.newSession();
    answer('get', 'urn:a', () => null);
    lifecycle.state = 'waiting';
    void arrive(ask('1'));
    made.newSession();
    lifecycle.state = 'ready';
    made.ready();
    expect(said).toEqual([]);
  });

  it('B8: the oldest of too many requests is not answered', () => {
    const { said, lifecycle, answerer: made } = answerer();
    for (let id = 0; id < 1_000; id += 1) made.arrived(ask(String(id)));
    lifecycle.state = 'closing';
    made.arrived(ask('1000'));
    expect(said).toEqual([]);
    lifecycle.state = 'ready';
    made.arrived(ask('1001'));
    expect(said).toEqual(['1: resource-constraint']);
  });

  it('what cannot be sent is told to the log', () => {
    const { logger, outbox, arrive } = answerer();
    outbox.output = () => {
      throw new Error('full');
    };
    void arrive(ask('1'));
    expect(logger.warn).toHaveBeenCalledWith(
      expect.objectContaining({ id: '1', from: 'a@b' }),
      'an iq request could not be answered',
    );
  });
});

describe('time', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('a handler has so long; what it returns behind that counts no more', async () => {
    const { said, answer, arrive } = answerer();
    let settle: (payload: Element) => void = () => undefined;
    answer('get', 'urn:a', () => new Promise<Element>((resolve) => (settle = resolve)));
    const done = arrive(ask('1'));
    vi.advanceTimersByTime(999);
    expect(said).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(said).toEqual(['1: resource-constraint']);
    settle(xml('r', { xmlns: 'urn:a' }));
    await done;
    expect(said).toHaveLength(1);
  });

  it('a handler that asks for more time answers later, and not by what it returns', async () => {
    const { said, answerer: made, answer, arrive } = answerer();
    answer('get', 'urn:a', (_: Element, iq: Element) => {
      made.later(iq, 5_000);
      made.later(iq, 10_000);
      return null;
    });
    void arrive(ask('1'));
    vi.advanceTimersByTime(9_999);
    await turn();
    expect(said).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(said).toEqual(['1: service-unavailable']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('somebody else is asked also where nobody has to see to it, and told when the time is over', () => {
    const { said, answerer: made } = answerer(false);
    const unanswered = vi.fn();
    made.elsewhere(ask('1'), 10, unanswered);
    vi.advanceTimersByTime(10);
    expect(unanswered).toHaveBeenCalledOnce();
    expect(said).toEqual(['1: service-unavailable']);
  });

  it('a request is refused when all of its handlers are done', async () => {
    const { said, arrive } = answerer();
    void arrive(ask('1'), Promise.resolve(), Promise.reject(new Error('no')));
    expect(said).toEqual([]);
    await turn();
    expect(said).toEqual(['1: service-unavailable']);
  });
});

it('a handler that ends the broker is not waited for, and its failure is told all the same', async () => {
  const { faults, running, answer, arrive } = answerer();
  answer('get', 'urn:a', () => {
    running.endAsked();
    return Promise.reject(new Error('oops'));
  });
  const done = arrive(ask('1'));
  expect(running.size).toBe(0);
  await done;
  expect(faults).toEqual([{ error: new Error('oops'), event: "answer get <q xmlns='urn:a'>" }]);
});
