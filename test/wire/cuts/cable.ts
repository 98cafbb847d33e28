import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/** How a connection is cut: the peer's last byte, a reset, or nothing more in either direction. */
export const HOW = ['end', 'reset', 'stall'] as const;

/** Where a connection is cut: behind so many bytes that went down, from the server to us, or up. */
export interface Cut {
  readonly direction: 'down' | 'up';
  readonly at: number;
  readonly how: (typeof HOW)[number];
}

/** What happens to what the server says on its way. */
export interface Course {
  /** Offsets at which it is divided, ascending. Each piece arrives by itself. */
  readonly division?: readonly number[];
  /** The same of what it says before that is encrypted. */
  readonly text?: readonly number[];
  /** Whether each piece arrives in a turn of its own, or all in one. Default true. */
  readonly turns?: boolean;
  readonly cut?: Cut | undefined;
  /** Asked at each call of our end; what it gives is how that call fails. */
  readonly fault?: ((call: string) => Error | null) | undefined;
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** One end of a connection in memory; the few things of a socket that are asked for are there. */
class End extends Duplex {
  constructor(
    private readonly out: (chunk: Buffer | null) => void,
    private readonly fault?: Course['fault'],
  ) {
    super({ autoDestroy: true });
    this.on('error', () => undefined);
  }

  arrive(chunk: Buffer | null): void {
    if (!this.destroyed && !this.readableEnded) this.push(chunk);
  }

  setNoDelay(): this {
    return this;
  }

  resetAndDestroy(): void {
    this.emit('reset');
    this.destroy();
  }

  override _read(): void {
    // What arrives comes by itself.
  }

  override _write(chunk: Buffer, _: string, done: (error: Error | null) => void): void {
    const error = this.fault?.('socket.write') ?? null;
    if (error === null) this.out(chunk);
    done(error);
  }

  override _final(done: (error: Error | null) => void): void {
    const error = this.fault?.('socket.end') ?? null;
    if (error === null) this.out(null);
    done(error);
  }
}

/** A connection in memory, whose bytes are counted, divided and cut. */
export class Cable {
  /** Our end. */
  readonly near: Duplex;
  /** The server's, which passes for a socket. */
  readonly far: Socket;
  /** Bytes that went either way. */
  readonly bytes = { down: 0, up: 0 };
  /** Resolves when it is cut, or gone. */
  readonly over: Promise<void>;
  readonly #near: End;
  readonly #far: End;
  readonly #course: Course;
  readonly #waiting: (Buffer | null)[] = [];
  #isGoing = false;
  #isCut = false;
  #end: () => void = () => undefined;

  constructor(course: Course = {}) {
    this.#course = course;
    this.over = new Promise((resolve) => (this.#end = resolve));
    this.#near = new End((chunk) => this.#up(chunk), course.fault);
    this.#far = new End((chunk) => this.#down(chunk));
    this.#far.on('reset', () => this.#reset());
    this.#near.on('close', () => {
      this.#far.arrive(null);
      this.#end();
    });
    this.near = this.#near;
    this.far = this.#far as unknown as Socket;
    if (course.cut?.at === 0) setImmediate(() => this.#break());
  }

  #up(chunk: Buffer | null): void {
    if (this.#isCut) return;
    if (chunk === null) {
      this.#far.arrive(null);
      return;
    }
    this.#far.arrive(this.#counted('up', chunk));
  }

  #down(chunk: Buffer | null): void {
    if (this.#isCut) return;
    this.#waiting.push(...(chunk === null ? [null] : this.#pieces(chunk)));
    if (!this.#isGoing) void this.#deliver();
  }

  /** A chunk, divided where the course says. */
  #pieces(chunk: Buffer): Buffer[] {
    const from = this.bytes.down;
    const bytes = this.#counted('down', chunk);
    const to = from + bytes.length;
    const offsets = (this.#course.division ?? []).filter((offset) => offset > from && offset < to);
    const edges = [from, ...offsets, to];
    return edges.slice(1).map((edge, index) => bytes.subarray(edges[index]! - from, edge - from));
  }

  /** Counts a chunk that goes one way, of which nothing goes on behind the cut. */
  #counted(direction: 'down' | 'up', chunk: Buffer): Buffer {
    const { cut } = this.#course;
    const from = this.bytes[direction];
    this.bytes[direction] += chunk.length;
    if (cut?.direction !== direction || this.bytes[direction] < cut.at) return chunk;
    // What is in front of the cut arrives first.
    setImmediate(() => this.#break());
    return chunk.subarray(0, Math.max(0, cut.at - from));
  }

  async #deliver(): Promise<void> {
    this.#isGoing = true;
    for (let piece = this.#waiting.shift(); piece !== undefined; piece = this.#waiting.shift()) {
      if (piece?.length !== 0) this.#near.arrive(piece);
      if (this.#course.turns !== false) await turn();
    }
    this.#isGoing = false;
  }

  #break(): void {
    if (this.#isCut) return;
    this.#isCut = true;
    const { how } = this.#course.cut!;
    if (how === 'end') this.#near.arrive(null);
    if (how === 'reset') this.#reset();
    // Destroyed below TLS in its handshake, it would take the process with it.
    this.#far.arrive(null);
    this.#end();
  }

  #reset(): void {
    this.#isCut = true;
    this.#near.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', syscall: 'read' }));
  }
}
