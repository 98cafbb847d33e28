import type { Socket } from 'node:net';
import { clearTimeout, setImmediate, setTimeout } from 'node:timers'; // the real ones, also under fake timers

export interface LaneOptions {
  /** Every piece is forwarded this much later, in milliseconds; order is kept. Default 0. */
  readonly delayMs?: number;
  /** Largest piece that is written at once, in bytes; 1 sends byte by byte. Default: as it comes. */
  readonly pieceBytes?: number;
  /** Whether to keep what was forwarded. Default false. */
  readonly record?: boolean;
}

/** So many pieces may wait before the lane stops reading: who sends into a slow link feels it. */
const PIECES_IN_HAND = 64;

/** One way of a link: reads from one socket and writes to the other, disturbed as told. */
export class Lane {
  /** Bytes forwarded so far. */
  bytes = 0;
  readonly recorded: Buffer[] = [];
  losing = false;
  private stalled = false;
  /** Bytes that still go through, and who is told when they have. */
  private allowance: { bytes: number; spent(): void } | null = null;
  /** What waits; null is the end of the stream. */
  private readonly pieces: { readonly data: Buffer | null; readonly due: number }[] = [];
  private busy = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly from: Socket,
    private readonly to: Socket,
    private readonly options: LaneOptions,
  ) {
    from.on('data', (data) => this.push(data));
    from.on('end', () => this.push(null));
  }

  stall(stalled: boolean): void {
    this.stalled = stalled;
    if (stalled) this.from.pause();
    else void this.drain();
  }

  /** Reads on and throws everything away, the end of the stream too. */
  lose(): void {
    this.losing = true;
    this.pieces.length = 0;
    clearTimeout(this.timer);
    this.from.resume();
  }

  /** Forwards that many bytes more and swallows the rest; resolves when they are through. */
  truncate(bytes: number): Promise<void> {
    return new Promise((spent) => (this.allowance = { bytes, spent }));
  }

  private push(data: Buffer | null): void {
    if (this.losing) return;
    const due = performance.now() + (this.options.delayMs ?? 0);
    const size = this.options.pieceBytes ?? data?.length ?? 0;
    if (data === null) this.pieces.push({ data, due });
    else for (let at = 0; at < data.length; at += size) this.pieces.push({ data: data.subarray(at, at + size), due });
    if (this.pieces.length > PIECES_IN_HAND) this.from.pause();
    void this.drain();
  }

  private async drain(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    for (let next = this.pieces[0]; next !== undefined && !this.stalled; next = this.pieces[0]) {
      const early = next.due - performance.now();
      if (early > 0) {
        await new Promise((resolve) => (this.timer = setTimeout(resolve, early)));
        continue; // much may have happened meanwhile
      }
      this.pieces.shift();
      await this.forward(next.data);
    }
    this.busy = false;
    if (!this.stalled) this.from.resume();
  }

  private async forward(data: Buffer | null): Promise<void> {
    if (data === null) {
      this.to.end();
      return;
    }
    const whole = this.allowance === null || data.length < this.allowance.bytes;
    const piece = whole ? data : data.subarray(0, this.allowance?.bytes);
    if (this.allowance !== null) this.allowance.bytes -= piece.length;
    this.bytes += piece.length;
    if (this.options.record === true) this.recorded.push(piece);
    await new Promise<void>((resolve) => {
      this.to.write(piece, () => resolve());
    });
    if (!whole) {
      this.lose();
      this.allowance?.spent();
    }
    // A piece that was asked for goes out in a segment of its own.
    if (this.options.pieceBytes !== undefined) await new Promise((resolve) => setImmediate(resolve));
  }
}
