import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  Connection,
  HANDLED,
  JABBER_NS,
  JabberNode,
  NS,
  xml,
  XMPP,
  type ConnectionOptions,
  type Registration,
} from 'xmpp-broker';
import { Beats } from '../../../src/jabber-connection/beats.js';
import { Handlers } from '../../../src/jabber-connection/handlers.js';
import { Inbox } from '../../../src/jabber-connection/inbox.js';

describe('handlers', () => {
  const message = JabberNode.of(xml('message'));

  it('are called in the order of registration, for their own element only', async () => {
    const handlers = new Handlers();
    const called: string[] = [];
    handlers.add('message', () => void called.push('first'));
    handlers.add('presence', () => void called.push('other'));
    handlers.add('message', () => void called.push('second'));
    await handlers.dispatch(message);
    await handlers.dispatch(JabberNode.of(xml('p:message', { 'xmlns:p': 'u:p' })));
    expect(called).toEqual(['first', 'second']);
  });

  it('HANDLED stops the rest, for this node', async () => {
    const handlers = new Handlers();
    const rest = vi.fn();
    handlers.add('message', (node) => (node === message ? HANDLED : undefined));
    handlers.add('message', rest);
    await handlers.dispatch(message);
    expect(rest).not.toHaveBeenCalled();
    await handlers.dispatch(JabberNode.of(xml('message')));
    expect(rest).toHaveBeenCalledOnce();
  });

  it('a parcel is handed on; an empty return keeps it', async () => {
    const handlers = new Handlers();
    const seen: unknown[] = [];
    for (const returned of [undefined, 'a', undefined, null, false, 0, '', { b: 1 }, Promise.resolve('c'), undefined]) {
      handlers.add('message', (_, parcel) => {
        seen.push(parcel);
        return returned;
      });
    }
    await handlers.dispatch(message);
    expect(seen).toEqual([undefined, undefined, 'a', 'a', 'a', 'a', 'a', 'a', { b: 1 }, 'c']);
  });

  it('what is cancelled is called no more; what is going on goes on', async () => {
    const handlers = new Handlers();
    const second = vi.fn();
    const registered: Registration[] = [];
    registered.push(
      handlers.add('message', () => {
        for (const one of registered) one.cancel();
      }),
      handlers.add('message', second),
    );
    await handlers.dispatch(message);
    await handlers.dispatch(message);
    expect(second).toHaveBeenCalledOnce();
    registered[0]?.[Symbol.dispose]();
  });

  it.each<[unknown, unknown]>([
    ['', () => undefined],
    [7, () => undefined],
    ['message', 'fn'],
    ['message', undefined],
  ])('bad arguments %j, %o', (tag, handler) => {
    expect(() => new Handlers().add(tag as string, handler as never)).toThrow(
      expect.objectContaining({ code: 'USAGE_HANDLER' }),
    );
  });
});

describe('beats', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('[X] are exact: every 3 s is every 3 s, and 7 is 7', async () => {
    const beats = new Beats();
    const [three, seven] = [vi.fn(), vi.fn()];
    beats.add(3, three);
    beats.add(7, seven);
    beats.begin(vi.fn());
    await vi.advanceTimersByTimeAsync(21_000);
    expect([three.mock.calls.length, seven.mock.calls.length]).toEqual([7, 3]);
    beats.end();
    await vi.advanceTimersByTimeAsync(21_000);
    expect(three).toHaveBeenCalledTimes(7);
  });

  it('fractions are allowed, and so is adding and cancelling on the way', async () => {
    const beats = new Beats();
    beats.begin(vi.fn());
    const half = vi.fn();
    const registered = beats.add(0.5, half);
    await vi.advanceTimersByTimeAsync(1_600);
    registered.cancel();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(half).toHaveBeenCalledTimes(3);
  });

  it('begin anew after the end', async () => {
    const beats = new Beats();
    const beat = vi.fn();
    beats.add(1, beat);
    for (let round = 1; round <= 2; round += 1) {
      beats.begin(vi.fn());
      await vi.advanceTimersByTimeAsync(1_500);
      beats.end();
      expect(beat).toHaveBeenCalledTimes(round);
    }
  });

  it('one that takes long is not called again meanwhile, nor in a burst afterwards', async () => {
    const beats = new Beats();
    const beat = vi.fn(() => new Promise((resolve) => setTimeout(resolve, 3_500)));
    beats.add(1, beat);
    beats.begin(vi.fn());
    await vi.advanceTimersByTimeAsync(4_600);
    expect(beat).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(500);
    expect(beat).toHaveBeenCalledTimes(2);
    beats.end();
  });

  it('one that fails is told, and ends', async () => {
    const beats = new Beats();
    const failed = vi.fn();
    const error = new Error('beat');
    beats.add(1, () => {
      throw error;
    });
    beats.begin(failed);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(failed.mock.calls).toEqual([[error]]);
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, 3e6, '5', undefined])(
    '[X] a period of %j is refused',
    (seconds) => {
      expect(() => new Beats().add(seconds as number, () => undefined)).toThrow(
        expect.objectContaining({ code: 'USAGE_BEAT' }),
      );
      expect(() => new Beats().add(1, 'fn' as never)).toThrow(expect.objectContaining({ code: 'USAGE_BEAT' }));
    },
  );
});

describe('the inbox', () => {
  it('keeps the order, tells what was handled, and ends behind what is there', async () => {
    const inbox = new Inbox(10);
    const first = inbox.push(xml('a'));
    void inbox.push(xml('b'));
    inbox.end();
    await inbox.wait(0);
    const taken = [inbox.take()!, inbox.take()!];
    expect(taken.map(({ stanza }) => stanza.localName)).toEqual(['a', 'b']);
    expect([inbox.take(), inbox.goesOn()]).toEqual([undefined, false]);
    taken[0]!.handled();
    await first;
  });

  it('what ended it is thrown once, behind what is there', async () => {
    const inbox = new Inbox(10);
    void inbox.push(xml('a'));
    const error = new Error('end');
    inbox.end(error);
    await inbox.wait(0);
    expect(inbox.take()).toBeDefined();
    expect(() => inbox.goesOn()).toThrow(error);
    expect(inbox.goesOn()).toBe(false);
  });

  it('a time that no timer can wait is no time limit', async () => {
    const inbox = new Inbox(1);
    let over = false;
    const waiting = inbox.wait(2 ** 31).then(() => {
      over = true;
    });
    // A timer that is set to more than it can wait fires after 1 ms.
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(over).toBe(false);
    inbox.end();
    await waiting;
  });

  it('is bounded', () => {
    const inbox = new Inbox(1);
    void inbox.push(xml('a'));
    expect(() => inbox.push(xml('b'))).toThrow(expect.objectContaining({ code: 'CONNECTION_INBOX_FULL' }));
  });

  it('a failure is thrown once', async () => {
    const inbox = new Inbox(1);
    const waiting = inbox.wait(Number.POSITIVE_INFINITY);
    const error = new Error('x');
    inbox.fail(error);
    inbox.fail(new Error('y'));
    await expect(waiting).rejects.toBe(error);
    await inbox.wait(0);
  });
});

describe('options', () => {
  const make = (options: unknown) => new Connection({ logger: false, ...(options as ConnectionOptions) });

  it.each([
    ['localhost', 'localhost', 5222, 'localhost'],
    ['localhost:5347', 'localhost', 5347, 'localhost'],
    ['127.0.0.1:1', '127.0.0.1', 1, '127.0.0.1'],
    ['[::1]:5222', '::1', 5222, '[::1]'],
    ['[::1]', '::1', 5222, '[::1]'],
    ['::1', '::1', 5222, '[::1]'],
  ])('server %s', (server, host, port, domain) => {
    const { config } = make({ server }).broker;
    expect([config.host, config.port, config.domain]).toEqual([host, port, domain]);
  });

  it('localname is the domain, and ns decides the dialect', () => {
    const client = make({ server: 'h', localname: 'example.org' }).broker.config;
    expect([client.domain, client.connectionType.name, client.reconnect]).toEqual(['example.org', 'LEGACY', false]);
    const component = make({ server: 'h:5347', ns: NS.COMPONENT_ACCEPT }).broker.config;
    expect(component.connectionType.name).toBe('JABBERD14_COMPONENT');
    expect(make({ server: 'h', dialect: XMPP }).broker.config.connectionType.name).toBe('XMPP');
  });

  it.each([
    [{}, 'server is missing'],
    [{ server: '' }, "server must be 'host', 'host:port' or"],
    [{ server: 'h:0' }, 'server'],
    [{ server: 'h:99999' }, 'server'],
    [{ server: 'h:5222:1' }, 'server'],
    [{ server: '[x]:1' }, 'server'],
    [{ server: 'h', ns: 'jabber:server' }, 'ns must be'],
    [{ server: 'h', localname: 7 }, 'localname'],
    [{ server: 'h', log: 'yes' }, 'log'],
    [{ server: 'h', inboxLimit: 0 }, 'inboxLimit'],
    [{ server: 'h', ssl: true }, 'ssl is no option; there are server,'],
    [{ server: 'h', username: 'alice' }, 'username is no option'],
    [{ server: 'h', tls: { policy: 'maybe' } }, 'tls.policy must be'],
    [{ server: 'h', tls: { policy: 'direct' }, timeouts: { clsoe: 5 } }, 'did you mean timeouts.close?'],
  ])('%j is refused', (options, problem) => {
    expect(() => make(options)).toThrow(
      expect.objectContaining({ code: 'USAGE_CONNECTION', message: expect.stringContaining(problem) as string }),
    );
  });

  it('every problem at once; and no options at all', () => {
    expect(() => make({ server: 7, ns: 'x', log: 1, limits: { depth: 0 } })).toThrow(
      /4 problems:[\s\S]*server[\s\S]*log[\s\S]*limits[\s\S]*ns must/,
    );
    expect(() => new Connection(undefined as never)).toThrow(expect.objectContaining({ code: 'USAGE_CONNECTION' }));
  });

  it('what its dialect cannot do is told by the broker', () => {
    expect(() => make({ server: 'h', tls: { policy: 'preferred' } })).toThrow(
      expect.objectContaining({ code: 'USAGE_OPTIONS' }),
    );
  });
});

describe('namespaces in groups', () => {
  it('row 75: the 36 constants, in five groups and all together', () => {
    const { stream, iq, x, misc, flags, all } = JABBER_NS;
    const groups = [stream, iq, x, misc, flags].map((group) => Object.keys(group).length);
    expect(groups).toEqual([3, 18, 8, 6, 1]);
    expect(Object.keys(all)).toHaveLength(36);
    expect(stream.NS_ACCEPT).toBe('jabber:component:accept');
    expect(iq.NS_AUTH_0K).toBe('jabber:iq:auth:0k');
    expect(iq.NS_RPC).toBe('jabber:iq:rpc');
    expect(x.NS_XOOB).toBe('jabber:x:oob');
    expect(misc).toEqual({
      NS_VCARD: 'vcard-temp',
      NS_XHTML: 'http://www.w3.org/1999/xhtml',
      IQ_GET: 'get',
      IQ_SET: 'set',
      IQ_ERROR: 'error',
      IQ_RESULT: 'result',
    });
    expect(flags.r_HANDLED).toBe(HANDLED);
    expect(Object.isFrozen(iq)).toBe(true);
  });
});
