import { getEventListeners, once } from 'node:events';
import { connect, createServer, Socket, type AddressInfo } from 'node:net';
import { Duplex, PassThrough, Readable, Writable } from 'node:stream';
import { describe, expect, test, vi } from 'vitest';
import { BrokerError } from '../../../src/errors.js';
import { dialThrough, type Connector } from '../../../src/dial/connector.js';
import type { Target } from '../../../src/dial/resolve.js';

const target = (host: string, port = 5222): Target => ({ host, port, tls: 'starttls', srv: null });

const failure = async (pending: Promise<unknown>): Promise<BrokerError> => {
  const error: unknown = await pending.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(BrokerError);
  return error as BrokerError;
};

describe('a connector', () => {
  test('gets the target and hands over its stream', async () => {
    const stream = new PassThrough();
    const connector = vi.fn<Connector>(() => stream);
    const connecting = vi.fn();
    const place = target('xmpp.example', 5223);
    const connected = await dialThrough(connector, [place], { onConnecting: connecting });
    expect(connected).toEqual({ socket: stream, target: place, address: null });
    expect(connector.mock.calls[0]?.[0]).toBe(place);
    expect(connecting.mock.calls).toEqual([[{ host: 'xmpp.example', port: 5223, address: null }]]);
    expect(() => stream.emit('error', new Error('late'))).not.toThrow();
  });

  test('may return a promise, and a socket that is still connecting', async () => {
    const server = createServer((socket) => socket.destroy());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    for (const connector of [() => connect(port, '127.0.0.1'), () => Promise.resolve(connect(port, '127.0.0.1'))]) {
      const { socket } = await dialThrough(connector, [target('x')]);
      expect(socket).toHaveProperty('connecting', false);
      expect([socket.listenerCount('connect'), socket.listenerCount('close')]).toEqual([0, 0]);
      socket.destroy();
    }
    server.close();
    await once(server, 'close');
    const error = await failure(dialThrough(() => connect(port, '127.0.0.1'), [target('x')]));
    expect(error).toMatchObject({ code: 'TCP_CONNECTOR', layer: 'tcp', retryable: true });
    expect(error.message).toContain('ECONNREFUSED');
  });

  test('is asked for the targets in order until one works', async () => {
    const stream = new PassThrough();
    const asked: string[] = [];
    const connector: Connector = ({ host }) => {
      asked.push(host);
      if (host === 'a') throw new Error('no proxy for a');
      if (host === 'b') return Promise.reject(new Error('no proxy for b'));
      return stream;
    };
    const { target: found } = await dialThrough(connector, [target('a'), target('b'), target('c'), target('d')]);
    expect(found.host).toBe('c');
    expect(asked).toEqual(['a', 'b', 'c']);
    const error = await failure(dialThrough(connector, [target('a'), target('b')]));
    expect(error.message).toMatch(/a:5222: .*no proxy for a.*b:5222: .*no proxy for b/);
    expect((error.cause as AggregateError).errors).toHaveLength(2);
  });

  test.each([
    ['nothing', undefined],
    ['null', null],
    ['a string', 'socket'],
    ['a readable', new Readable()],
    ['a writable', new Writable()],
    ['a closed socket', new Socket().destroy()],
    ['a stream of objects', new PassThrough({ objectMode: true })],
    ['a stream that takes objects', new PassThrough({ writableObjectMode: true })],
    ['a stream that gives objects', new PassThrough({ readableObjectMode: true })],
    ['a stream that decodes', new PassThrough({ encoding: 'utf8' })],
    ['a stream that has ended', new PassThrough().end()],
    ['an object with the right names', { on: 1, write: 1 }],
  ])('that returns %s is refused', async (_, value) => {
    const error = await failure(dialThrough(() => value as Duplex, [target('x'), target('y')]));
    expect(error).toMatchObject({ code: 'USAGE_CONNECTOR', layer: 'usage' });
  });

  test('that throws what is no error', async () => {
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- what a user's function may do
    const error = await failure(dialThrough(() => Promise.reject('text'), [target('x')]));
    expect(error).toMatchObject({ code: 'TCP_CONNECTOR' });
  });

  test('S-CONN-8: has a time for each target, and what comes late is closed', async () => {
    let give: (stream: Duplex) => void = () => undefined;
    let wanted: AbortSignal | undefined;
    const connector: Connector = (_, { signal }) => {
      wanted = signal;
      return new Promise((resolve) => (give = resolve));
    };
    const error = await failure(dialThrough(connector, [target('x')], { timeoutMs: 20 }));
    expect(error).toMatchObject({ code: 'TCP_TIMEOUT', retryable: true });
    expect(wanted?.aborted).toBe(true);
    const late = new PassThrough();
    give(late);
    await once(late, 'close');
    expect(late.destroyed).toBe(true);
  });

  test('S-CONN-13: an abort ends it, closes a socket that is connecting, and leaves no listener', async () => {
    const controller = new AbortController();
    const socket = new Socket();
    Object.defineProperty(socket, 'connecting', { value: true });
    const pending = dialThrough(() => socket, [target('x'), target('y')], { signal: controller.signal });
    await new Promise((resolve) => setImmediate(resolve));
    controller.abort(new Error('enough'));
    expect(await failure(pending)).toMatchObject({ code: 'ABORTED', layer: 'tcp', phase: 'connect' });
    expect(socket.destroyed).toBe(true);
    expect(socket.listenerCount('connect')).toBe(0);
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  });

  test('S-CONN-13: is not called after an abort', async () => {
    const connector = vi.fn<Connector>();
    const error = await failure(dialThrough(connector, [target('x')], { signal: AbortSignal.abort() }));
    expect(error).toMatchObject({ code: 'ABORTED' });
    expect(connector).not.toHaveBeenCalled();
  });

  test.each([[-1], [65_536]])('USAGE_PORT: port %i is refused', async (port) => {
    expect(await failure(dialThrough(() => new PassThrough(), [target('x', port)]))).toMatchObject({
      code: 'USAGE_PORT',
      layer: 'usage',
    });
  });
});
