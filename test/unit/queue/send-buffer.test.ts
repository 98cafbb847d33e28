import { describe, expect, it } from 'vitest';
import { SendBuffer } from '../../../src/queue/send-buffer.js';
import { STANZA_COST, Ticket } from '../../../src/queue/ticket.js';
import { NS } from '../../../src/xml/namespaces.js';

/** A socket that takes what it is told to, and what was written to it. */
class Socket {
  readonly written: string[] = [];
  readonly sent: Ticket[] = [];
  takesMore = true;
  readonly #done: ((error?: Error | null) => void)[] = [];
  #told: ((error?: Error | null) => void) | undefined;

  write(text: string, done: (error?: Error | null) => void): boolean {
    this.written.push(text);
    this.#done.push(done);
    return this.takesMore;
  }

  handedOver(): void {
    // The ticket tells nothing more here.
  }

  tellWritten(ticket: Ticket): void {
    this.sent.push(ticket);
  }

  /** The operating system has what was written first, and was not told of yet; or that is told again. */
  done(error?: Error, again = false): void {
    const done = again ? this.#told : this.#done.shift();
    this.#told = done;
    done?.(error);
  }
}

function buffer() {
  const socket = new Socket();
  const made = new SendBuffer({
    write: (text, done) => socket.write(text, done),
    handedOver: () => {
      socket.handedOver();
    },
    written: (ticket) => {
      socket.tellWritten(ticket);
    },
  });
  let isDrained = false;
  return {
    socket,
    buffer: made,
    drain: () => {
      void made.drain().then(() => (isDrained = true));
    },
    drained: async () => {
      await new Promise(setImmediate);
      return isDrained;
    },
  };
}

const ticket = (text: string): Ticket => new Ticket(1, text, NS.CLIENT);

describe('drain', () => {
  it('ends at once when there is nothing', async () => {
    const { drain, drained } = buffer();
    drain();
    expect(await drained()).toBe(true);
  });

  it('ends when the operating system has what was written', async () => {
    const { socket, buffer: out, drain, drained } = buffer();
    const one = ticket('<a/>');
    out.push(one, one.xml);
    drain();
    expect(socket.written).toEqual(['<a/>']);
    expect(await drained()).toBe(false);
    socket.done();
    expect(await drained()).toBe(true);
    expect(socket.sent).toEqual([one]);
  });

  it('waits for what is output meanwhile', async () => {
    const { socket, buffer: out, drain, drained } = buffer();
    out.push(null, '<a/>');
    drain();
    await drained();
    out.push(null, '<b/>');
    socket.done();
    await Promise.resolve();
    expect(socket.written).toEqual(['<a/>']);
    expect(await drained()).toBe(false);
    expect(socket.written).toEqual(['<a/>', '<b/>']);
    socket.done();
    expect(await drained()).toBe(true);
  });

  it.each([
    [
      'what waits for the socket',
      (out: SendBuffer) => {
        out.push(null, '<b/>');
      },
    ],
    [
      'what goes ahead of that',
      (out: SendBuffer) => {
        out.urgent(() => '<b/>');
      },
    ],
  ])('waits for %s', async (_, output) => {
    const { socket, buffer: out, drain, drained } = buffer();
    socket.takesMore = false;
    out.push(null, '<a/>');
    out.flush();
    output(out);
    drain();
    socket.done();
    expect(await drained()).toBe(false);
    expect(socket.written).toEqual(['<a/>']);
    out.drained();
    socket.done();
    expect(await drained()).toBe(true);
    expect(socket.written).toEqual(['<a/>', '<b/>']);
  });

  it('ends when the buffer is closed, whatever is left', async () => {
    const { socket, buffer: out, drain, drained } = buffer();
    const [first, second] = [ticket('<a/>'), ticket('<b/>')];
    socket.takesMore = false;
    out.push(first, first.xml);
    drain();
    out.push(null, '<r/>');
    out.push(second, second.xml);
    expect(out.close()).toEqual({ inFlight: [first], waiting: [second] });
    expect(await drained()).toBe(true);
    socket.done();
    out.urgent(() => '<late/>');
    out.flush();
    out.drained();
    expect(socket).toMatchObject({ written: ['<a/>'], sent: [] });
  });
});

it('what is told again to be written changes nothing', () => {
  const { socket, buffer: out } = buffer();
  const [one, other] = [ticket('<a/>'), ticket('<b/>')];
  for (const each of [one, other]) {
    out.push(each, each.xml);
    out.flush();
  }
  socket.done();
  socket.done(undefined, true);
  expect(socket.sent).toEqual([one]);
  expect(out.inFlightCost).toBe(other.cost);
  socket.done();
  socket.done(undefined, true);
  expect(socket.sent).toEqual([one, other]);
  expect([out.inFlightCost, out.inFlightCostAtMost]).toEqual([0, 0]);
});

it('what could not be written is in flight until the buffer is closed', () => {
  const { socket, buffer: out } = buffer();
  const one = ticket('<a/>');
  out.push(one, one.xml);
  out.flush();
  socket.done(new Error('reset'));
  expect(socket.sent).toEqual([]);
  expect(out.close()).toEqual({ inFlight: [one], waiting: [] });
});

it('what waits costs its text, and that as it was output besides, where a dialect wrote it otherwise', () => {
  const { socket, buffer: out } = buffer();
  socket.takesMore = false;
  out.push(null, '<a/>');
  out.flush();
  const one = ticket('<b/>');
  out.push(null, '<r/>');
  expect(out.waitingCost).toBe(STANZA_COST + 4);
  out.push(one, one.xml);
  expect(out.waitingCost).toBe(2 * (STANZA_COST + 4));
  out.push(one, '<w><b/></w>');
  expect(out.waitingCost).toBe(3 * (STANZA_COST + 4) + 11);
  expect(out.inFlightCost).toBe(0);
});
