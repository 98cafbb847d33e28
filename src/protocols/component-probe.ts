// A component's question for a sign of life: a stanza to itself, which every server has to bring back.
import { randomBytes } from 'node:crypto';
import { xml } from '../xml/builder.js';
import type { Element } from '../xml/element.js';

/** Nobody but us knows it, so that whatever else answers says that it does not. */
const NAMESPACE = 'urn:xmpp-broker:probe';

/** How often a question is sent on by connections that share our name, until it gets to whoever asked. */
const MOST_HOPS = 8;

/**
 * The question. Servers that spread stanzas over the connections of a name do it by chance or by address, so each has an
 * address of its own.
 */
export function componentProbe(id: string, domain: string, hops = 0): Element {
  const address = `${randomBytes(8).toString('hex')}@${domain}`;
  const probe = xml('probe', { xmlns: NAMESPACE, hops: hops === 0 ? null : hops });
  return xml('iq', { type: 'get', from: address, to: address, id }, probe);
}

/** Whether a stanza from our own name is a question of another connection of it, or what somebody answered to one. */
export function isForeignProbe(iq: Element, isOurs: (address: string) => boolean): boolean {
  const { firstElementChild } = iq;
  if (firstElementChild?.namespaceURI !== NAMESPACE) return false;
  const from = iq.getAttribute('from');
  return from !== null && isOurs(from);
}

/** A question of another connection of our name as it goes on, or null when it went far enough. */
export function sentOn(iq: Element, domain: string): Element | null {
  const hops = Number(iq.firstElementChild?.getAttribute('hops') ?? 0);
  const id = iq.getAttribute('id');
  if (iq.getAttribute('type') !== 'get' || id === null || !(hops < MOST_HOPS)) return null;
  return componentProbe(id, domain, hops + 1);
}
