import { describe, expect, it, vi } from 'vitest';
import { Transport } from '../../../src/stream/transport.js';
import { XmlStream } from '../../../src/stream/xml-stream.js';
import { Tally } from '../../../src/stats.js';
import { parse } from '../../../src/xml/tokenizer/parse.js';
import { TCP_FRAMING } from '../../../src/stream/tcp-framing.js';
import { failure } from '../../support/failure.js';
import { MemoryPipe } from '../../wire/support/memory-pipe.js';

const HEADER = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";
const gone = () => Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', syscall: 'read' });

const listener = () => ({ onData: vi.fn(), onDrain: vi.fn(), onEnd: vi.fn(), onClose: vi.fn() });
const consumer = () => ({
  ...{ onElement: vi.fn(), goOn: vi.fn(), onStreamEnd: vi.fn(), onXmlError: vi.fn() },
  ...{ onActivity: vi.fn(), onDrain: vi.fn(), onClose: vi.fn() },
});

describe('a transport', () => {
  it.each([
    ['in order', undefined, null],
    ['by a reset', gone(), expect.objectContaining({ code: 'TCP_RESET' })],
  ])('of a socket that was closed %s before it came here ends all the same', async (_how, why, error) => {
    const pipe = new MemoryPipe();
    pipe.destroy(why);
    await new Promise((resolve) => pipe.once('close', resolve));
    const transport = new Transport(pipe);
    const told = listener();
    transport.listen(told);
    await transport.closedWithin(1_000);
    await expect.poll(() => told.onClose.mock.calls).toEqual([[error]]);
  });

  it.each([
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'TLS_PROTOCOL', 'tls'],
    ['ERR_TLS_INVALID_STATE', 'TLS_PROTOCOL', 'tls'],
    ['ECONNRESET', 'TCP_RESET', 'tcp'],
    ['EPIPE', 'TCP_RESET', 'tcp'],
    ['ENETDOWN', 'TCP_FAILED', 'tcp'],
    ['', 'TCP_FAILED', 'tcp'],
  ])('of a socket that fails with %j ends once, with %s', async (code, wanted, layer) => {
    const pipe = new MemoryPipe();
    // It is known before it is told.
    pipe.destroy(Object.assign(new Error('it failed'), code === '' ? {} : { code }));
    const transport = new Transport(pipe);
    const told = listener();
    transport.listen(told);
    await new Promise((resolve) => pipe.once('close', resolve));
    await new Promise(setImmediate);
    expect(told.onClose.mock.calls).toEqual([
      [
        expect.objectContaining({
          code: wanted,
          layer,
          retryable: true,
          message: expect.stringContaining('it failed') as string,
        }),
      ],
    ]);
  });

  it('S-TLS-16: of a socket that broke while TLS took its place ends with the reason', async () => {
    const [pipe, inner] = [new MemoryPipe(), new MemoryPipe()];
    const transport = new Transport(pipe);
    const told = listener();
    transport.listen(told);
    await transport.replace(async (socket) => {
      socket.destroy(gone());
      inner.destroy();
      await new Promise((resolve) => socket.once('close', resolve));
      return inner;
    });
    expect(transport.closed).toBe(true);
    expect(told.onClose.mock.calls).toEqual([[expect.objectContaining({ code: 'TCP_RESET' })]]);
  });
});

describe('a transport that is over', () => {
  it.each([
    ['that is closed', 'TCP_CLOSED', (pipe: MemoryPipe) => pipe.destroy()],
    ['that broke', 'TCP_RESET', (pipe: MemoryPipe) => pipe.destroy(gone())],
    ['whose end is sent', 'TCP_CLOSED', (pipe: MemoryPipe) => pipe.end()],
  ])('writes nothing more to a socket %s, and says why', async (_what, code, end) => {
    const pipe = new MemoryPipe();
    const tally = new Tally();
    const transport = new Transport(pipe, tally);
    transport.listen(listener());
    end(pipe);
    await new Promise(setImmediate);
    const done = vi.fn();
    expect(transport.write('<a/>', done)).toBe(false);
    expect(transport.write('<b/>')).toBe(false);
    await expect.poll(() => done.mock.calls).toEqual([[expect.objectContaining({ code })]]);
    expect([pipe.sent, tally.bytesOut]).toEqual(['', 0]);
  });

  it('sends its last byte once', async () => {
    const pipe = new MemoryPipe();
    const finished = vi.fn();
    const transport = new Transport(pipe);
    pipe.onFinished = finished;
    transport.end();
    transport.end();
    await expect.poll(() => finished.mock.calls).toHaveLength(1);
    expect(transport.closed).toBe(false);
    pipe.destroy();
    await transport.closedWithin(1_000);
    transport.end();
    transport.destroy();
    expect(finished).toHaveBeenCalledTimes(1);
  });
});

describe('a stream', () => {
  const open = (pipe: MemoryPipe) => {
    const stream = new XmlStream(new Transport(pipe), {});
    stream.open(parse(`${HEADER}</stream:stream>`));
    return stream;
  };

  it('writes its closing tag once, and only behind a header, while there is a connection', () => {
    const pipe = new MemoryPipe();
    const unopened = new XmlStream(new Transport(pipe), {});
    unopened.closeWithError('not-well-formed');
    expect([unopened.sendEnd(), unopened.endSent, pipe.sent]).toEqual([false, false, '']);
    const opened = open(new MemoryPipe());
    expect([opened.sendEnd(), opened.endSent, opened.sendEnd()]).toEqual([true, true, false]);
    const cut = new MemoryPipe();
    const gone = open(cut);
    cut.destroy();
    cut.emit('close');
    expect([gone.sendEnd(), gone.endSent]).toEqual([false, false]);
  });

  it('tells its end again and again', async () => {
    const pipe = new MemoryPipe();
    const stream = open(pipe);
    pipe.feed(Buffer.from(`${HEADER}</stream:stream>`));
    expect(await stream.read()).toMatchObject({ kind: 'header' });
    for (let times = 0; times < 3; times++) expect(await stream.read()).toEqual({ kind: 'end' });
  });

  it.each([
    ['an element', '<a/>', 'onElement'],
    ['its end', '</stream:stream>', 'onStreamEnd'],
    ['a second header', null, 'onXmlError'],
  ] as const)('hands on %s that nobody has read when it flows', async (_what, said, event) => {
    const pipe = new MemoryPipe();
    const stream = open(pipe);
    if (said !== null) {
      pipe.feed(Buffer.from(HEADER));
      await stream.read();
      // Whoever waited has given up.
      const given = stream.read();
      stream.interrupt(new Error('it takes too long'));
      await expect(given).rejects.toThrow('it takes too long');
      // Nobody waits any more.
      stream.interrupt(new Error('in vain'));
    }
    pipe.feed(Buffer.from(said ?? HEADER));
    await expect.poll(() => pipe.readableLength).toBe(0);
    await new Promise(setImmediate);
    const told = consumer();
    stream.flow(told);
    expect(told[event]).toHaveBeenCalledTimes(1);
    const { onElement, onStreamEnd, onXmlError } = told;
    expect([onElement, onStreamEnd, onXmlError].flatMap(({ mock }) => mock.calls)).toHaveLength(1);
  });

  it('answers the last byte of the peer when it rests no more, if that came with what is held back', async () => {
    const pipe = new MemoryPipe();
    const stream = open(pipe);
    const finished = vi.fn();
    pipe.onFinished = finished;
    pipe.feed(Buffer.from(HEADER));
    expect(await stream.read()).toMatchObject({ kind: 'header' });
    const told = consumer();
    told.onElement.mockImplementationOnce(() => stream.hold(true));
    stream.flow(told);
    stream.hold(true);
    // Together in the socket, they come out of it together.
    pipe.feed(Buffer.from('<a/><b/>'));
    pipe.finish();
    const ended = new Promise((resolve) => pipe.once('end', resolve));
    stream.hold(false);
    await ended;
    await new Promise(setImmediate);
    expect(told.onElement).toHaveBeenCalledTimes(1);
    expect(finished).not.toHaveBeenCalled();
    stream.hold(false);
    await expect.poll(() => finished.mock.calls).toHaveLength(1);
    expect(told.onElement).toHaveBeenCalledTimes(2);
  });

  it.each([
    ['what waits', false],
    ['the end of the connection, which nothing holds up,', true],
  ])('is held from before it flows: %s is delivered then', async (_, isOver) => {
    const pipe = new MemoryPipe();
    const stream = open(pipe);
    pipe.feed(Buffer.from(HEADER));
    expect(await stream.read()).toMatchObject({ kind: 'header' });
    pipe.feed(Buffer.from('<a/><b/>'));
    const told = consumer();
    if (isOver) {
      pipe.destroy();
      await new Promise((resolve) => pipe.once('close', resolve));
    }
    stream.hold(true);
    stream.flow(told);
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    const before = told.onElement.mock.calls.length;
    if (!isOver) {
      expect([before, told.onClose.mock.calls]).toEqual([0, []]);
      stream.hold(false);
    }
    await expect.poll(() => told.onElement.mock.calls).toHaveLength(2);
    if (isOver) await expect.poll(() => told.onClose.mock.calls).toHaveLength(1);
  });

  it('what is no XML, in one piece with what is read before, is told once the stream flows', async () => {
    const pipe = new MemoryPipe();
    const stream = new XmlStream(new Transport(pipe), {});
    pipe.feed(Buffer.from(`${HEADER}<a xmlns='x'/><b></c>`));
    expect(await stream.read()).toMatchObject({ kind: 'header' });
    expect(await stream.read()).toMatchObject({ kind: 'element' });
    // The fault is found by whoever looks further, as a negotiation does that waits for more than the stream.
    const pending = stream.read();
    expect(await pending).toMatchObject({ kind: 'failed' });
    const told = consumer();
    stream.flow(told);
    expect(told.onXmlError.mock.calls).toEqual([[expect.objectContaining({ condition: 'not-well-formed' })]]);
    expect(told.onElement).not.toHaveBeenCalled();
  });

  it.each(['220 ', '<', HEADER, `${HEADER}<a/>`, ' '])(
    'A-NEG: no other framing for a server that said %j',
    async (said) => {
      const pipe = new MemoryPipe();
      const stream = new XmlStream(new Transport(pipe), {});
      pipe.feed(Buffer.from(said));
      await expect.poll(() => pipe.readableLength).toBe(0);
      const upgrade = vi.fn();
      expect(await failure(stream.changeFraming(TCP_FRAMING, upgrade))).toMatchObject({ code: 'STREAM_NOT_XMPP' });
      expect(upgrade).not.toHaveBeenCalled();
    },
  );
});
