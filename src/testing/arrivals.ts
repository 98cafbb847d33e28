import { milliseconds } from '../arguments/checks.js';
import { readOptions, type OptionTable } from '../arguments/options.js';
import { BrokerError, printable } from '../errors.js';
import { FilterSet } from '../filters/filter-set.js';
import { FILTER_OPTIONS, type FilterOptions } from '../filters/filter.js';
import { redacted } from '../stanza/redaction.js';
import type { Element } from '../xml/element.js';

/** What is waited for. */
export interface ExpectOptions extends FilterOptions {
  /**
   * How long it may take to arrive, in milliseconds. Default 4000: less than test runners allow a test, so that this error is
   * the one that is seen.
   */
  readonly within?: number | undefined;
}

const WITHIN_MS = 4_000;
const OPTIONS: OptionTable<ExpectOptions> = { checks: { within: milliseconds, ...FILTER_OPTIONS.checks } };

/** Most stanzas that are remembered for those who ask later. */
const KEPT = 500;
/** Most of them that an error lists, and of each so many characters. */
const LISTED = 20;
const SHOWN = 300;

interface Waiting {
  fits(stanza: Element): boolean;
  settle(stanza: Element): void;
  fail(why: string): void;
}

/** Stanzas that have arrived, each for one who expects it. */
export class Arrivals {
  /** Those that nobody has expected yet. */
  readonly #kept: Element[] = [];
  readonly #waiting = new Set<Waiting>();
  /** The last of all, for errors. */
  readonly #last: Element[] = [];
  #count = 0;

  /** @param who in errors: who has called */
  constructor(
    private readonly code: 'USAGE_LOOPBACK' | 'USAGE_DRY_RUN',
    private readonly who: string,
  ) {}

  add(stanza: Element): void {
    this.#count += 1;
    this.#last.push(stanza);
    if (this.#last.length > LISTED) this.#last.shift();
    for (const waiting of this.#waiting) {
      if (!waiting.fits(stanza)) continue;
      waiting.settle(stanza);
      return;
    }
    this.#kept.push(stanza);
    if (this.#kept.length > KEPT) this.#kept.shift();
  }

  /** The first stanza that matches and that nobody else was given, if it has arrived or arrives in time. */
  async expect(expression: string, options: ExpectOptions): Promise<Element> {
    const { within = WITHIN_MS, ...rest } = readOptions(this.code, this.who, options, OPTIONS);
    const filters = new FilterSet();
    filters.add('expected', expression, rest);
    const fits = (stanza: Element, failed: (error: BrokerError) => void): boolean => {
      let found = false;
      filters.match(
        stanza,
        () => (found = true),
        (_, error) => failed(error),
      );
      return found;
    };
    const at = this.#kept.findIndex((stanza) => fits(stanza, raise));
    const [known] = at < 0 ? [] : this.#kept.splice(at, 1);
    if (known !== undefined) return known;
    return new Promise((resolve, reject) => {
      const done = () => {
        clearTimeout(timer);
        this.#waiting.delete(waiting);
      };
      const waiting: Waiting = {
        // What costs too much to look at ends the waiting.
        fits: (stanza) =>
          fits(stanza, (error) => {
            done();
            reject(error);
          }),
        settle: (stanza) => {
          done();
          resolve(stanza);
        },
        fail: (why) => {
          done();
          reject(this.#missing(expression, why));
        },
      };
      const timer = setTimeout(() => waiting.fail(`within ${String(within)} ms`), within);
      this.#waiting.add(waiting);
    });
  }

  /** Nothing arrives any more. */
  end(why: string): void {
    for (const waiting of [...this.#waiting]) waiting.fail(why);
  }

  #missing(expression: string, why: string): BrokerError {
    const all = this.#last.map((stanza) => `  ${printable(redacted(stanza).toString(), SHOWN)}`);
    const more = this.#count > all.length ? `, the last ${String(all.length)} of ${String(this.#count)}` : '';
    const what = all.length === 0 ? 'nothing else did' : `these did${more}:\n${all.join('\n')}`;
    return new BrokerError('EXPECT_FAILED', `nothing that matches ${expression} arrived ${why}; ${what}`, {
      layer: 'stanza',
    });
  }
}

function raise(error: BrokerError): never {
  throw error;
}
