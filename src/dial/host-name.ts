import { isIP, isIPv6 } from 'node:net';
import { domainToASCII } from 'node:url';
import { printable, usageError } from '../errors.js';

/** A domain as the network spells it. */
export interface HostName {
  /** A-labels in lower case, or an IP address without brackets. */
  readonly name: string;
  /** 4 or 6 for an IP address, 0 for a name. */
  readonly family: 0 | 4 | 6;
}

const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

/**
 * Reads the domain of a JID, or a host of the options (RFC 7622 §3.2): an IP address, bracketed or not, or a name whose
 * international labels are turned into A-labels (RFC 5890). One trailing dot is dropped.
 * @throws BrokerError `USAGE_DOMAIN`
 */
export function hostName(domain: string): HostName {
  if (typeof domain !== 'string' || domain === '') throw badDomain(domain, 'it is empty or not a string');
  if (domain.length > 1023) throw badDomain(domain, 'it is too long');
  const unbracketed = /^\[(.*)\]$/.exec(domain)?.[1];
  if (unbracketed !== undefined) {
    if (!isIPv6(unbracketed)) throw badDomain(domain, 'only an IPv6 address may stand in brackets');
    return { name: unbracketed.toLowerCase(), family: 6 };
  }
  const family = isIP(domain);
  if (family === 4 || family === 6) return { name: domain.toLowerCase(), family };
  // What separates parts of a URL would end the name unseen when it is turned into A-labels.
  // eslint-disable-next-line no-control-regex -- one of the things to refuse
  if (/[\u0000-\u0020\u007f/\\?#@:%[\]<>^|]/.test(domain))
    throw badDomain(domain, 'it has characters no name can have');
  // eslint-disable-next-line no-control-regex -- the range of ASCII
  const ascii = /^[\u0000-\u007f]*$/.test(domain) ? domain.toLowerCase() : domainToASCII(domain);
  const name = ascii.endsWith('.') ? ascii.slice(0, -1) : ascii;
  const labels = name.split('.');
  if (name.length > 253 || !labels.every((label) => LABEL.test(label))) throw badDomain(domain, 'it is no domain name');
  // 127.1 and 0x7f.1 are addresses to some resolvers; no top-level domain is a number (RFC 3696 §2).
  if (/^(?:\d+|0x[0-9a-f]*)$/.test(labels.at(-1) as string)) throw badDomain(domain, 'its last label is a number');
  return { name, family: 0 };
}

function badDomain(domain: unknown, why: string) {
  const shown = typeof domain === 'string' ? `"${printable(domain, 100)}"` : typeof domain;
  return usageError('USAGE_DOMAIN', `${shown} cannot be looked up: ${why}; give a domain such as example.org`);
}

/** Host and port, if there is one, for a message: `example.org:5222`, `[::1]:5222`, `unix:/run/xmpp.sock`. */
export function endpoint(host: string, port: number): string {
  if (port === 0) return host;
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}
