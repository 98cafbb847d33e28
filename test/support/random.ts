/** Random numbers that are the same in every run. */
export interface Random {
  /** A whole number from 0 up to, but not including, `limit`. */
  below(limit: number): number;
}

/** A small generator (xorshift) with a seed other than 0. */
export function generator(seed: number): Random {
  let state = seed >>> 0 || 1;
  return {
    below(limit) {
      state ^= state << 13;
      state >>>= 0;
      state ^= state >>> 17;
      state ^= state << 5;
      state >>>= 0;
      return Math.floor((state / 2 ** 32) * limit);
    },
  };
}
