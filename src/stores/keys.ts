// Where the stanzas of the open queues lie in the file, by their keys. One process alone writes the file, so this is right.

/** The keys of one queue, and the rows of their stanzas. */
type Rows = Map<string, number>;

export class Keys {
  readonly #queues = new Map<string, Rows>();
  /** What a commit changed: to be taken back when it fails. */
  #changed: { readonly rows: Rows; readonly key: string; readonly row: number | undefined }[] = [];
  /** Rows that it made. */
  #made: number[] = [];

  open(queue: string, rows: Rows): void {
    this.#queues.set(queue, rows);
  }

  /** @returns the rows of the queue, in their order */
  close(queue: string): number[] {
    const rows = this.#queues.get(queue) ?? new Map<string, number>();
    this.#queues.delete(queue);
    return [...rows.values()].sort((a, b) => a - b);
  }

  row(queue: string, key: string): number | undefined {
    return this.#queues.get(queue)?.get(key);
  }

  add(queue: string, key: string, row: number): void {
    this.#made.push(row);
    this.#change(queue, key, row);
  }

  remove(queue: string, key: string): void {
    this.#change(queue, key, undefined);
  }

  #change(queue: string, key: string, row: number | undefined): void {
    const rows = this.#queues.get(queue);
    if (rows === undefined) return;
    this.#changed.push({ rows, key, row: rows.get(key) });
    if (row === undefined) rows.delete(key);
    else rows.set(key, row);
  }

  /** The commit counts. */
  keep(): void {
    this.#changed = [];
    this.#made = [];
  }

  /** It does not. @returns the rows that it made, which may be there all the same */
  takeBack(): number[] {
    for (const { rows, key, row } of this.#changed.reverse()) {
      if (row === undefined) rows.delete(key);
      else rows.set(key, row);
    }
    const made = this.#made;
    this.keep();
    return made;
  }
}
