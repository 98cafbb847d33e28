import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import * as tls from 'node:tls';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { type Identity, ScriptedPeer, streamHeader, TestAuthority } from './index.js';

async function dial(peer: ScriptedPeer): Promise<Socket> {
  const socket = connect({ port: peer.port, host: peer.host });
  socket.on('error', () => undefined); // tests look for it themselves
  await once(socket, 'connect');
  return socket;
}

async function readAll(socket: Socket): Promise<string> {
  let text = '';
  for await (const chunk of socket.setEncoding('utf8')) text += String(chunk);
  return text;
}

describe('expectations', () => {
  test('take text, expressions and functions in order', async () => {
    await using peer = await ScriptedPeer.listen();
    const socket = await dial(peer);
    const conversation = await peer.accept();
    socket.write("<stream:stream to='bücher'><a/><b id='7'/>rest");
    expect(await conversation.expect('<stream:stream')).toBe('<stream:stream');
    expect(await conversation.expect(/<a\/>/)).toBe(" to='bücher'><a/>");
    expect((await conversation.match(/id='(\d+)'\/>/g))[1]).toBe('7');
    expect(await conversation.expect((text) => (text.length >= 2 ? 2 : false))).toBe('re');
    socket.end();
    expect(await conversation.expectEnd()).toBe('st');
    expect(conversation.received.toString()).toBe("<stream:stream to='bücher'><a/><b id='7'/>rest");
    socket.destroy();
  });

  test('reject with what was received', async () => {
    await using peer = await ScriptedPeer.listen();
    const socket = await dial(peer);
    const conversation = await peer.accept();
    await conversation.send('hello');
    socket.write('<auth/>');
    await expect(conversation.expect('<starttls', { timeoutMs: 50 })).rejects.toThrow(
      /expected "<starttls", but it did not come within 50 ms\.\nUnread: <auth\/>\nSo far:\n< hello\n> <auth\/>/,
    );
    const waiting = conversation.expect('<starttls');
    socket.destroy();
    await expect(waiting).rejects.toThrow('the other side has ended the connection');
    await conversation.ended;
  });

  test('find characters that were cut in two', async () => {
    await using peer = await ScriptedPeer.listen();
    const socket = await dial(peer);
    const conversation = await peer.accept();
    const bytes = Buffer.from('a€b');
    socket.write(bytes.subarray(0, 2));
    await conversation.expect('a');
    socket.write(bytes.subarray(2));
    expect(await conversation.expect(/€b/)).toBe('€b');
    socket.destroy();
  });

  test('run on real timers under fake ones', async () => {
    await using peer = await ScriptedPeer.listen();
    const socket = await dial(peer);
    const conversation = await peer.accept();
    vi.useFakeTimers();
    try {
      await expect(conversation.expect('x', { timeoutMs: 10 })).rejects.toThrow('within 10 ms');
    } finally {
      vi.useRealTimers();
    }
    socket.destroy();
  });
});

describe('sending', () => {
  test('in pieces arrives whole', async () => {
    const text = `${streamHeader()}<x>äöü€</x>`;
    await using peer = await ScriptedPeer.listen({
      script: async (conversation) => {
        await conversation.sendSplit(text, [3, 1]);
        conversation.end();
      },
    });
    expect(await readAll(await dial(peer))).toBe(text);
    expect(peer.conversations[0]!.sent.toString()).toBe(text);
    await peer.done();
  });

  test('reset gives the other side ECONNRESET', async () => {
    await using peer = await ScriptedPeer.listen();
    const socket = await dial(peer);
    const conversation = await peer.accept();
    conversation.reset();
    const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNRESET');
    await conversation.closed;
  });

  test('to a connection that is gone neither throws nor hangs', async () => {
    await using peer = await ScriptedPeer.listen();
    const socket = await dial(peer);
    const conversation = await peer.accept();
    socket.resetAndDestroy();
    await conversation.closed;
    await conversation.send('into the void');
    await expect(conversation.expect('x')).rejects.toThrow('the connection is gone');
  });
});

test('pause lets the writes of the other side pile up', async () => {
  await using peer = await ScriptedPeer.listen();
  const socket = await dial(peer);
  const conversation = await peer.accept();
  conversation.pause();
  const size = 32 << 20; // more than the system buffers
  let written = false;
  socket.write(Buffer.alloc(size, 0x20), () => (written = true));
  await expect.poll(() => socket.writableLength > 0 && !written).toBe(true);
  conversation.resume();
  await once(socket, 'drain');
  expect(written).toBe(true);
  await expect.poll(() => conversation.receivedBytes).toBe(size);
  socket.destroy();
});

describe('TLS', () => {
  let authority: TestAuthority;
  let identity: Identity;
  beforeAll(async () => {
    authority = await TestAuthority.create();
    identity = await authority.issue();
  });

  test('direct, with server name, ALPN and client certificate seen', async () => {
    await using peer = await ScriptedPeer.listen({
      tls: { ...identity, ca: authority.ca, requestCert: true, ALPNProtocols: ['xmpp-client'] },
    });
    const socket = tls.connect({
      port: peer.port,
      host: peer.host,
      ca: authority.ca,
      servername: 'broker.test',
      ALPNProtocols: ['xmpp-client'],
      cert: identity.cert,
      key: identity.key,
    });
    const conversation = await peer.accept();
    socket.write('inside');
    await conversation.expect('inside');
    expect(conversation.tls?.servername).toBe('broker.test');
    expect(conversation.tls?.alpnProtocol).toBe('xmpp-client');
    expect(conversation.tls?.getPeerCertificate().subject.CN).toBe('broker.test');
    socket.destroy();
  });

  test.each([
    ['the handshake begins after startTls', false],
    ['the first bytes of the handshake are there before startTls', true],
  ])('STARTTLS: %s', async (_, early) => {
    await using peer = await ScriptedPeer.listen();
    const raw = await dial(peer);
    const conversation = await peer.accept();
    raw.write('<starttls/>');
    await conversation.expect('<starttls/>');
    await conversation.send('<proceed/>');
    await once(raw, 'data');
    const connectTls = () => tls.connect({ socket: raw, ca: authority.ca, servername: 'localhost' });
    let socket: tls.TLSSocket | undefined;
    if (early) {
      socket = connectTls();
      await expect.poll(() => conversation.unread.length).toBeGreaterThan(0);
    }
    const secured = conversation.startTls(identity);
    socket ??= connectTls();
    await secured;
    await conversation.send(streamHeader());
    const [bytes] = (await once(socket, 'data')) as [Buffer];
    expect(bytes.toString()).toBe(streamHeader());
    socket.end('</stream:stream>');
    expect(await conversation.expectEnd()).toBe('</stream:stream>');
    expect(conversation.received.toString()).toBe('<starttls/></stream:stream>');
  });

  test('a failed handshake is kept, and the next connection is served', async () => {
    await using peer = await ScriptedPeer.listen({ tls: identity });
    const plain = await dial(peer);
    plain.write('this is no TLS');
    await once(plain, 'close');
    const socket = tls.connect({ port: peer.port, host: peer.host, ca: authority.ca, servername: 'localhost' });
    await peer.accept();
    expect(peer.handshakeErrors).toHaveLength(1);
    socket.destroy();
  });
});

describe('scripts', () => {
  test('a failed expectation fails the test that closes the peer', async () => {
    const peer = await ScriptedPeer.listen({
      script: async (conversation) => {
        await conversation.expect('never', { timeoutMs: 20 });
      },
    });
    const socket = await dial(peer);
    await once(socket, 'close');
    await expect(peer.done()).rejects.toThrow('expected "never"');
    await expect(peer.close()).rejects.toThrow('expected "never"');
  });

  test('closing in the middle of a script is no failure', async () => {
    const peer = await ScriptedPeer.listen({
      script: async (conversation) => {
        await conversation.expect('never');
      },
    });
    const socket = await dial(peer);
    await peer.close();
    socket.destroy();
  });

  test('are told their number, and refuse() lets nobody else in', async () => {
    const seen: number[] = [];
    await using peer = await ScriptedPeer.listen({
      script: async (conversation, index) => {
        seen.push(index);
        await conversation.send(String(index));
        conversation.end();
      },
    });
    expect(await readAll(await dial(peer))).toBe('0');
    expect(await readAll(await dial(peer))).toBe('1');
    peer.refuse();
    await expect(dial(peer)).rejects.toThrow('ECONNREFUSED');
    expect(seen).toEqual([0, 1]);
  });

  test('accept gives up when nobody comes', async () => {
    await using peer = await ScriptedPeer.listen();
    await expect(peer.accept({ timeoutMs: 20 })).rejects.toThrow('nobody connected within 20 ms');
  });
});
