/** The middle of a list of numbers; of an even number of them, the upper middle. */
export function median(values) {
  return percentile(values, 0.5);
}

/** The value below which a share of the values lies, 0 to 1. */
export function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

/** Smallest and largest of the values. */
export function spread(values) {
  return { min: Math.min(...values), max: Math.max(...values) };
}
