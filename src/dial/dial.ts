// Opening a TCP connection to one of several targets, racing their addresses (RFC 8305, "Happy Eyeballs").
//
// The addresses of a target are tried one after another, each starting a short delay after the one before or as soon
// as that failed, without giving up on the earlier ones. SRV priorities are a promise to the domain (RFC 2782: the
// lowest that can be reached), so the next target joins only when the ones before have failed, or have had two seconds
// since their last attempt began (the longest delay of RFC 8305 §5). The first connection wins; all others are closed.
import { connect as tcpConnect, type Socket } from 'node:net';
import { unixSocketPath } from '../arguments/unix-socket.js';
import { BrokerError, usageError } from '../errors.js';
import { abortedError } from './deadline.js';
import { addressesOf, literalAddress, systemLookup, type Address, type Lookup } from './addresses.js';
import { attemptError, connectFailure, dialFailure } from './errors.js';
import { hostName } from './host-name.js';
import { checkPort, type Target } from './resolve.js';

/** Options of {@link dial}. */
export interface DialOptions {
  /** For each address, in milliseconds. Default 10 000. */
  readonly timeoutMs?: number;
  /** For the address lookup of each target, in milliseconds. Default 5000. */
  readonly lookupTimeoutMs?: number;
  /** Delay before the next address of the same target is tried as well, in milliseconds. Default 250 (RFC 8305 §5). */
  readonly attemptDelayMs?: number;
  /** Delay before the next target is tried as well, in milliseconds. Default 2000. */
  readonly targetDelayMs?: number;
  readonly signal?: AbortSignal | undefined;
  /** Finds the addresses of a host. Default: the operating system. */
  readonly lookup?: Lookup | undefined;
  /** Opens a socket that is about to connect. Default: `net.connect`. */
  readonly connect?: ((to: { host: string; port: number; family: number }) => Socket) | undefined;
  /** Called once, when the first address is about to be connected to. */
  readonly onConnecting?: ((to: { host: string; port: number; address: string }) => void) | undefined;
}

/** A connection that was opened. */
export interface Dialled {
  /**
   * Connected, with no-delay and keep-alive on, and not flowing. An `error` listener that ignores keeps the process
   * safe until the caller listens; an error of that time shows in `socket.errored`.
   */
  readonly socket: Socket;
  readonly target: Target;
  /** IP address of the peer; of a unix socket what {@link Target.host} says. */
  readonly address: string;
}

/** Quiet time after which TCP probes the peer. */
const KEEP_ALIVE_MS = 60_000;

/**
 * Connects to the first target that can be reached. Hosts may be written as in {@link hostName}, or `unix:` and a path.
 * @throws BrokerError `TCP_REFUSED`, `TCP_RESET`, `TCP_TIMEOUT`, `TCP_UNREACHABLE`, `TCP_FAILED`, `DNS_NOT_FOUND`,
 * `DNS_FAILED` or `DNS_TIMEOUT` when every target failed: the message lists what was tried, `cause` is an
 * `AggregateError` of one error for each address; `ABORTED`, or the signal's reason if that is a BrokerError;
 * `USAGE_DOMAIN`, `USAGE_PORT` for a target that cannot be dialled
 */
export async function dial(targets: readonly Target[], options: DialOptions = {}): Promise<Dialled> {
  return await new Race(targets.map(dialable), options).run();
}

function dialable(target: Target): Target {
  if (unixSocketPath(target.host) !== null) return target;
  checkPort(target.port);
  return { ...target, host: hostName(target.host).name };
}

/** Something to start: the lookup of a target, or an attempt to connect to one of its addresses. */
interface Step {
  readonly rank: number;
  readonly target: Target;
  /** Null for the lookup. */
  readonly address: Address | null;
}

class Race {
  readonly #targets: readonly Target[];
  readonly #options: DialOptions;
  readonly #timeoutMs: number;
  readonly #lookupTimeoutMs: number;
  readonly #attemptDelayMs: number;
  readonly #targetDelayMs: number;
  #isOver = false;
  /** Ends the lookups when the race is over; null while there was none, as for an IP address. */
  #ending: AbortController | null = null;
  /** What was not started yet, in order. */
  #steps: Step[];
  /** Closes each connection attempt that is under way. */
  readonly #attempts = new Set<() => void>();
  #lookups = 0;
  readonly #errors: BrokerError[] = [];
  #pace: NodeJS.Timeout | undefined;
  #announced = false;
  #settle: (outcome: Dialled | BrokerError) => void = () => undefined;

  constructor(targets: readonly Target[], options: DialOptions) {
    this.#targets = targets;
    this.#options = options;
    this.#timeoutMs = options.timeoutMs ?? 10_000;
    this.#lookupTimeoutMs = options.lookupTimeoutMs ?? 5000;
    this.#attemptDelayMs = options.attemptDelayMs ?? 250;
    this.#targetDelayMs = options.targetDelayMs ?? 2000;
    this.#steps = targets.map((target, rank) => ({ rank, target, address: literalAddress(target.host) }));
  }

  run(): Promise<Dialled> {
    const { signal } = this.#options;
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        const facts = { layer: 'tcp', phase: 'connect' } as const;
        this.#settle(abortedError(signal as AbortSignal, 'the connection attempt', facts));
      };
      this.#settle = (outcome) => {
        this.#settle = () => undefined;
        signal?.removeEventListener('abort', onAbort);
        clearTimeout(this.#pace);
        this.#steps = [];
        this.#isOver = true;
        this.#ending?.abort(OVER);
        for (const close of this.#attempts) close();
        if (outcome instanceof BrokerError) reject(outcome);
        else resolve(outcome);
      };
      signal?.addEventListener('abort', onAbort);
      if (signal?.aborted) onAbort();
      else this.#next();
    });
  }

  /** Starts the next step, and sets the time for the one after it. */
  #next(): void {
    clearTimeout(this.#pace);
    const step = this.#steps.shift();
    if (step === undefined) {
      if (this.#idle) this.#settle(dialFailure(this.#targets, this.#errors));
      return;
    }
    const [following] = this.#steps;
    // What a lookup brings sets its own time.
    if (following !== undefined) {
      const delayMs = following.rank === step.rank ? this.#attemptDelayMs : this.#targetDelayMs;
      this.#pace = setTimeout(() => {
        if (this.#steps.length > 0) this.#next();
      }, delayMs);
    }
    if (step.address === null) void this.#lookUp(step);
    else this.#connect(step.target, step.rank, step.address);
  }

  get #idle(): boolean {
    return this.#attempts.size === 0 && this.#lookups === 0;
  }

  async #lookUp({ rank, target }: Step): Promise<void> {
    this.#lookups += 1;
    try {
      const { lookup = systemLookup } = this.#options;
      const limits = { timeoutMs: this.#lookupTimeoutMs, signal: (this.#ending ??= new AbortController()).signal };
      const found = await addressesOf(target, lookup, limits);
      this.#lookups -= 1;
      if (this.#isOver) return;
      // The targets before this one come first, should they have addresses left.
      const place = this.#steps.findIndex((step) => step.rank > rank);
      const steps = found.map((address) => ({ rank, target, address }));
      this.#steps.splice(place < 0 ? this.#steps.length : place, 0, ...steps);
      this.#next();
    } catch (error) {
      this.#lookups -= 1;
      this.#failed(rank, error instanceof BrokerError ? error : connectFailure(target, target.host, error));
    }
  }

  #connect(target: Target, rank: number, { address, family }: Address): void {
    const { connect = openTcp } = this.#options;
    this.#announce(target, address);
    // Whoever was told may have given up at once.
    if (this.#isOver) return;
    try {
      this.#attempt(target, rank, address, connect({ host: address, port: target.port, family }));
    } catch (error) {
      this.#failed(rank, connectFailure(target, address, error));
    }
  }

  #announce({ host, port }: Target, address: string): void {
    if (this.#announced) return;
    this.#announced = true;
    try {
      this.#options.onConnecting?.({ host, port, address });
    } catch (cause) {
      this.#settle(usageError('USAGE_CALLBACK', 'onConnecting threw an error', { cause }));
    }
  }

  #attempt(target: Target, rank: number, address: string, socket: Socket): void {
    const stop = () => {
      this.#attempts.delete(close);
      clearTimeout(timer);
      socket.off('connect', onConnect).off('error', onError).off('close', onClose);
      socket.on('error', ignore);
    };
    const close = () => {
      stop();
      socket.destroy();
    };
    const fail = (error: BrokerError) => {
      close();
      this.#failed(rank, error);
    };
    const onConnect = () => {
      if (metItself(socket, target.port)) {
        fail(attemptError('TCP_REFUSED', target, address, 'nobody listens there'));
        return;
      }
      stop();
      socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MS);
      this.#settle({ socket, target, address });
    };
    const onError = (error: Error) => {
      fail(connectFailure(target, address, error));
    };
    const onClose = () => {
      fail(attemptError('TCP_FAILED', target, address, 'the socket closed before it was connected'));
    };
    const timer = setTimeout(() => {
      fail(attemptError('TCP_TIMEOUT', target, address, `no connection within ${this.#timeoutMs} ms`));
    }, this.#timeoutMs);
    this.#attempts.add(close);
    socket.on('connect', onConnect).on('error', onError).on('close', onClose);
  }

  /** One step failed: its own target goes on at once, another one only when nothing is under way. */
  #failed(rank: number, error: BrokerError): void {
    if (this.#isOver) return;
    this.#errors.push(error);
    const next = this.#steps[0];
    if (next === undefined || next.rank <= rank || this.#idle) this.#next();
  }
}

/** Why lookups end that nobody needs any more. An error would be made in vain, with its stack, for each connection. */
const OVER = 'the race is over';

/** Made once: a listener made in the race would keep all of it alive, as long as the socket is. */
const ignore = (): void => undefined;

function openTcp({ host, port, family }: { host: string; port: number; family: number }): Socket {
  const path = unixSocketPath(host);
  if (path !== null) return tcpConnect({ path });
  return tcpConnect({ host, port, family, autoSelectFamily: false });
}

interface Ends {
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  readonly remoteAddress?: string | undefined;
}

/** On one machine a socket may meet itself where nobody listens (simultaneous open, RFC 9293 §3.5). */
export function metItself(socket: Ends, port: number): boolean {
  // Each address is a system call, and is kept by the socket.
  return socket.localPort === port && socket.localAddress === socket.remoteAddress;
}
