// Entity capabilities: XEP-0115.
import { createHash } from 'node:crypto';

/** What an entity is (XEP-0030 §3.1). */
export interface Identity {
  readonly category: string;
  readonly type: string;
  /** For people. */
  readonly name?: string | undefined;
  /** Language of the name. */
  readonly lang?: string | undefined;
}

/**
 * The verification string of identities and features, hashed with SHA-1 as everybody does (XEP-0115 §5.1). Sorted by
 * their octets (`i;octet`).
 */
export function capsHash(identities: readonly Identity[], features: readonly string[]): string {
  const names = identities.map(({ category, type, lang = '', name = '' }) => `${category}/${type}/${lang}/${name}`);
  const parts = [...names.sort(byOctets), ...[...features].sort(byOctets)];
  return createHash('sha1')
    .update(parts.map((part) => `${part}<`).join(''))
    .digest('base64');
}

function byOctets(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
