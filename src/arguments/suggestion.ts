// What somebody probably meant who wrote a name that is not known.

/** The known name that is nearest to one that is not, unless all are far from it. Case, `-` and `_` do not count. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const meant = plain(name);
  let best: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const candidate of known) {
    const wanted = plain(candidate);
    // A letter of a short name is much of it.
    const limit = wanted.length < 5 ? 1 : 2;
    const longer = Math.abs(wanted.length - meant.length);
    if (longer > limit) continue;
    const far = distance(meant, wanted);
    // Of two that are as near, the one of the same length: letters are mixed up more often than lost.
    const score = far + longer / 10;
    if (far > limit || score >= least) continue;
    [best, least] = [candidate, score];
  }
  return best;
}

/** What to say of a name that is not known: the one that was probably meant, else all there are. */
export function suggestion(name: unknown, known: readonly string[]): string {
  const near = typeof name === 'string' ? nearest(name, known) : undefined;
  return near === undefined ? `there are ${known.join(', ')}` : `did you mean ${near}?`;
}

function plain(name: string): string {
  return name.replace(/[-_]/g, '').toLowerCase();
}

/** Letters to leave out, put in, change or swap with the next, to make one word of the other. */
function distance(a: string, b: string): number {
  let previous: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1];
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row.push(
        Math.min(
          at(last, j) + 1,
          at(row, j - 1) + 1,
          at(last, j - 1) + (same ? 0 : 1),
          swapped ? at(previous, j - 2) + 1 : Number.POSITIVE_INFINITY,
        ),
      );
    }
    [previous, last] = [last, row];
  }
  return at(last, b.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY;
}
