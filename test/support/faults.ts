// Calls of Node that fail when a test wants them to: those that the library makes, not those of the tests.
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import tls from 'node:tls';

const TIMER = 'timer';

/** Which calls fail: the first one, counted from 1, and how many in a row; of them timers only, or all others. */
export interface Plan {
  readonly from: number;
  readonly times: number;
}

/** Counts calls that can fail, and fails those that are due. */
export class Faults {
  /** Names of the calls that were made, in order. */
  readonly calls: string[] = [];
  /** The first that failed. */
  failed: string | null = null;
  isOn = true;

  constructor(private readonly plan: Plan = { from: Infinity, times: 1 }) {}

  /** A call is made. @returns how it fails, or null */
  readonly check = (call: string): Error | null => {
    if (!this.isOn) return null;
    const { from, times } = this.plan;
    const number = this.calls.push(call);
    if (number < from || number >= from + times) return null;
    this.failed ??= call;
    // If both failed for good, what is tried again would be tried without end before any time passes.
    if ((call === TIMER) !== (this.failed === TIMER)) return null;
    return Object.assign(new Error(`${call}, as the test wants it`), { code: 'EFAULT', syscall: call });
  };
}

type Call = (...args: unknown[]) => unknown;

const CRYPTO = ['randomBytes', 'randomFillSync', 'randomInt', 'randomUUID', 'createHash', 'createHmac', 'timingSafeEqual'] as const; // prettier-ignore
const TLS = ['connect', 'createSecureContext'] as const;

/** Whether the library makes the call. */
function isOurs(): boolean {
  const frames = (new Error().stack ?? '').split('\n').slice(1);
  const caller = frames.find((line) => !/faults\.ts|node:/.test(line)) ?? '';
  return caller.includes('/src/') && !/\/(test|node_modules)\//.test(caller);
}

/** Puts itself in front of Node's calls, until it is taken away. */
export class FaultyNode {
  /** Who is asked. */
  faults: Faults | null = null;
  readonly #real: (readonly [object: object, name: string, call: unknown])[] = [];

  constructor() {
    for (const name of CRYPTO) this.#replace(crypto, name, `crypto.${name}`);
    for (const name of TLS) this.#replace(tls, name, `tls.${name}`);
    // It tells through its callback.
    this.#replaceWith(crypto, 'pbkdf2', (real) => (...args) => {
      const error = this.#check('crypto.pbkdf2');
      if (error === null) return real(...args);
      setImmediate(args.at(-1) as (error: Error) => void, error);
      return undefined;
    });
    // A timer cannot fail, but it can be early.
    this.#replaceWith(
      globalThis,
      'setTimeout',
      (real) =>
        (call, ms, ...args) =>
          real(call, this.#check(TIMER) === null ? ms : 0, ...args),
    );
    syncBuiltinESMExports();
  }

  restore(): void {
    for (const [object, name, call] of this.#real) Object.assign(object, { [name]: call });
    syncBuiltinESMExports();
  }

  #check(call: string): Error | null {
    return this.faults !== null && isOurs() ? this.faults.check(call) : null;
  }

  #replace(object: object, name: string, call: string): void {
    this.#replaceWith(object, name, (real) => (...args) => {
      const error = this.#check(call);
      if (error !== null) throw error;
      return real(...args);
    });
  }

  #replaceWith(object: object, name: string, make: (real: Call) => Call): void {
    const real = (object as Record<string, Call>)[name]!;
    this.#real.push([object, name, real]);
    Object.assign(object, { [name]: make(real) });
  }
}
