/**
 * IP addresses in one spelling, so that those of a certificate (RFC 5280 §4.2.1.6) and of a domain can be compared:
 * IPv4 with dots, IPv6 as eight groups without leading zeros.
 */

/** The address in the octets of a certificate; octets that are none, as hexadecimal. */
export function addressOfOctets(octets: Buffer): string {
  if (octets.length === 4) return octets.join('.');
  const hex = octets.toString('hex');
  return octets.length === 16 ? groups(hex.match(/.{4}/g) ?? []) : hex;
}

/** The one spelling of an address that `net.isIP` accepts. A zone, which no certificate can name, stays in it. */
export function addressOfText(address: string): string {
  if (!address.includes(':')) return address;
  const text = address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...octets: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = octets.slice(0, 4).map(Number);
    return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  });
  const [head = '', tail = ''] = text.split('::');
  const [left, right] = [head, tail].map((part) => (part === '' ? [] : part.split(':')));
  const zeros = new Array<string>(8 - (left?.length ?? 0) - (right?.length ?? 0)).fill('0');
  return groups([...(left ?? []), ...zeros, ...(right ?? [])]);
}

function groups(all: readonly string[]): string {
  return all.map((group) => group.replace(/^0+(?=.)/, '').toLowerCase()).join(':');
}
