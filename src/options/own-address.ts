// The option `jid`: one address in place of domain, username and resource.
import { shown } from '../arguments/values.js';
import { printable } from '../errors.js';
import { JID } from '../jid/jid.js';
import { accountAddress } from '../protocols/account.js';
import { nameOf } from './dialect.js';
import type { Dialect } from '../protocols/dialect.js';

/** The options that an address says. */
type Part = 'domain' | 'username' | 'resource';

/** Options that say who we are, and how. */
interface Addressed {
  readonly jid?: string | JID | undefined;
  readonly domain?: string | undefined;
  readonly username?: string | undefined;
  readonly resource?: string | undefined;
  readonly connectionType?: Dialect | undefined;
}

/** What the address says in place of other options. */
export function partsOf(jid: string | JID | undefined): { [Name in Part]?: string } {
  if (jid === undefined) return {};
  const { local, domain, resource } = typeof jid === 'string' ? JID.parse(jid) : jid;
  return { domain, ...(local !== null && { username: local }), ...(resource !== null && { resource }) };
}

/** What is wrong with an address as the own one, and with options that say something else. */
export function addressProblems(options: Addressed): string[] {
  const { jid, connectionType: dialect } = options;
  if (jid === undefined) return [];
  const parts = partsOf(jid);
  if (dialect?.addressing === 'domain' && Object.keys(parts).length > 1) {
    return [
      `jid must be a name alone with ${nameOf(dialect)}, such as ${shown(parts.domain)}, not ${shown(String(jid))}`,
    ];
  }
  return (['domain', 'username', 'resource'] as const).flatMap((name) => {
    const [said, given] = [parts[name], options[name]];
    if (said === undefined || given === undefined || isSame(name, said, given)) return [];
    return [`jid and ${name} differ: ${shown(said)} and ${shown(given)}; leave ${name} out`];
  });
}

/** A user name with the domain in it: what to say instead. */
export function userNameProblem({ username, domain, connectionType: dialect }: Addressed): string[] {
  if (dialect?.addressing !== 'account' || username?.includes('@') !== true) return [];
  const [local = '', host] = username.split('@', 2);
  const own = host || domain || 'example.org';
  const parts = `username: '${printable(local, 64)}', domain: '${printable(own, 64)}'`;
  return [`username must be the part before the '@': say jid: '${printable(`${local}@${own}`, 128)}', or ${parts}`];
}

function isSame(name: Part, said: string, given: string): boolean {
  try {
    return said === given || said === prepared(name, given);
  } catch {
    // What cannot be part of an address is not the same as one.
    return false;
  }
}

function prepared(name: Part, given: string): string | null {
  if (name === 'domain') return new JID(null, given).domain;
  if (name === 'resource') return new JID(null, 'localhost', given).resource;
  return JID.parse(accountAddress(given, 'localhost')).local;
}
