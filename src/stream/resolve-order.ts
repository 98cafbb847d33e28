import type { SrvRecord } from './resolve-answer.js';

/** An SRV record and what its service means. */
export interface Candidate extends SrvRecord {
  readonly tls: 'direct' | 'starttls';
  readonly srv: string;
}

/**
 * Puts SRV records into the order in which they are to be tried (RFC 2782, "Priority" and "Weight"): lowest priority
 * first, and among equals a weighted draw, record by record. Records of several services are one list (XEP-0368 §3).
 * Only the first `limit` places are drawn.
 * @param random a number from 0 up to, but not including, 1
 */
export function srvOrder(records: readonly Candidate[], random: () => number, limit: number): Candidate[] {
  // Weight 0 stands first in its priority, which gives it a small chance to be drawn.
  const left = [...records].sort((a, b) => a.priority - b.priority || a.weight - b.weight);
  const ordered: Candidate[] = [];
  while (left.length > 0 && ordered.length < limit) ordered.push(...left.splice(draw(left, random), 1));
  return ordered;
}

/** Index of the next record: the first whose running sum of weights reaches a random point. */
function draw(left: readonly Candidate[], random: () => number): number {
  const rest = left.findIndex(({ priority }) => priority !== left[0]?.priority);
  const group = rest < 0 ? left : left.slice(0, rest);
  const sum = group.reduce((total, { weight }) => total + weight, 0);
  const point = Math.floor(random() * (sum + 1));
  let running = 0;
  const drawn = group.findIndex(({ weight }) => (running += weight) >= point);
  return Math.max(drawn, 0);
}
