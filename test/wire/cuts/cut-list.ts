import { HOW, type Cut } from './cable.js';
import { spread } from './divisions.js';

/** Every cut of a connection: behind each byte of either direction, in front of the first and behind the last, in each way. */
export class Cuts {
  readonly count: number;
  readonly #at: (index: number) => number;

  constructor(readonly bytes: { readonly down: number; readonly up: number }) {
    this.count = HOW.length * (bytes.down + bytes.up + 2);
    this.#at = spread(this.count);
  }

  at(index: number): Cut {
    const number = this.#at(index);
    const how = HOW[number % HOW.length]!;
    const place = Math.floor(number / HOW.length);
    const { down } = this.bytes;
    return place <= down ? { direction: 'down', at: place, how } : { direction: 'up', at: place - down - 1, how };
  }
}
