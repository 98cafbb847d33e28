/** What came in, in order, and a way to wait for it. */
export class Collected<Item> {
  readonly all: Item[] = [];
  readonly #waiting = new Set<(item: Item) => void>();

  add(item: Item): void {
    this.all.push(item);
    for (const look of this.#waiting) look(item);
  }

  /** Resolves with the one that fits, as soon as so many that fit have come, before or from now on. */
  until(fits: (item: Item) => boolean, times = 1): Promise<Item> {
    return new Promise((resolve) => {
      let left = times;
      const look = (item: Item): void => {
        if (!fits(item)) return;
        left -= 1;
        if (left > 0) return;
        this.#waiting.delete(look);
        resolve(item);
      };
      this.#waiting.add(look);
      for (const item of this.all) {
        look(item);
        if (left <= 0) return;
      }
    });
  }
}
