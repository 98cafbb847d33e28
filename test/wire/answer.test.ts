import { describe, expect, it, vi } from 'vitest';
import { serveDisco, reply, StanzaError, xml, type BrokerError, type Element, type Logger } from 'xmpp-broker';
import type { Conversation } from './support/conversation.js';
import { COMPONENT, DOMAIN } from './support/component.js';
import { useRig } from './support/rig.js';

const rig = useRig(COMPONENT);

const ask = (id: string, type = 'get', payload = "<q xmlns='urn:a'/>", from = 'a@b'): string =>
  `<iq type='${type}' id='${id}' from='${from}' to='${DOMAIN}'>${payload}</iq>`;

/** The answers up to that of a request that nobody knows, which comes last. */
async function answersUntilEnd(server: Conversation): Promise<string> {
  await server.send(ask('end', 'get', "<end xmlns='urn:end'/>"));
  return server.expect(/<iq[^>]* id='end'/);
}

const error = (id: string, condition: string): RegExp =>
  new RegExp(`<iq type='error' id='${id}' from='${DOMAIN}' to='a@b'><error type='\\w+'><${condition} `);

describe('answer', () => {
  it('a handler returns the payload of the result: an element or nothing', async () => {
    const { broker, server } = await rig.ready({ answerRequests: true });
    broker.answer('get', { namespace: 'urn:a', name: 'q' }, (payload, iq) =>
      xml('r', { xmlns: payload.namespaceURI, who: iq.getAttribute('from') }),
    );
    broker.answer('set', { namespace: 'urn:a' }, async () => Promise.resolve(undefined));
    await server.send(ask('1') + ask('2', 'set'));
    await server.expect(`<iq type='result' id='1' from='${DOMAIN}' to='a@b'><r xmlns='urn:a' who='a@b'/></iq>`);
    await server.expect(`<iq type='result' id='2' from='${DOMAIN}' to='a@b'/>`);
  });

  it('works without answerRequests, and answers nothing else then', async () => {
    const { broker, server } = await rig.ready();
    const seen: string[] = [];
    broker.subscribe('PCJ_NODERECEIVED', (node) => seen.push(node.getAttribute('id') ?? ''));
    broker.answer('get', { namespace: 'urn:a' }, () => xml('r', { xmlns: 'urn:a' }));
    await server.send(ask('1', 'get', "<q xmlns='urn:other'/>") + ask('2', 'set') + ask('3'));
    expect(await server.expect(/<iq[^>]* id='3'/)).not.toMatch(/id='[12]'/);
    expect(seen).toEqual(['1', '2', '3']);
  });

  it.each<[string, string, () => unknown, number]>([
    [
      'throws a StanzaError',
      'item-not-found',
      () => {
        throw new StanzaError('item-not-found', { text: 'no such thing' });
      },
      0,
    ],
    ['rejects with a StanzaError', 'forbidden', () => Promise.reject(new StanzaError('forbidden')), 0],
    [
      'throws anything else',
      'internal-server-error',
      () => {
        throw new Error('oops');
      },
      1,
    ],
    ['rejects with anything else', 'internal-server-error', () => Promise.reject(new Error('oops')), 1],
    ['returns what is no payload', 'internal-server-error', () => new Date(), 1],
    ['returns a text', 'internal-server-error', () => 'done', 1],
    ['returns several elements', 'internal-server-error', () => [xml('a'), xml('b')], 1],
    ['resolves with a text', 'internal-server-error', () => Promise.resolve('done'), 1],
    ['returns a whole iq', 'internal-server-error', () => xml('iq', { type: 'result', id: '1' }), 1],
    ['never settles', 'resource-constraint', () => new Promise(() => undefined), 0],
  ])('one answer when the handler %s', async (_, condition, act, faults) => {
    const { broker, server } = await rig.ready({ answerRequests: true });
    const failed = vi.fn();
    broker.subscribe('PCJ_HANDLERERROR', failed);
    broker.answer('get', { namespace: 'urn:a' }, act as () => Element, { timeout: 50 });
    await server.send(ask('1'));
    await server.expect(error('1', condition));
    expect(await answersUntilEnd(server)).not.toContain("id='1'");
    expect(failed).toHaveBeenCalledTimes(faults);
    if (faults > 0) expect(failed.mock.calls[0]?.[0]).toMatchObject({ event: "answer get <q xmlns='urn:a'>" });
  });

  it('one answer when a handler, a filter or PCJ_NODERECEIVED answers by itself', async () => {
    const { broker, server } = await rig.ready({ answerRequests: true });
    broker.answer('get', { namespace: 'urn:a' }, async (_, iq) => {
      broker.output(reply(iq, xml('own', { xmlns: 'urn:a' })));
      await Promise.resolve();
      return xml('r', { xmlns: 'urn:a' });
    });
    broker.answer('get', { namespace: 'urn:b' }, () => xml('r', { xmlns: 'urn:b' }));
    broker.match('/iq/b:q', ({ node }) => void broker.output(reply(node, xml('matched', { xmlns: 'urn:b' }))), {
      namespaces: { b: 'urn:b' },
    });
    await server.send(ask('1') + ask('2', 'get', "<q xmlns='urn:b'/>"));
    const answers = await answersUntilEnd(server);
    expect(answers.match(/id='[12]'/g)).toHaveLength(2);
    expect(answers).toContain('<own');
    expect(answers).toContain('<matched');
  });

  it('an answer never goes out on the next link of a component', async () => {
    const { broker, server, peer } = await rig.ready({ answerRequests: true });
    const done: (() => void)[] = [];
    broker.answer('get', { namespace: 'urn:a' }, () => new Promise((resolve) => done.push(() => resolve(undefined))));
    await server.send(ask('1'));
    await expect.poll(() => done.length === 1).toBe(true);
    const again = broker.reconnect();
    await server.expect('</stream:stream>');
    await server.send('</stream:stream>');
    const next = await peer.accept();
    await COMPONENT.letIn(next);
    await again;
    done[0]?.();
    expect(await answersUntilEnd(next)).not.toContain("id='1'");
    expect(broker.queue.size).toBe(0);
  });

  it('is withdrawn by cancel(), by dispose and by a signal; each kind is answered once', async () => {
    const { broker, server } = await rig.ready({ answerRequests: true });
    const signal = new AbortController();
    const register = (namespace: string, options = {}) =>
      broker.answer('get', { namespace }, () => xml('r', { xmlns: namespace }), options);
    const first = register('urn:a');
    expect(() => register('urn:a')).toThrow(expect.objectContaining({ code: 'USAGE_ANSWER_TAKEN' }) as Error);
    register('urn:b', { signal: signal.signal });
    expect(broker.answers).toEqual(['urn:a', 'urn:b']);
    first.cancel();
    signal.abort();
    expect(broker.answers).toEqual([]);
    await server.send(ask('1') + ask('2', 'get', "<q xmlns='urn:b'/>"));
    await server.expect(error('1', 'service-unavailable'));
    await server.expect(error('2', 'service-unavailable'));
  });

  it.each<[unknown[]]>([
    [['result', { namespace: 'a' }, () => null]],
    [['get', 'urn:a', () => null]],
    [['get', { namespace: '' }, () => null]],
    [['get', { namespace: 'a', name: 1 }, () => null]],
    [['get', { namespace: 'a', nmae: 'q' }, () => null]],
    [['get', { namespace: 'a' }, 'handler']],
    [['get', { namespace: 'a' }, () => null, { timeout: 0 }]],
    [['get', { namespace: 'a' }, () => null, { tiemout: 1 }]],
  ])('USAGE_ANSWER: %j', async (args) => {
    const { broker } = rig.broker(await rig.listen());
    const answer = broker.answer.bind(broker) as (...given: unknown[]) => unknown;
    expect(() => answer(...args)).toThrow(expect.objectContaining({ code: 'USAGE_ANSWER' }) as Error);
  });
});

describe('requests that nobody answers', () => {
  it('B8: of more than a thousand open requests, the oldest is answered with resource-constraint; each gets one answer', async () => {
    const { broker, server } = await rig.ready({ answerRequests: true });
    const done: (() => void)[] = [];
    broker.subscribe('PCJ_NODERECEIVED', () => new Promise<void>((resolve) => done.push(resolve)));
    const count = 1_100;
    for (let k = 0; k < count; k++) await server.send(ask(`r${String(k)}`));
    await expect.poll(() => done.length === count).toBe(true);
    for (const resolve of done) resolve();
    const text = await server.expect(new RegExp(`id='r${String(count - 1)}'[^]*?</iq>`));
    const answers = [...text.matchAll(/<iq type='error' id='(r\d+)'[^>]*><error type='\w+'><([\w-]+)/g)];
    expect(new Set(answers.map(([, id]) => id)).size).toBe(count);
    expect(answers).toHaveLength(count);
    expect(answers.filter(([, , condition]) => condition === 'resource-constraint').map(([, id]) => id)).toEqual(
      Array.from({ length: 100 }, (_, k) => `r${String(k)}`),
    );
  });

  it('B9: an answer behind the broker’s own is told, with what it answers', async () => {
    const warn = vi.fn();
    const logger: Logger = { debug: vi.fn(), info: vi.fn(), warn, error: vi.fn() };
    const { broker, server } = await rig.ready({ answerRequests: true, logger });
    let node: Element | null = null;
    broker.subscribe('PCJ_NODERECEIVED', (stanza) => {
      node ??= stanza;
    });
    await server.send(ask('1'));
    await server.expect(error('1', 'service-unavailable'));
    broker.output(reply(node as unknown as Element));
    expect(warn).toHaveBeenCalledWith(
      expect.objectContaining({ id: '1', from: 'a@b', payload: 'q', namespace: 'urn:a' }),
      expect.stringContaining('answerLater'),
    );
  });

  it('B9: answerLater keeps the broker’s own answer back, for so long', async () => {
    const { broker, server } = await rig.ready({ answerRequests: true });
    const kept: Element[] = [];
    broker.subscribe('PCJ_NODERECEIVED', (stanza) => {
      if (stanza.firstElementChild?.namespaceURI !== 'urn:a') return;
      kept.push(stanza);
      broker.answerLater(stanza, { within: kept.length === 1 ? 10_000 : 50 });
    });
    await server.send(ask('1') + ask('2'));
    await server.expect(error('2', 'service-unavailable'));
    expect(await answersUntilEnd(server)).not.toContain("id='1'");
    broker.output(reply(kept[0] as Element));
    await server.expect(`<iq type='result' id='1'`);
    const refused = (work: () => void): string => {
      try {
        work();
      } catch (caught) {
        return (caught as BrokerError).code;
      }
      return 'none';
    };
    expect(refused(() => broker.answerLater(kept[0] as Element))).toBe('USAGE_ANSWER');
    expect(refused(() => broker.answerLater(xml('iq')))).toBe('USAGE_ANSWER');
    expect(refused(() => broker.answerLater(kept[1] as Element, { within: -1 }))).toBe('USAGE_ANSWER');
  });
});

describe('serveDisco', () => {
  it('tells identities, features that are answered, and items; caps are those of XEP-0115 §5.2', async () => {
    const { broker, server } = await rig.ready({ answerRequests: true });
    const disco = serveDisco(broker, {
      identities: [{ category: 'client', type: 'pc', name: 'Exodus 0.9.1' }],
      features: ['http://jabber.org/protocol/muc'],
      items: () => [{ jid: `room.${DOMAIN}`, name: 'a room' }],
      node: 'http://code.google.com/p/exodus',
    });
    broker.answer('get', { namespace: 'urn:a' }, () => null);
    expect(disco.features).toContain('urn:a');
    const info = (id: string, node = '') =>
      ask(id, 'get', `<query xmlns='http://jabber.org/protocol/disco#info'${node}/>`);
    await server.send(info('1') + ask('2', 'get', "<query xmlns='http://jabber.org/protocol/disco#items'/>"));
    const answer = await server.expect(/<iq[^>]* id='1'.*?<\/iq>/);
    expect(answer).toContain("<identity category='client' type='pc' name='Exodus 0.9.1'/>");
    for (const feature of disco.features) expect(answer).toContain(`<feature var='${feature}'/>`);
    await server.expect(`<item jid='room.${DOMAIN}' name='a room'/>`);
    const ver = disco.caps().getAttribute('ver') ?? '';
    await server.send(info('3', ` node='http://code.google.com/p/exodus#${ver}'`) + info('4', " node='other'"));
    await server.expect(`node='http://code.google.com/p/exodus#${ver}'><identity`);
    await server.expect(error('4', 'item-not-found'));
    disco.cancel();
    await server.send(info('5'));
    await server.expect(error('5', 'service-unavailable'));
  });

  it.each([
    [{}],
    [{ identities: [] }],
    [{ identities: [{ category: 'client' }] }],
    [{ identities: [{ category: 'a', type: 'b' }], features: 'urn:a' }],
    [{ identities: [{ category: 'a', type: 'b' }], items: [{}] }],
    [{ identities: [{ category: 'a', type: 'b' }], node: 'a#b' }],
  ])('USAGE_DISCO: %j', async (options) => {
    const { broker } = rig.broker(await rig.listen());
    expect(() => serveDisco(broker, options as unknown as Parameters<typeof serveDisco>[1])).toThrow(
      expect.objectContaining({ code: 'USAGE_DISCO' }) as Error,
    );
    expect(broker.answers).toEqual([]);
  });

  it('a misspelt name in a list is told with the names that are there', async () => {
    const { broker } = rig.broker(await rig.listen());
    const identities = [{ category: 'client', typ: 'bot' }] as never;
    expect(() => serveDisco(broker, { identities })).toThrow(/without an object that has category, typ$/);
  });
});

describe('match', () => {
  it('is filter and handler in one, until it is cancelled, aborted or disposed of', async () => {
    const { broker, server } = await rig.ready();
    const seen: string[] = [];
    const abort = new AbortController();
    const body = broker.match('/message/body', ({ nodes, node }) => {
      seen.push(`${nodes[0]?.textContent ?? ''} to ${node.getAttribute('to') ?? ''}`);
      if (seen.length === 3) body.cancel();
    });
    broker.match('/message[@id=$id]', () => seen.push('by id'), { variables: { id: 'x' }, signal: abort.signal });
    const message = `<message from='a@b' to='${DOMAIN}' id='x'><body>hi</body></message>`;
    await server.send(message + message + message);
    await expect.poll(() => seen.length === 5).toBe(true);
    expect(seen).toEqual([`hi to ${DOMAIN}`, 'by id', `hi to ${DOMAIN}`, 'by id', 'by id']);
    expect(body.filter).toMatchObject({ state: 'removed', expression: '/message/body' });
    abort.abort();
    expect(broker.filters.size).toBe(0);
    expect(broker.events.listing().filter(({ event }) => event.startsWith('match'))).toEqual([]);
  });

  it('two handlers of one expression are two, and an error names the expression', async () => {
    const { broker, server } = await rig.ready();
    const failed = vi.fn();
    broker.subscribe('PCJ_HANDLERERROR', failed);
    let calls = 0;
    for (let k = 0; k < 2; k++) {
      broker.match('/message', () => {
        calls += 1;
        throw new Error('oops');
      });
    }
    await server.send(`<message from='a@b' to='${DOMAIN}'/>`);
    await expect.poll(() => failed.mock.calls.length === 2).toBe(true);
    expect(calls).toBe(2);
    expect(failed.mock.calls[0]?.[0]).toMatchObject({
      event: expect.stringMatching(/^match #\d+ \/message$/) as string,
    });
  });

  it.each<[unknown[], string]>([
    [['/message[', () => null], 'USAGE_XPATH_SYNTAX'],
    [['/d:x', () => null], 'USAGE_XPATH_PREFIX'],
    [[7, () => null], 'USAGE_FILTER'],
    [['/x', 'handler'], 'USAGE_HANDLER'],
    [['/x', () => null, { nmespaces: {} }], 'USAGE_FILTER'],
    [['/x', () => null, { concurrency: 0 }], 'USAGE_EVENT_OPTIONS'],
  ])('refuses %j with %s, and leaves nothing behind', async (args, code) => {
    const { broker } = rig.broker(await rig.listen());
    const match = broker.match.bind(broker) as (...given: unknown[]) => unknown;
    const before = broker.events.listing();
    expect(() => match(...args)).toThrow(expect.objectContaining({ code }) as Error);
    expect(broker.events.listing()).toEqual(before);
    expect(broker.filters.size).toBe(0);
  });
});

describe('concurrency', () => {
  it('bounds the calls that are not done, and keeps their order of start', async () => {
    const { broker, server } = await rig.ready();
    const started: string[] = [];
    const done: (() => void)[] = [];
    broker.match(
      '/message',
      ({ node }) => {
        started.push(node.getAttribute('id') ?? '');
        return new Promise<void>((resolve) => done.push(resolve));
      },
      { concurrency: 2 },
    );
    await server.send(['1', '2', '3', '4'].map((id) => `<message id='${id}' from='a@b' to='${DOMAIN}'/>`).join(''));
    await expect.poll(() => started.length === 2).toBe(true);
    done[1]?.();
    await expect.poll(() => started.length === 3).toBe(true);
    expect(started).toEqual(['1', '2', '3']);
    done[0]?.();
    done[2]?.();
    await expect.poll(() => started.length === 4).toBe(true);
    expect(started).toEqual(['1', '2', '3', '4']);
  });

  it('a call that throws or rejects makes room, and is reported like any other', async () => {
    const { broker, server } = await rig.ready();
    const failed = vi.fn();
    broker.subscribe('PCJ_HANDLERERROR', failed);
    let calls = 0;
    broker.subscribe(
      'PCJ_NODERECEIVED',
      () => {
        calls += 1;
        if (calls === 1) return Promise.reject(new Error('oops'));
        throw new Error('oops');
      },
      { concurrency: 1 },
    );
    await server.send(`<message from='a@b' to='${DOMAIN}'/>`.repeat(3));
    await expect.poll(() => failed.mock.calls.length === 3).toBe(true);
    expect(calls).toBe(3);
  });

  it('a request is answered when its turn has come and gone', async () => {
    const { broker, server } = await rig.ready({ answerRequests: true });
    const done: (() => void)[] = [];
    broker.subscribe('PCJ_NODERECEIVED', () => new Promise<void>((resolve) => done.push(resolve)), { concurrency: 1 });
    await server.send(ask('1') + ask('2'));
    await expect.poll(() => done.length === 1).toBe(true);
    done[0]?.();
    await server.expect(error('1', 'service-unavailable'));
    await expect.poll(() => done.length === 2).toBe(true);
    done[1]?.();
    await server.expect(error('2', 'service-unavailable'));
  });
});
