// What a server grants a component: XEP-0356 §4.2, §5, §6.2, §7.
import type { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';

/** What may be done with a roster, or with requests of a namespace. */
export type Access = 'none' | 'get' | 'set' | 'both';

/** What a server lets a component do. */
export interface Grants {
  /** Version of the protocol that the server speaks: 1 for `urn:xmpp:privilege:1`. */
  readonly version: 1 | 2;
  /** The rosters of the server's users. */
  readonly roster: Access;
  /** Whether the server says that it tells of changes in rosters. */
  readonly push: boolean;
  /** Whether messages may be sent in the name of the server and its users. */
  readonly message: boolean;
  /** Whose presence the component gets: its own users' (`managed_entity`), or that of everybody in their rosters, too. */
  readonly presence: 'none' | 'managed_entity' | 'roster';
  /** Requests that may be sent in the name of users, by the namespace of their payload. Empty in version 1. */
  readonly iq: ReadonlyMap<string, Access>;
}

const VERSIONS = [
  [NS.PRIVILEGE, 2],
  [NS.PRIVILEGE_1, 1],
] as const;

/** The namespace that a server speaks. */
export function privilegeNamespace({ version }: Grants): string {
  return version === 2 ? NS.PRIVILEGE : NS.PRIVILEGE_1;
}

/** Reads an announcement; null for a message that is none. */
export function readGrants(message: Element): Grants | null {
  for (const [namespace, version] of VERSIONS) {
    const privilege = message.getChild('privilege', namespace);
    if (privilege === null || privilege.getChild('forwarded', NS.FORWARD) !== null) continue;
    const perm = (access: string): Element | undefined =>
      privilege.getChildren('perm', namespace).find((child) => child.getAttribute('access') === access);
    const presence = perm('presence')?.getAttribute('type');
    return {
      version,
      roster: accessOf(perm('roster')),
      push: perm('roster')?.getAttribute('push') === 'true',
      message: perm('message')?.getAttribute('type') === 'outgoing',
      presence: presence === 'roster' || presence === 'managed_entity' ? presence : 'none',
      iq: namespacesOf(perm('iq'), namespace),
    };
  }
  return null;
}

/** Some servers nest the namespaces in one another, so all descendants count. */
function namespacesOf(perm: Element | undefined, namespace: string): Map<string, Access> {
  const found = new Map<string, Access>();
  for (const element of perm?.getElementsByTagNameNS(namespace, 'namespace') ?? []) {
    const ns = element.getAttribute('ns');
    if (ns !== null) found.set(ns, accessOf(element));
  }
  return found;
}

function accessOf(element: Element | undefined): Access {
  const type = element?.getAttribute('type');
  return type === 'get' || type === 'set' || type === 'both' ? type : 'none';
}

/** Whether an access covers requests of that type. */
export function permits(access: Access | undefined, type: 'get' | 'set'): boolean {
  return access === 'both' || access === type;
}
