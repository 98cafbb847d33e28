/** What came of one feature with one peer. */
export interface Cell {
  readonly feature: string;
  /** `lacks`: the peer has no such thing, or not in a way that a program can ask for. */
  readonly verdict: 'works' | 'lacks' | 'wrong';
  /** Such as the mechanism that it chose, or what went wrong. */
  readonly detail: string;
}

/** Tries features one after the other, and notes what comes of each. */
export class Cells {
  readonly all: Cell[] = [];
  #isOver = false;
  readonly #lacks: Readonly<Record<string, string>>;

  /** @param lacks what the peer does not have, with the reason */
  constructor(lacks: Readonly<Record<string, string>>) {
    this.#lacks = lacks;
  }

  /** @param work may resolve with a detail worth telling. Once `needed` work has failed, nothing more is tried. */
  async attempt(feature: string, work: () => Promise<unknown>, needed: 'needed' | '' = ''): Promise<void> {
    const lack = this.#lacks[feature];
    const note = (verdict: Cell['verdict'], detail: string) => this.all.push({ feature, verdict, detail });
    if (lack !== undefined) {
      note('lacks', lack);
    } else if (this.#isOver) {
      note('wrong', 'it had failed before');
    } else {
      try {
        const detail = await within(work());
        note('works', typeof detail === 'string' ? detail : '');
      } catch (error) {
        if (needed !== '') this.#isOver = true;
        note('wrong', error instanceof Error ? error.message : String(error));
      }
    }
  }
}

/** Seconds for what hangs. */
const PATIENCE = 20;

async function within<Value>(work: Promise<Value>): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`nothing came of it in ${String(PATIENCE)} seconds`));
    }, PATIENCE * 1_000);
  });
  return Promise.race([work, late]).finally(() => {
    clearTimeout(timer);
  });
}
