// One holder of a name among many processes: a record in the bucket of holders, and its revision as the fence. Whoever was
// overtaken cannot write it any more. No clock is compared with another's: who waits measures how long the record stays as it
// is, and who holds it stops by its own clock before that time is over.
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KV } from '@nats-io/kv';
import { BrokerError, printable } from '../errors.js';
import type { NatsLink } from './connection.js';
import { isWrongRevision } from './errors.js';

/** The holder stops so much earlier than others may take over, in milliseconds. */
const MARGIN_MS = 500;
/** What others wait for a holder that never stops by itself. */
const ENDLESS_TTL_MS = 3_000;
/** For one answer of NATS. */
const ANSWER_MS = 2_000;

/** How the record could be taken. */
export type TakenAfter = 'free' | 'released' | 'expired';

/** The record, as it is in the bucket. */
export interface HolderRecord {
  readonly v: 1;
  /** Of the holder, new with each start of it. */
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  readonly epoch: number;
  /** How long it has to stay unchanged before others take it. */
  readonly ttlMs: number;
  /** When it was taken, by the clock of the holder, for people. */
  readonly since: number;
  /** Counts the writes of a holder, to know one's own. */
  readonly n: number;
  readonly released: boolean;
  /** What goes along with it. */
  readonly body: unknown;
}

/** What a lease works with. */
export interface LeaseParts {
  readonly link: NatsLink;
  readonly kv: KV;
  /** Key of the record. */
  readonly key: string;
  /** Who wants it. */
  readonly id: string;
  /** At least 1500, or Infinity: this holder does not stop by its own clock. */
  readonly ttlMs: number;
  /** What it is for, for messages: `the queue "echo.example.org"`. */
  readonly what: string;
}

/** What was taken. */
export interface Taken {
  readonly epoch: number;
  readonly after: TakenAfter;
  /** Epoch of the last holder; 0: there was none. */
  readonly lastEpoch: number;
  /** What the last holder left. */
  readonly body: unknown;
  /** When it was written, by the clock of NATS, in milliseconds since 1970. */
  readonly at: number;
}

export class Lease {
  readonly #parts: LeaseParts;
  #revision = 0;
  #epoch = 0;
  #since = 0;
  #count = 0;
  #body: unknown = null;
  #isHeld = false;
  /** The write that is under way. */
  #under: Promise<void> | null = null;
  #renewal: NodeJS.Timeout | null = null;
  #deadline: NodeJS.Timeout | null = null;
  #goodUntil = Number.POSITIVE_INFINITY;
  #onLost: (error: BrokerError) => void = () => undefined;

  constructor(parts: LeaseParts) {
    this.#parts = parts;
  }

  get isHeld(): boolean {
    return this.#isHeld && performance.now() < this.#goodUntil;
  }

  /**
   * Waits until this process is the holder, also while NATS is away.
   * @param standby called when somebody else is: with who it is
   * @throws the signal's reason; BrokerError `NATS_*`, `QUEUE_VERSION`
   */
  async take(signal: AbortSignal, standby: (holder: string) => void): Promise<Taken> {
    let seen = { revision: 0, at: 0 };
    let told: string | null = null;
    for (;;) {
      signal.throwIfAborted();
      const found = await this.#look(signal);
      if (found === undefined) continue;
      const now = performance.now();
      let after: TakenAfter | null = null;
      let waitMs = this.#pollMs;
      if (found === null) after = 'free';
      else {
        const { record, revision } = found;
        if (record.released) after = 'released';
        else if (record.id === this.#parts.id) after = 'expired';
        else if (seen.revision !== revision) seen = { revision, at: now };
        else if (now - seen.at >= record.ttlMs) after = 'expired';
        // Not later than its time is over.
        waitMs = Math.min(waitMs, Math.max(1, seen.at + record.ttlMs - now));
      }
      if (after !== null) {
        const taken = await this.#claim(found, after);
        if (taken !== null) return taken;
        continue;
      }
      const holder = found === null ? null : `${found.record.host} (${found.record.pid})`;
      if (holder !== null && holder !== told) {
        told = holder;
        standby(holder);
      }
      await pause(waitMs, signal);
    }
  }

  /** From now on the record is written again and again. @param lost called once, when somebody else may be the holder */
  keep(lost: (error: BrokerError) => void): void {
    this.#onLost = lost;
    this.#renewal = setInterval(
      () => {
        if (this.#under === null) void this.write(this.#body).catch(() => undefined);
      },
      Math.ceil(this.#ttlMs / 3),
    ).unref();
    this.#armDeadline();
  }

  /**
   * Writes the record with this body, if this process is still the holder: then it was so at that time.
   * @throws BrokerError `QUEUE_FENCED`; `NATS_*`, and it is not known then whether it was written
   */
  async write(body: unknown): Promise<void> {
    while (this.#under !== null) await this.#under.catch(() => undefined);
    const writing = this.#write(body, false);
    this.#under = writing;
    try {
      await writing;
    } finally {
      if (this.#under === writing) this.#under = null;
    }
  }

  /** Writes the record as it is, to see whether this process is still the holder. Whoever has to know is told. Never rejects. */
  async check(): Promise<void> {
    await this.#isAnswered();
  }

  /** As {@link check}, until the answer is there: at the latest when its time is over. */
  async settle(): Promise<void> {
    while (this.#isHeld && !(await this.#isAnswered())) await sleep(this.#pollMs);
  }

  async #isAnswered(): Promise<boolean> {
    // Not the record as it was when this was asked for: more may be under way to it.
    while (this.#under !== null) await this.#under.catch(() => undefined);
    try {
      await this.write(this.#body);
      return true;
    } catch {
      return false;
    }
  }

  /** Gives it to the next one at once. Never rejects. */
  async release(body: unknown): Promise<void> {
    const was = this.isHeld;
    while (this.#under !== null) await this.#under.catch(() => undefined);
    this.stop();
    if (!was) return;
    try {
      await this.#put(body, true);
    } catch {
      // Then they wait for it.
    }
  }

  /** Ends renewing. */
  stop(): void {
    this.#isHeld = false;
    if (this.#renewal !== null) clearInterval(this.#renewal);
    if (this.#deadline !== null) clearTimeout(this.#deadline);
    this.#renewal = null;
    this.#deadline = null;
  }

  get #ttlMs(): number {
    return Number.isFinite(this.#parts.ttlMs) ? this.#parts.ttlMs : ENDLESS_TTL_MS;
  }

  get #pollMs(): number {
    return Math.min(500, Math.max(50, this.#ttlMs / 24));
  }

  /** The record; null: there is none; undefined: NATS is away, for now. */
  async #look(signal: AbortSignal): Promise<Found | null | undefined> {
    try {
      return await this.#read();
    } catch (error) {
      const isAway = error instanceof BrokerError && error.code === 'NATS_UNREACHABLE' && error.retryable;
      if (!isAway) throw error;
    }
    await pause(this.#pollMs, signal);
    return undefined;
  }

  async #read(): Promise<Found | null> {
    const { kv, key, link, what } = this.#parts;
    let entry;
    try {
      entry = await kv.get(key);
    } catch (cause) {
      throw link.error(cause, `to find out who has ${what}`);
    }
    if (entry === null) return null;
    return { record: recordOf(entry.string(), what), revision: entry.revision, at: entry.created.getTime() };
  }

  async #claim(found: Found | null, after: TakenAfter): Promise<Taken | null> {
    const lastEpoch = found?.record.epoch ?? 0;
    this.#epoch = lastEpoch + 1;
    this.#revision = found?.revision ?? 0;
    this.#since = Date.now();
    this.#count = 0;
    const body = found?.record.body ?? null;
    this.#isHeld = true;
    this.#goodUntil = Number.POSITIVE_INFINITY;
    try {
      await this.#put(body, false);
    } catch (error) {
      this.#isHeld = false;
      const isOvertaken = error instanceof BrokerError && error.code === 'QUEUE_FENCED';
      const isAway = error instanceof BrokerError && error.code === 'NATS_UNREACHABLE' && error.retryable;
      if (isOvertaken || isAway) return null;
      throw error;
    }
    return { epoch: this.#epoch, after, lastEpoch, body, at: found?.at ?? 0 };
  }

  async #write(body: unknown, released: boolean): Promise<void> {
    if (!this.isHeld) throw this.#fencedError('its time is over');
    try {
      await this.#put(body, released);
    } catch (error) {
      if (error instanceof BrokerError && error.code === 'QUEUE_FENCED') this.#lose(error);
      throw error;
    }
  }

  async #put(body: unknown, released: boolean): Promise<void> {
    const { kv, key, id, link, what } = this.#parts;
    const n = (this.#count += 1);
    const text = JSON.stringify({
      v: 1,
      id,
      host: hostname(),
      pid: process.pid,
      epoch: this.#epoch,
      ttlMs: this.#ttlMs,
      since: this.#since,
      n,
      released,
      body,
    } satisfies HolderRecord);
    for (;;) {
      const began = performance.now();
      try {
        this.#revision =
          this.#revision === 0 ? await kv.create(key, text) : await kv.update(key, text, this.#revision, ANSWER_MS);
        this.#wrote(began, body);
        return;
      } catch (cause) {
        if (!isWrongRevision(cause)) throw link.error(cause, `to keep ${what}`);
      }
      // An earlier write of ours, whose answer was lost, or somebody else's.
      const found = await this.#read();
      if (found === null || found.record.id !== id || found.record.epoch !== this.#epoch) {
        const by = found === null ? 'its record was deleted' : `${found.record.host} (${found.record.pid}) has it now`;
        throw this.#fencedError(by);
      }
      this.#revision = found.revision;
      if (found.record.n === n) {
        this.#wrote(began, body);
        return;
      }
    }
  }

  #wrote(began: number, body: unknown): void {
    this.#body = body;
    if (!Number.isFinite(this.#parts.ttlMs)) return;
    this.#goodUntil = began + this.#parts.ttlMs - MARGIN_MS;
    if (this.#deadline !== null) this.#armDeadline();
  }

  /** Its own clock alone says when it is over. */
  #armDeadline(): void {
    if (this.#deadline !== null) clearTimeout(this.#deadline);
    if (!Number.isFinite(this.#goodUntil)) return;
    const left = Math.max(0, this.#goodUntil - performance.now());
    this.#deadline = setTimeout(() => {
      // In a process that was busy the answer may be there, unread: timers come before it. Nothing is written meanwhile.
      setImmediate(() => {
        if (!this.#isHeld) return;
        // Timers may be a little early.
        if (performance.now() < this.#goodUntil) this.#armDeadline();
        else this.#lose(this.#fencedError('NATS did not answer in time'));
      });
    }, left).unref();
  }

  #lose(error: BrokerError): void {
    if (!this.#isHeld) return;
    this.stop();
    this.#onLost(error);
  }

  #fencedError(why: string): BrokerError {
    const text = `this process does not hold ${this.#parts.what} any more: ${printable(why, 200)}`;
    return new BrokerError('QUEUE_FENCED', text, { layer: 'queue', retryable: true });
  }
}

interface Found {
  readonly record: HolderRecord;
  readonly revision: number;
  readonly at: number;
}

/** @throws BrokerError `QUEUE_VERSION` */
function recordOf(text: string, what: string): HolderRecord {
  let value: unknown = null;
  try {
    value = JSON.parse(text);
  } catch {
    // Told below.
  }
  const { v, id, host, pid, epoch, ttlMs, released, n } = (value ?? {}) as Record<string, unknown>;
  const fits =
    v === 1 &&
    typeof id === 'string' &&
    typeof host === 'string' &&
    typeof released === 'boolean' &&
    [pid, epoch, ttlMs, n].every((number) => Number.isSafeInteger(number) && (number as number) >= 0);
  if (fits) return value as HolderRecord;
  const said = `the holder record of ${what} in NATS is of another version, or of another program: delete it once nothing uses it`;
  throw new BrokerError('QUEUE_VERSION', said, { layer: 'queue' });
}

/** @throws the signal's reason */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}
