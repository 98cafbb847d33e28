import { getEventListeners, once } from 'node:events';
import { createServer, Socket, type AddressInfo, type Server } from 'node:net';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { JABBERD14_COMPONENT, JABBERD20_COMPONENT, LEGACY, XMPP } from 'xmpp-broker';
import { BrokerError } from '../../../src/errors.js';
import type { Address } from '../../../src/dial/addresses.js';
import { dial, metItself, type DialOptions } from '../../../src/dial/dial.js';
import { portHint } from '../../../src/dial/port-hint.js';
import type { Target } from '../../../src/dial/resolve.js';

const target = (host: string, port = 5222): Target => ({ host, port, tls: 'starttls', srv: null });
const v4 = (address: string): Address => ({ address, family: 4 });
const v6 = (address: string): Address => ({ address, family: 6 });
const systemError = (code: string, message = `connect ${code}`) =>
  Object.assign(new Error(message), { code, errno: -1, syscall: 'connect' });

const failure = async (pending: Promise<unknown>): Promise<BrokerError> => {
  const error: unknown = await pending.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(BrokerError);
  return error as BrokerError;
};
const parts = (error: BrokerError) => (error.cause as AggregateError).errors as BrokerError[];
const turn = () => new Promise((resolve) => setImmediate(resolve));

async function listen(
  host = '127.0.0.1',
): Promise<{ server: Server; port: number; accepted: Socket[] } & AsyncDisposable> {
  const accepted: Socket[] = [];
  const server = createServer((socket) => accepted.push(socket.on('error', () => undefined)));
  server.listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const close = async () => {
    for (const socket of accepted) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  return { server, port, accepted, [Symbol.asyncDispose]: close };
}

/** A port on which nobody listens any more. */
async function closedPort(): Promise<number> {
  await using server = await listen();
  return server.port;
}

describe('on loopback', () => {
  test('connects, with no-delay and keep-alive, and tells target and address', async () => {
    await using server = await listen();
    const noDelay = vi.spyOn(Socket.prototype, 'setNoDelay');
    const keepAlive = vi.spyOn(Socket.prototype, 'setKeepAlive');
    const connecting = vi.fn();
    const place = target('127.0.0.1', server.port);
    const dialled = await dial([place], { onConnecting: connecting });
    expect(dialled).toMatchObject({ target: place, address: '127.0.0.1' });
    expect(dialled.socket.remotePort).toBe(server.port);
    expect(noDelay).toHaveBeenCalledWith(true);
    expect(keepAlive).toHaveBeenCalledWith(true, 60_000);
    expect(connecting.mock.calls).toEqual([[{ host: '127.0.0.1', port: server.port, address: '127.0.0.1' }]]);
    expect(dialled.socket.listenerCount('connect')).toBe(0);
    expect(dialled.socket.listenerCount('close')).toBe(0);
    dialled.socket.destroy();
    vi.restoreAllMocks();
  });

  test('an error between the connection and the first listener does not end the process', async () => {
    await using server = await listen();
    const { socket } = await dial([target('127.0.0.1', server.port)]);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.destroy(new Error('boom'));
    await closed;
    expect(socket.errored?.message).toBe('boom');
  });

  test('bytes that arrive before anybody listens are kept', async () => {
    const server = createServer((socket) => socket.end('<early/>'));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { socket } = await dial([target('127.0.0.1', (server.address() as AddressInfo).port)]);
    await turn();
    await turn();
    let text = '';
    for await (const chunk of socket) text += String(chunk);
    expect(text).toBe('<early/>');
    server.close();
  });

  test.each([
    ['127.0.0.1', 40_000, '127.0.0.1', 40_000, true],
    ['127.0.0.1', 40_000, '127.0.0.1', 40_001, false],
    ['192.0.2.1', 40_000, '192.0.2.2', 40_000, false],
    [undefined, undefined, undefined, 0, false], // a socket in the file system
  ])('%s:%j that is connected to %s:%j met itself: %j', (localAddress, localPort, remoteAddress, port, met) => {
    expect(metItself({ localAddress, localPort, remoteAddress }, port)).toBe(met);
  });

  test('looks names up with the operating system by default', async () => {
    await using server = await listen();
    const { socket, address } = await dial([target('localhost', server.port)]);
    expect(address).toBe('127.0.0.1');
    socket.destroy();
  });

  test('S-CONN-12: every address is tried, the ones that fail are passed over at once', async () => {
    await using server = await listen();
    const lookup = () => Promise.resolve([v6('::1'), v4('127.0.0.1')]);
    const { socket, address } = await dial([target('two.example', server.port)], { lookup, attemptDelayMs: 60_000 });
    expect(address).toBe('127.0.0.1');
    socket.destroy();
  });

  test('a host of the options: brackets and international names', async () => {
    await using server = await listen('::1');
    const { socket, address } = await dial([target('[::1]', server.port)]);
    expect(address).toBe('::1');
    socket.destroy();
    const asked: string[] = [];
    const lookup = (host: string) => {
      asked.push(host);
      return Promise.resolve([v6('::1')]);
    };
    const named = await dial([target('Bücher.example', server.port)], { lookup });
    expect(asked).toEqual(['xn--bcher-kva.example']);
    named.socket.destroy();
  });

  test('S-CONN-2: a refused connection names every target, address and errno', async () => {
    const [one, two] = [await closedPort(), await closedPort()];
    const lookup = (host: string) =>
      Promise.resolve(host === 'a.example' ? [v4('127.0.0.1'), v4('127.0.0.2')] : [v4('127.0.0.3')]);
    const error = await failure(dial([target('a.example', one), target('b.example', two)], { lookup }));
    expect(error).toMatchObject({ code: 'TCP_REFUSED', layer: 'tcp', phase: 'connect', origin: 'os', retryable: true });
    for (const place of [
      `a.example:${String(one)} at 127.0.0.1`,
      'at 127.0.0.2',
      `b.example:${String(two)} at 127.0.0.3`,
      'ECONNREFUSED',
    ]) {
      expect(error.message).toContain(place);
    }
    expect(parts(error)).toHaveLength(3);
    // Operation, errno and text, as the system gave them.
    for (const part of parts(error)) {
      expect(part).toMatchObject({ code: 'TCP_REFUSED', retryable: true });
      expect(part.cause).toMatchObject({ syscall: 'connect', code: 'ECONNREFUSED', errno: -111 });
    }
  });

  test('S-CONN-3: the reasons why there was no SRV record are among the causes', async () => {
    const srvErrors = ['DNS_NOT_FOUND', 'DNS_TIMEOUT'].map((code) => new BrokerError(code, code, { layer: 'dns' }));
    const error = await failure(dial([{ ...target('127.0.0.1', await closedPort()), srvErrors }]));
    expect(parts(error).map(({ code }) => code)).toEqual(['TCP_REFUSED', 'DNS_NOT_FOUND', 'DNS_TIMEOUT']);
    expect(error.code).toBe('TCP_REFUSED');
  });

  test('a socket that meets itself counts as refused', async () => {
    const socket = new Socket();
    Object.defineProperties(socket, {
      localPort: { value: 5222 },
      remotePort: { value: 5222 },
      localAddress: { value: '127.0.0.1' },
      remoteAddress: { value: '127.0.0.1' },
    });
    const pending = dial([target('127.0.0.1')], { connect: () => socket });
    await turn();
    socket.emit('connect');
    expect(await failure(pending)).toMatchObject({ code: 'TCP_REFUSED' });
    expect(socket.destroyed).toBe(true);
  });
});

/** Sockets that connect or fail when the test says so, on a clock that the test moves. */
class Wire {
  readonly started: string[] = [];
  readonly sockets = new Map<string, Socket>();

  readonly connect = ({ host, port, family }: { host: string; port: number; family: number }): Socket => {
    const name = port === 5222 ? host : `${host}:${String(port)}`;
    expect(family).toBe(host.includes(':') ? 6 : 4);
    this.started.push(name);
    const socket = new Socket();
    this.sockets.set(name, socket);
    return socket;
  };

  connected(host: string): void {
    this.sockets.get(host)!.emit('connect');
  }

  fails(host: string, code: string): void {
    this.sockets.get(host)!.emit('error', systemError(code));
  }

  get open(): string[] {
    return [...this.sockets].filter(([, socket]) => !socket.destroyed).map(([name]) => name);
  }
}

describe('racing addresses', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => {
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });

  const addresses: Record<string, readonly Address[]> = {
    dual: [v6('2001:db8::1'), v6('2001:db8::2'), v6('2001:db8::3'), v4('192.0.2.1'), v4('192.0.2.2')],
    one: [v4('192.0.2.11'), v4('192.0.2.12')],
    two: [v4('192.0.2.21')],
    none: [],
  };
  const start = (hosts: readonly string[], options: DialOptions = {}) => {
    const wire = new Wire();
    const lookup = (host: string) => Promise.resolve(addresses[host] ?? []);
    const pending = dial(
      hosts.map((host) => target(host)),
      { lookup, connect: wire.connect, ...options },
    );
    pending.catch(() => undefined);
    return { wire, pending };
  };
  const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

  test('RFC 8305: families take turns, each attempt 250 ms after the one before, none given up', async () => {
    const { wire, pending } = start(['dual']);
    await pass(0);
    expect(wire.started).toEqual(['2001:db8::1']);
    await pass(249);
    expect(wire.started).toHaveLength(1);
    await pass(1);
    expect(wire.started).toEqual(['2001:db8::1', '192.0.2.1']);
    await pass(750);
    expect(wire.started).toEqual(['2001:db8::1', '192.0.2.1', '2001:db8::2', '192.0.2.2', '2001:db8::3']);
    wire.connected('2001:db8::1');
    expect((await pending).address).toBe('2001:db8::1');
    expect(wire.open).toEqual(['2001:db8::1']);
    for (const socket of wire.sockets.values()) {
      expect([socket.listenerCount('connect'), socket.listenerCount('close')]).toEqual([0, 0]);
    }
  });

  test('a failure starts the next address at once', async () => {
    const { wire, pending } = start(['dual']);
    await pass(0);
    wire.fails('2001:db8::1', 'ENETUNREACH');
    expect(wire.started).toEqual(['2001:db8::1', '192.0.2.1']);
    await pass(249);
    expect(wire.started).toHaveLength(2);
    await pass(1);
    expect(wire.started).toHaveLength(3);
    // Also when others are still under way.
    wire.fails('2001:db8::2', 'EHOSTUNREACH');
    expect(wire.started).toHaveLength(4);
    wire.connected('192.0.2.1');
    expect((await pending).address).toBe('192.0.2.1');
  });

  test('S-CONN-4: the next target waits two seconds after the last address of the one before', async () => {
    const { wire, pending } = start(['one', 'two']);
    await pass(250);
    expect(wire.started).toEqual(['192.0.2.11', '192.0.2.12']);
    await pass(1999);
    expect(wire.started).toHaveLength(2);
    await pass(1);
    expect(wire.started).toEqual(['192.0.2.11', '192.0.2.12', '192.0.2.21']);
    wire.connected('192.0.2.12');
    expect((await pending).target.host).toBe('one');
    expect(wire.open).toEqual(['192.0.2.12']);
  });

  test('S-CONN-4: the next target joins at once when all addresses before it have failed, not when one has', async () => {
    const { wire, pending } = start(['one', 'two']);
    await pass(250);
    wire.fails('192.0.2.12', 'ECONNREFUSED');
    await pass(100);
    expect(wire.started).toHaveLength(2);
    wire.fails('192.0.2.11', 'ECONNREFUSED');
    await pass(0);
    expect(wire.started.at(-1)).toBe('192.0.2.21');
    wire.connected('192.0.2.21');
    expect((await pending).target.host).toBe('two');
  });

  test('S-CONN-12: an address has its own time, and the others go on', async () => {
    const { wire, pending } = start(['one'], { timeoutMs: 1000 });
    await pass(1000);
    expect(wire.open).toEqual(['192.0.2.12']);
    await pass(250);
    const error = await failure(pending);
    expect(error).toMatchObject({ code: 'TCP_TIMEOUT', retryable: true });
    expect(error.message).toContain('1000 ms');
    expect(parts(error)).toHaveLength(2);
    expect(wire.open).toEqual([]);
  });

  test('a lookup that hangs does not hold up the next target for long, and may still win', async () => {
    let found: (list: Address[]) => void = () => undefined;
    const lookup = (host: string) =>
      host === 'slow' ? new Promise<Address[]>((resolve) => (found = resolve)) : Promise.resolve([v4('192.0.2.21')]);
    const { wire, pending } = start(['slow', 'two'], { lookup });
    await pass(1999);
    expect(wire.started).toEqual([]);
    await pass(1);
    expect(wire.started).toEqual(['192.0.2.21']);
    found([v4('192.0.2.9')]);
    await pass(0);
    expect(wire.started).toEqual(['192.0.2.21', '192.0.2.9']);
    wire.connected('192.0.2.9');
    expect((await pending).target.host).toBe('slow');
  });

  test('a lookup that still runs is waited for when all else has failed', async () => {
    let found: (list: Address[]) => void = () => undefined;
    const lookup = (host: string) =>
      host === 'slow'
        ? new Promise<Address[]>((resolve) => (found = resolve))
        : Promise.reject(systemError('ENOTFOUND'));
    const { wire, pending } = start(['slow', 'gone'], { lookup });
    await pass(2000);
    expect(wire.started).toEqual([]);
    found([v4('192.0.2.9')]);
    await pass(0);
    wire.connected('192.0.2.9');
    expect((await pending).target.host).toBe('slow');
  });

  test('a lookup that never ends is given up', async () => {
    const { pending } = start(['slow'], { lookup: () => new Promise(() => undefined), lookupTimeoutMs: 700 });
    await pass(700);
    expect(await failure(pending)).toMatchObject({ code: 'DNS_TIMEOUT', layer: 'dns', retryable: true });
  });

  test.each([
    ['ENOTFOUND', 'DNS_NOT_FOUND'],
    ['EAI_AGAIN', 'DNS_FAILED'],
  ])('a name without address: %s is %s', async (code, expected) => {
    const { pending } = start(['x.example'], {
      lookup: () => Promise.reject(systemError(code, `getaddrinfo ${code} x.example`)),
    });
    await pass(0);
    const error = await failure(pending);
    expect(error).toMatchObject({ code: expected, layer: 'dns' });
    expect(error.message).toContain(code);
  });

  test('a lookup that finds nothing, throws, or lies about addresses', async () => {
    const lies = [{ address: 'evil', family: 4 }] as Address[];
    for (const lookup of [
      () => Promise.resolve([]),
      () => Promise.resolve(lies),
      () => {
        throw new Error('broken');
      },
    ]) {
      const { pending, wire } = start(['x.example'], { lookup });
      await pass(0);
      expect((await failure(pending)).code).toMatch(/^DNS_(NOT_FOUND|FAILED)$/);
      expect(wire.started).toEqual([]);
    }
  });

  test('A-FLOW-6: of a thousand addresses sixteen are tried', async () => {
    const lookup = () =>
      Promise.resolve(Array.from({ length: 1000 }, (_, i) => v4(`10.0.${String(i >> 8)}.${String(i & 255)}`)));
    const { wire, pending } = start(['many'], { lookup });
    await pass(60_000);
    expect(wire.started).toHaveLength(16);
    const error = await failure(pending);
    expect(error.message).toContain('and 8 more');
    expect(parts(error)).toHaveLength(16);
  });

  test.each([
    [['ENETUNREACH', 'ECONNREFUSED'], 'TCP_REFUSED'],
    [['ENETUNREACH', 'EHOSTUNREACH'], 'TCP_UNREACHABLE'],
    [['ENETUNREACH', 'ETIMEDOUT'], 'TCP_TIMEOUT'],
    [['ECONNRESET', 'ENETUNREACH'], 'TCP_RESET'],
    [['EMFILE', 'EMFILE'], 'TCP_FAILED'],
  ])('the most telling failure decides the code: %j is %s', async ([first, second], code) => {
    const { wire, pending } = start(['one']);
    await pass(0);
    wire.fails('192.0.2.11', first!);
    wire.fails('192.0.2.12', second!);
    const error = await failure(pending);
    expect(error.code).toBe(code);
    expect(error.message).toContain(first);
    expect(error.message).toContain(second);
  });

  test('connect may throw, and a socket may close without a word', async () => {
    const { pending } = start(['two'], {
      connect: () => {
        throw systemError('EMFILE');
      },
    });
    await pass(0);
    expect(await failure(pending)).toMatchObject({ code: 'TCP_FAILED' });
    const second = start(['two']);
    await pass(0);
    second.wire.sockets.get('192.0.2.21')!.destroy();
    await pass(0);
    expect(await failure(second.pending)).toMatchObject({ code: 'TCP_FAILED' });
  });

  test('onConnecting is told once; if it throws, the dial ends', async () => {
    const told = vi.fn();
    const { wire, pending } = start(['dual'], { onConnecting: told });
    await pass(500);
    wire.connected('192.0.2.1');
    await pending;
    expect(told.mock.calls).toEqual([[{ host: 'dual', port: 5222, address: '2001:db8::1' }]]);
    const bad = start(['dual'], {
      onConnecting: () => {
        throw new Error('mine');
      },
    });
    await pass(0);
    expect(await failure(bad.pending)).toMatchObject({ code: 'USAGE_CALLBACK' });
    expect(bad.wire.started).toEqual([]);
  });

  test.each([0, 100, 250, 400, 1000, 2500, 2750, 5000])(
    'S-CONN-13: an abort after %i ms leaves nothing behind',
    async (ms) => {
      const controller = new AbortController();
      const { wire, pending } = start(['dual', 'one', 'two'], { signal: controller.signal, timeoutMs: 3000 });
      if (ms > 0) await pass(ms);
      controller.abort(new Error('enough'));
      expect(await failure(pending)).toMatchObject({ code: 'ABORTED', layer: 'tcp', phase: 'connect' });
      expect(vi.getTimerCount()).toBe(0);
      expect(wire.open).toEqual([]);
      const started = wire.started.length;
      await pass(60_000);
      expect(wire.started).toHaveLength(started);
      expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
    },
  );

  test('S-CONN-13: an abort before it begins starts nothing', async () => {
    const { wire, pending } = start(['one'], { signal: AbortSignal.abort() });
    expect(await failure(pending)).toMatchObject({ code: 'ABORTED' });
    expect(wire.started).toEqual([]);
  });

  test('S-CONN-13: an abort inside onConnecting starts nothing', async () => {
    const controller = new AbortController();
    const { wire, pending } = start(['one'], { signal: controller.signal, onConnecting: () => controller.abort() });
    await pass(0);
    expect(await failure(pending)).toMatchObject({ code: 'ABORTED' });
    expect(wire.started).toEqual([]);
  });

  test('the winner takes its listener off the signal; a later abort does not touch it', async () => {
    const controller = new AbortController();
    const { wire, pending } = start(['two'], { signal: controller.signal });
    await pass(0);
    wire.connected('192.0.2.21');
    const { socket } = await pending;
    controller.abort();
    expect(socket.destroyed).toBe(false);
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  });

  test('a late error of a loser is nobody’s business', async () => {
    const { wire, pending } = start(['dual']);
    await pass(250);
    wire.connected('192.0.2.1');
    await pending;
    expect(() => {
      wire.fails('2001:db8::1', 'ECONNRESET');
    }).not.toThrow();
  });

  test('S-CONN-13: a BrokerError as reason of the abort is passed on', async () => {
    const controller = new AbortController();
    const { pending } = start(['one'], { signal: controller.signal });
    const reason = new BrokerError('TIMEOUT', 'too long', { layer: 'tcp' });
    controller.abort(reason);
    expect(await failure(pending)).toBe(reason);
  });
});

describe('bad arguments', () => {
  test.each([
    ['USAGE_DOMAIN', target('a b')],
    ['USAGE_DOMAIN', target('')],
    ['USAGE_PORT', target('a', 0)],
    ['USAGE_PORT', target('a', 65536)],
  ])('%s', async (code, one) => {
    expect(await failure(dial([one]))).toMatchObject({ code, layer: 'usage' });
  });
});

describe('hints for well-known ports', () => {
  test.each([
    [XMPP, 5222, 'starttls', null],
    [XMPP, 5222, 'direct', /required/],
    [XMPP, 5223, 'starttls', /"direct"/],
    [XMPP, 5223, 'direct', null],
    [LEGACY, 5269, 'starttls', /other servers.*for LEGACY.*5222/],
    [XMPP, 5347, 'none', /components.*5222/],
    [JABBERD14_COMPONENT, 5222, 'none', /clients.*5347/],
    [JABBERD14_COMPONENT, 5269, 'none', /other servers.*5347/],
    [JABBERD14_COMPONENT, 5347, 'none', null],
    [JABBERD14_COMPONENT, 5347, 'direct', null],
    [JABBERD20_COMPONENT, 5347, 'starttls', null],
    [JABBERD20_COMPONENT, 5223, 'starttls', /clients.*5347/],
    [XMPP, 443, 'direct', null],
    [{ name: 'MINE' }, 5269, 'starttls', null],
    [{ name: 'MINE', defaultPort: 7777 }, 5269, 'starttls', /for MINE it is usually 7777$/],
  ] as const)('$0.name on port $1, $2', (own, port, tls, hint) => {
    const said = portHint(own, port, tls);
    if (hint === null) expect(said).toBeNull();
    else expect(said).toMatch(hint);
  });
});
