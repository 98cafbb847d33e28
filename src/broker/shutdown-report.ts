/** What `shutdown` resolves with: how it ended, and what is left behind. */
export interface ShutdownReport {
  /** Whether both sides closed the stream in order, or there was none to close. */
  readonly clean: boolean;
  /** Stanzas that the server acknowledged meanwhile (XEP-0198). */
  readonly acked: number;
  /**
   * Stanzas that were sent and not acknowledged; without stream management, those not known to be written. They are held
   * with `possibleDuplicate`, but for requests, which have failed.
   */
  readonly unacked: number;
  /** Stanzas in the queue, those among them. They are lost with the process, unless a store has them. */
  readonly held: number;
  /** Calls of handlers whose promises are not done. */
  readonly running: number;
}
