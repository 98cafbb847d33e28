import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Proxy } from './proxy.js';

let server: Server;
/** The server's ends of the connections. */
let accepted: Socket[];
let target: number;

beforeEach(async () => {
  accepted = [];
  server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    accepted.push(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  target = (server.address() as AddressInfo).port;
});

afterEach(() => {
  for (const socket of accepted) socket.destroy();
  server.close();
});

async function pair(proxy: Proxy) {
  const linked = proxy.nextLink();
  const client = connect({ port: proxy.port, host: proxy.host, allowHalfOpen: true });
  client.on('error', () => undefined);
  const link = await linked;
  await expect.poll(() => accepted.length).toBeGreaterThan(0);
  return { client, link, remote: accepted.at(-1)! };
}

/** Collects what arrives, chunk by chunk. */
function collect(socket: Socket): Buffer[] {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  return chunks;
}
const text = (chunks: readonly Buffer[]) => Buffer.concat(chunks).toString();

test('forwards both ways, counts, records, and hands on the end', async () => {
  await using proxy = await Proxy.listen(target, { record: true });
  const { client, remote, link } = await pair(proxy);
  client.end('ping');
  const there = collect(remote);
  await once(remote, 'end');
  expect(text(there)).toBe('ping');
  remote.end('pong!');
  const back = collect(client);
  await once(client, 'end');
  expect(text(back)).toBe('pong!');
  expect(link.bytes).toEqual({ toServer: 4, toClient: 5 });
  expect(link.recorded('toServer').toString()).toBe('ping');
  await link.closed;
  expect(proxy.openLinks).toEqual([]);
});

describe('cutting', () => {
  test('with RST is an error on both sides', async () => {
    await using proxy = await Proxy.listen(target);
    const { client, remote } = await pair(proxy);
    const errors = Promise.all([once(client, 'error'), once(remote, 'error')]);
    remote.resume();
    proxy.cut();
    for (const [error] of await errors) expect(error).toMatchObject({ code: 'ECONNRESET' });
  });

  test('with FIN is an end on both sides', async () => {
    await using proxy = await Proxy.listen(target);
    const { client, remote, link } = await pair(proxy);
    const ends = Promise.all([once(client.resume(), 'end'), once(remote.resume(), 'end')]);
    link.cut('end');
    await ends;
  });

  test('a side that breaks takes the other with it', async () => {
    await using proxy = await Proxy.listen(target);
    const { client, remote } = await pair(proxy);
    remote.resume();
    const error = once(remote, 'error');
    client.resetAndDestroy();
    expect(((await error) as [NodeJS.ErrnoException])[0].code).toBe('ECONNRESET');
  });
});

test('a stalled link holds everything back until it is resumed, in order', async () => {
  await using proxy = await Proxy.listen(target);
  const { client, remote, link } = await pair(proxy);
  const there = collect(remote);
  const back = collect(client);
  client.write('a');
  await expect.poll(() => text(there)).toBe('a');
  link.stall('toServer');
  client.write('b');
  client.write('c');
  remote.write('x'); // the other way is open, and proves that time has passed
  await expect.poll(() => text(back)).toBe('x');
  expect(text(there)).toBe('a');
  client.end('d');
  link.resume();
  await once(remote, 'end');
  expect(text(there)).toBe('abcd');
});

test('a lost link swallows everything, the end too', async () => {
  await using proxy = await Proxy.listen(target);
  const { client, remote, link } = await pair(proxy);
  const there = collect(remote);
  let ended = false;
  remote.on('end', () => (ended = true));
  link.lose('toServer');
  client.end('gone');
  const back = collect(client);
  remote.end('x');
  await once(client, 'end');
  expect(text(back)).toBe('x');
  expect(text(there)).toBe('');
  expect(ended).toBe(false);
});

test('single bytes go out one by one', async () => {
  await using proxy = await Proxy.listen(target, { pieceBytes: 1 });
  const { client, remote } = await pair(proxy);
  const there = collect(remote);
  client.end('0123456789'.repeat(20));
  await once(remote, 'end');
  expect(text(there)).toBe('0123456789'.repeat(20));
  expect(there.length).toBeGreaterThan(1);
});

test('delayed pieces keep their order', async () => {
  await using proxy = await Proxy.listen(target, { delayMs: 20 });
  const { client, remote } = await pair(proxy);
  const there = collect(remote);
  for (const piece of 'abcdef') client.write(piece);
  client.end();
  await once(remote, 'end');
  expect(text(there)).toBe('abcdef');
});

test('a reader that does not read holds the writer back', async () => {
  await using proxy = await Proxy.listen(target);
  const { client, remote } = await pair(proxy);
  remote.pause();
  const size = 64 << 20;
  client.end(Buffer.alloc(size));
  await expect.poll(() => client.writableLength).toBeGreaterThan(0);
  let received = 0;
  remote.on('data', (chunk: Buffer) => (received += chunk.length));
  remote.resume();
  await once(remote, 'end');
  expect(received).toBe(size);
});

test('refuses and accepts again at the same port', async () => {
  await using proxy = await Proxy.listen(target);
  const { client, link } = await pair(proxy);
  proxy.refuse();
  const refused = connect({ port: proxy.port, host: proxy.host });
  const [error] = (await once(refused, 'error')) as [NodeJS.ErrnoException];
  expect(error.code).toBe('ECONNREFUSED');
  expect(link.open).toBe(true);
  await proxy.accept();
  await pair(proxy);
  expect(proxy.openLinks).toHaveLength(2);
  client.destroy();
});

test('resets who dials when nobody listens behind it', async () => {
  await using proxy = await Proxy.listen(target);
  server.close();
  const client = connect({ port: proxy.port, host: proxy.host });
  client.resume();
  const [error] = (await once(client, 'error')) as [NodeJS.ErrnoException];
  expect(error.code).toBe('ECONNRESET');
  expect(proxy.links).toEqual([]);
});
