import { describe, expect, it } from 'vitest';
import { NS } from 'xmpp-broker';
import { Transport } from '../../src/stream/transport.js';
import { XmlStream, type StreamConsumer } from '../../src/stream/xml-stream.js';
import type { Element } from '../../src/xml/element.js';
import { CLIENT, greet, iqId, JID, PASSWORD } from './support/client.js';
import { BIND, features, mechanisms, streamHeader, useRig } from './support/index.js';
import { MemoryPipe } from './support/memory-pipe.js';

const rig = useRig(CLIENT);

describe('faults C4: a server that sends one byte at a time', () => {
  it('in TLS records of their own, while the client waits for its password', async () => {
    let give: (password: string) => void = () => undefined;
    const asked = new Promise<void>((called) => {
      const password = () =>
        new Promise<string>((resolve) => {
          give = resolve;
          called();
        });
      void rig.dialled({ password }).then((client) => void (dialled = client));
    });
    let dialled: Awaited<ReturnType<typeof rig.dialled>> | undefined;
    await expect.poll(() => dialled).toBeDefined();
    const { server, connected } = dialled!;
    await greet(server, features(mechanisms('PLAIN')));
    await asked;
    for (let i = 0; i < 4_096; i += 1) await server.sendBytes(Buffer.from(i % 2 === 0 ? ' ' : '\n'));
    give(PASSWORD);
    await server.expect('</auth>');
    for (const byte of Buffer.from(`<success xmlns='${NS.SASL}'/>`)) await server.sendBytes(Buffer.of(byte));
    await greet(server, features(BIND), { id: 'auth-1' });
    const id = await iqId(server);
    await server.send(`<iq type='result' id='${id}'><bind xmlns='${NS.BIND}'><jid>${JID}</jid></bind></iq>`);
    await connected;
  });

  const text = 'x'.repeat(64);
  const shapes: readonly (readonly [string, (bytes: number) => string])[] = [
    ['blanks', (bytes) => ' '.repeat(bytes)],
    ['stanzas', (bytes) => '<a/>'.repeat(bytes / 4)],
    ['one long text', (bytes) => `<a>${'y'.repeat(bytes)}</a>`],
    ['one long attribute', (bytes) => `<a b='${'y'.repeat(bytes)}'/>`],
    ['many children', (bytes) => `<a>${`<b>${text}</b>`.repeat(bytes / 71)}</a>`],
  ];

  it.each(shapes)('costs in proportion to the bytes, read late or at once: %s', async (_, shape) => {
    for (const when of ['late', 'at once'] as const) {
      const few = await cost(shape(6_000), when);
      const many = await cost(shape(24_000), when);
      // Four times the bytes; 16 times the work if it were quadratic.
      expect(many / few, when).toBeLessThan(9);
    }
  });
});

/** Time of the processor for reading that text byte by byte, at its best of three; never less than what can be measured. */
async function cost(content: string, when: 'late' | 'at once'): Promise<number> {
  let best = Infinity;
  for (let run = 0; run < 3; run += 1) {
    const pipe = new MemoryPipe();
    const stream = new XmlStream(new Transport(pipe), {});
    pipe.feed(Buffer.from(streamHeader()));
    await stream.read();
    const before = process.cpuUsage();
    const seen = new Reader();
    if (when === 'at once') stream.flow(seen);
    for (const byte of Buffer.from(content)) pipe.feed(Buffer.of(byte));
    await new Promise(setImmediate);
    if (when === 'late') stream.flow(seen);
    pipe.feed(Buffer.from('</stream:stream>'));
    await seen.ended;
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, Math.max(user + system, 2_000));
    pipe.destroy();
  }
  return best;
}

class Reader implements StreamConsumer {
  readonly elements: Element[] = [];
  onStreamEnd: () => void = () => undefined;
  readonly ended = new Promise<void>((resolve) => {
    this.onStreamEnd = resolve;
  });
  onElement(element: Element): boolean {
    this.elements.push(element);
    return false;
  }
  goOn(): boolean {
    return false;
  }
  onXmlError(error: Error): void {
    throw error;
  }
  onActivity(): void {}
  onDrain(): void {}
  onClose(): void {}
}
