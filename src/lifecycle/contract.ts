// What a lifecycle is told, works with, and whom it tells of itself.
import type { BrokerError } from '../errors.js';
import type { Closed } from '../events.js';
import type { LinkEnd } from '../link/closing.js';
import type { LinkParts } from '../link/contract.js';
import type { Link } from '../link/link.js';
import type { Established } from '../protocols/dialect.js';
import type { AttemptParts } from './attempt.js';

/** What `connect` takes. Host and port stay in force for later attempts. */
export interface ConnectOptions {
  /** Name or address to dial from now on, or `unix:` and a path. Default: the one in force. */
  host?: string | undefined;
  /** TCP port from now on. Default: the one in force. */
  port?: number | undefined;
  /** Gives up the attempt, and the waiting for the next one. Default none. */
  signal?: AbortSignal | undefined;
}

/** How `shutdown` is asked for. */
export interface ShutdownTerms {
  /** Milliseconds that closing a link may take. */
  readonly limitMs: number;
  /** Whether the process ends behind it: nothing is dialled any more. */
  readonly leaving: boolean;
}

/** What the lifecycle works with. */
export interface LifecycleParts extends AttemptParts, LinkParts {}

/** Who has a lifecycle, and hears what becomes of links. */
export interface LifecycleOwner {
  /** Before an attempt, and before anything is dialled; null when nothing has to be opened. Rejects with a BrokerError. */
  open(): Promise<void> | null;
  /** At the end of `shutdown`, or in place of what `open` waits for; null when nothing has to be closed. */
  close(limitMs?: number): Promise<void> | null;
  /** Whether another process took what was opened; null where none can. Never rejects; who lost it was told by `fenced`. */
  check(): Promise<void> | null;
  /** As a link asks. */
  settled(): Promise<void> | null;
  /** Stanzas may be sent; PCJ_READY was not published yet. */
  ready(link: Link, established: Established): void;
  /** PCJ_READY was published. */
  afterReady(): void;
  /** Something of the program, such as its dialect, threw where nothing should. */
  failed(error: unknown): void;
  /** A link is gone; what it leaves behind is in `end`. Before the events that tell. */
  linkEnded(end: LinkEnd): void;
  /** After the events that tell of the end of a link. */
  afterLinkEnded(): void;
  /** No link is left that `shutdown` would have to close. */
  shutDown(): void;
  /** Nobody dials any more. */
  rested(closed: Closed): void;
  /** Before everything is dropped for ever. */
  halting(): void;
  /** For ever. Nothing is published behind this. */
  halted(error: BrokerError): void;
}
