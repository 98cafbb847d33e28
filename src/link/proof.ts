/** A link that has lived for so long was a good one, whatever else happened, in milliseconds. */
const LIVED_MS = 30_000;

/** What went well on a link: a server that lets us in and drops us at once has shown nothing yet. */
export class Proof {
  readonly #since = performance.now();
  #good = false;
  #doubted: boolean;

  /** @param resumed whether a session was resumed: then what arrives may be a repetition, and the resumption itself is in doubt */
  constructor(private readonly resumed: boolean) {
    this.#doubted = resumed;
  }

  /** A stanza arrived. */
  received(): void {
    if (!this.resumed) this.#good = true;
  }

  /**
   * The peer told its count: so many stanzas more are acknowledged, and so many are not yet. None is an answer where there is
   * none to acknowledge; else it may be what Prosody says of the session before it ends the stream, and proves nothing.
   */
  acknowledged(fresh: number, left: number): void {
    if (fresh > 0 || left === 0) this.#doubted = false;
    if (fresh > 0) this.#good = true;
  }

  /** Whether something went well. */
  get good(): boolean {
    return this.#good || performance.now() - this.#since > LIVED_MS;
  }

  /**
   * Whether a resumed session has not shown yet that it works. Some servers go on with the parser of the lost connection,
   * so that what we send is swallowed, or read as if it were something else.
   */
  get doubted(): boolean {
    return this.#doubted;
  }
}
