import { describe, expect, it, vi } from 'vitest';
import { Transport } from '../../../src/stream/transport.js';
import { XmlStream } from '../../../src/stream/xml-stream.js';
import { TCP_FRAMING } from '../../../src/stream/tcp-framing.js';
import { failure } from '../../support/failure.js';
import { MemoryPipe } from '../../wire/support/memory-pipe.js';

const HEADER = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";
const gone = () => Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', syscall: 'read' });

const listener = () => ({ onData: vi.fn(), onDrain: vi.fn(), onEnd: vi.fn(), onClose: vi.fn() });
const consumer = () => ({
  ...{ onElement: vi.fn(), onStreamEnd: vi.fn(), onXmlError: vi.fn() },
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

describe('a stream', () => {
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
