import { describe, expect, it } from 'vitest';
import { HANDLED, JABBER_NS, NodeFactory, NS } from 'xmpp-broker';
import { message, useConnections } from '../support/connection.js';
import { failure } from '../support/index.js';

const nodes = new NodeFactory();

const { client } = useConnections();

describe('process and start', () => {
  it('process(): true after handling, true when the time is over, false at the end', async () => {
    const { connection, server } = await client();
    const seen: string[] = [];
    connection.registerHandler('message', (node) => void seen.push(node.getTag('body')?.data() ?? ''));
    expect(await connection.process(0)).toBe(true);
    expect(await connection.process(0.01)).toBe(true);
    expect(seen).toEqual([]);
    await server.send(message('1'));
    expect(await connection.process(5)).toBe(true);
    expect(seen).toEqual(['1']);
    await server.send(`${message('2')}${message('0')}</stream:stream>`);
    server.end();
    let running = true;
    while (running) running = await connection.process(5);
    expect(seen).toEqual(['1', '2', '0']);
    expect(await connection.process(5)).toBe(false);
    expect(connection.connected).toBe(false);
    expect(connection.lastError).toBeNull();
  });

  it('[X] stanzas of any size and cut come at once', async () => {
    const { connection, server } = await client();
    const sizes: number[] = [];
    connection.registerHandler('message', (node) => void sizes.push(node.toStr().length));
    const envelope = message('').length;
    await server.send(message('x'.repeat(1024 - envelope)) + message('x'.repeat(2048 - envelope)));
    while (sizes.length < 2) await connection.process(5);
    await server.sendSplit(message('y'.repeat(100)), [1]);
    while (sizes.length < 3) await connection.process(5);
    expect(sizes[1]! - sizes[0]!).toBe(1024);
  });

  it('[X] white space between stanzas, and an end without any, do no harm', async () => {
    const { connection, server } = await client();
    const seen: string[] = [];
    connection.registerHandler('message', (node) => void seen.push(node.toStr()));
    await server.send(`\n \n${message('1')}\n\n </stream:stream>`);
    server.end();
    await connection.start();
    expect(seen).toHaveLength(1);
    expect(seen[0]).not.toContain('\n');
  });

  it('start() runs until the server closes, in wire order, one handler at a time', async () => {
    const { connection, server } = await client();
    const log: string[] = [];
    connection.registerHandler('message', async (node) => {
      const body = node.getTag('body')?.data() ?? '';
      log.push(`${body} begins`);
      await new Promise((resolve) => setImmediate(resolve));
      log.push(`${body} ends`);
      return HANDLED;
    });
    connection.registerHandler('message', () => void log.push('never'));
    const running = connection.start();
    await server.send(`${message('1')}${message('2')}<presence/></stream:stream>`);
    server.end();
    await running;
    expect(log).toEqual(['1 begins', '1 ends', '2 begins', '2 ends']);
  });

  it('what arrives before a handler is there waits for it', async () => {
    const { connection, server } = await client();
    await server.send(message('early'));
    await connection.broker.events.once('PCJ_NODERECEIVED');
    const seen: string[] = [];
    connection.registerHandler('message', (node) => void seen.push(node.getTag('body')?.data() ?? ''));
    await connection.process(1);
    expect(seen).toEqual(['early']);
  });

  it('what a handler throws comes out of process() and start(); the next stanza is handled', async () => {
    const { connection, server } = await client();
    const seen: string[] = [];
    connection.registerHandler('message', (node) => {
      const body = node.getTag('body')?.data() ?? '';
      seen.push(body);
      if (body === 'bad') throw new Error('handler');
    });
    await server.send(`${message('bad')}${message('good')}</stream:stream>`);
    server.end();
    await expect(connection.process(5)).rejects.toThrow('handler');
    await connection.start();
    expect(seen).toEqual(['bad', 'good']);
  });

  it.each([
    ['[X] in the way of RFC 6120', `<conflict xmlns='${NS.STREAMS}'/>`, 'conflict'],
    ['as old text', 'replaced', 'undefined-condition'],
  ])('a stream error %s is thrown once, after what came before it', async (_, content, condition) => {
    const { connection, server } = await client();
    const seen: string[] = [];
    connection.registerHandler('message', (node) => void seen.push(node.name()));
    await server.send(`${message('1')}<stream:error>${content}</stream:error></stream:stream>`);
    server.end();
    const error = await failure(connection.start());
    expect(error).toMatchObject({ code: 'STREAM_ERROR', condition });
    expect(connection.lastError).toMatchObject({ condition });
    expect(await connection.process()).toBe(false);
    expect(seen).toEqual(['message']);
  });

  it('broken XML is thrown', async () => {
    const { connection, server } = await client();
    const running = failure(connection.start());
    await server.send('<message><body></message>');
    expect(await running).toMatchObject({ layer: 'xml' });
  });

  it('a cut link ends start(), and lastError tells why', async () => {
    const { connection, server } = await client();
    const running = connection.start();
    server.reset();
    await running;
    expect(connection.lastError).toMatchObject({ layer: 'tcp' });
  });

  it('a halted broker ends start()', async () => {
    const { connection } = await client();
    const running = connection.start();
    connection.broker.halt();
    await running;
    expect(connection.connected).toBe(false);
  });

  it('only one at a time; bad arguments', async () => {
    const { connection, server } = await client();
    const running = connection.start();
    expect(await failure(connection.process())).toMatchObject({ code: 'USAGE_PROCESS' });
    expect(await failure(connection.start())).toMatchObject({ code: 'USAGE_PROCESS' });
    for (const seconds of [-1, Number.NaN, '1']) {
      expect(await failure(connection.process(seconds as number))).toMatchObject({ code: 'USAGE_PROCESS' });
    }
    await server.send('</stream:stream>');
    server.end();
    await running;
  });

  it('an inbox that nobody empties is bounded: the connection is closed', async () => {
    const { connection, server } = await client({ inboxLimit: 5 });
    await server.send(message('x').repeat(10));
    await server.expect('</stream:stream>');
    await server.send('</stream:stream>');
    server.end();
    await connection.broker.closed;
    expect(await failure(connection.process())).toMatchObject({ code: 'CONNECTION_INBOX_FULL' });
    expect(connection.lastError).toMatchObject({ code: 'CONNECTION_INBOX_FULL' });
    expect(await connection.process()).toBe(false);
  });

  it('a request that no handler answers is answered, when asked for; one that is, is not', async () => {
    const { connection, server } = await client({ answerRequests: true });
    connection.registerHandler('iq', (node) => {
      if (node.getTag('query', JABBER_NS.iq.NS_VERSION) === undefined) return undefined;
      const answer = nodes.newNode('iq');
      answer.attr('type', 'result');
      answer.attr('id', node.attr('id') ?? '');
      connection.send(answer);
      return HANDLED;
    });
    const running = connection.start();
    await server.send(`<iq type='get' id='v'><query xmlns='jabber:iq:version'/></iq>`);
    expect(await server.expect(/<iq [^>]*id='v'[^>]*>/)).toContain("type='result'");
    await server.send(`<iq type='get' id='u'><query xmlns='u:unknown'/></iq>`);
    expect(await server.expect(/<iq .*?<\/iq>/s)).toContain('service-unavailable');
    await server.send('</stream:stream>');
    server.end();
    await running;
    expect(server.received.toString().match(/id='v'/g)).toHaveLength(1);
  });
});

describe('beats', () => {
  it('run while start() runs, and what they throw comes out of it', async () => {
    const { connection, server } = await client();
    let beats = 0;
    connection.registerBeat(0.01, () => {
      beats += 1;
      connection.send('<presence/>');
    });
    await connection.process(0.05);
    expect(beats).toBe(0);
    const running = connection.start();
    await server.expect(/<presence\/>.*<presence\/>/s);
    await server.send('</stream:stream>');
    server.end();
    await running;
    const after = beats;
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(beats).toBe(after);
    expect(beats).toBeGreaterThanOrEqual(2);
  });

  it('one that throws ends start(), not the connection', async () => {
    const { connection } = await client();
    connection.registerBeat(0.01, () => {
      throw new Error('beat');
    });
    await expect(connection.start()).rejects.toThrow('beat');
    expect(connection.connected).toBe(true);
  });
});
